//! Which models an agent may ask.

use std::fmt;
use std::sync::Arc;

/// A model of a provider, by the names that the settings give them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// Its share of the questions where the choice goes by weight.
    pub weight: u32,
}

/// Which of an agent's targets is asked first; the others are fallen back on in the same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choose {
    /// In the order in which they are listed.
    #[default]
    Order,
    /// By their weights: the same question always the same.
    Weight,
    /// The cheapest first, by what the question could cost.
    Cost,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}
