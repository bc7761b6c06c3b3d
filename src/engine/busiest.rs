//! Who is busiest: for operators, who see customers' names; metrics never have them.

use serde::Serialize;

use super::Engine;
use crate::actor::BusyCustomer;

/// The busiest customers of about the last minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct BusiestView {
    /// How many seconds the counts are of: less than a minute for a while after the engine's start.
    pub seconds: u32,
    /// Turns of all customers, about.
    pub turns: u64,
    /// The busiest first.
    pub customers: Vec<BusyView>,
}

/// A busy customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct BusyView {
    /// Who.
    pub customer: String,
    /// The customer's turns, at least about so many.
    pub turns: u64,
}

impl Engine {
    /// The busiest customers of about the last minute, so many at most, estimated from one turn in sixty-four. Costs a look at a few
    /// hundred counters.
    pub fn busiest(&self, limit: usize) -> BusiestView {
        let busiest = self.0.customers.busiest(limit);
        let view = |of: BusyCustomer| BusyView { customer: of.customer.to_string(), turns: of.turns };
        BusiestView {
            seconds: busiest.seconds,
            turns: busiest.turns,
            customers: busiest.customers.into_iter().map(view).collect(),
        }
    }
}
