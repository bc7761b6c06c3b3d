//! Callers who make inputs and drop them: what the loop itself costs.

use forthwith::turn::{Input, Readings, Taken};

use super::load::Taker;

/// Takes no turns.
#[derive(Clone, Debug)]
pub(crate) struct Nothing;

impl Taker for Nothing {
    async fn take(&self, input: Input, _: Readings) -> Option<Taken> {
        drop(std::hint::black_box(input));
        Some(Taken::Conflict)
    }
}
