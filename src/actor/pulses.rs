//! The signs of life of the actors' threads.

use std::fmt;
use std::sync::Arc;

use super::house::House;
use crate::time::Pulse;

/// The signs of life of the keepers and of the archivist.
#[derive(Debug, Default)]
pub(super) struct Pulses {
    /// By the number of the keeper.
    keepers: Box<[Pulse]>,
    pub(super) archivist: Pulse,
}

/// The signs of life of an engine's actors, each of which gives one a second at least. Cheap to clone.
#[derive(Clone)]
pub struct ActorPulses(Arc<House>);

impl Pulses {
    /// Those of so many keepers, and of the archivist.
    pub(super) fn of(keepers: usize) -> Self {
        Self { keepers: (0..keepers).map(|_| Pulse::default()).collect(), archivist: Pulse::default() }
    }

    /// That of the numbered keeper.
    pub(super) fn keeper(&self, nth: usize) -> Option<&Pulse> {
        self.keepers.get(nth)
    }
}

impl ActorPulses {
    pub(super) fn of(house: &Arc<House>) -> Self {
        Self(Arc::clone(house))
    }

    /// How many keepers there are.
    pub fn keepers(&self) -> usize {
        self.0.pulses.keepers.len()
    }

    /// That of the numbered keeper.
    pub fn keeper(&self, nth: usize) -> Option<&Pulse> {
        self.0.pulses.keeper(nth)
    }

    /// That of the archivist.
    pub fn archivist(&self) -> &Pulse {
        &self.0.pulses.archivist
    }
}

impl fmt::Debug for ActorPulses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActorPulses").field(&self.0.pulses).finish()
    }
}
