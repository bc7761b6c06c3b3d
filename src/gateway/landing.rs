//! The end of a call.

use std::sync::Arc;

use super::desk::Desk;
use super::flight::Flight;
use crate::agents::{Answer, Silence};

/// How a call ends.
pub(super) struct End {
    pub(super) answer: Result<Answer, Silence>,
    /// The target that answered, by its place among the question's.
    pub(super) target: Option<usize>,
}

/// Takes a call off the desk when it has ended, however it does: also if its task is dropped.
pub(super) struct Landing {
    desk: Arc<Desk>,
    flight: Arc<Flight>,
    pub(super) end: Option<End>,
}

impl End {
    pub(super) fn silent(silence: Silence) -> Self {
        Self { answer: Err(silence), target: None }
    }
}

impl Landing {
    /// Nobody knows yet how it ends.
    pub(super) fn new(desk: Arc<Desk>, flight: Arc<Flight>) -> Self {
        Self { desk, flight, end: None }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Without an end the task was dropped: the gateway stops.
        let end = self.end.take().unwrap_or(End { answer: Err(Silence::Failed), target: None });
        let target = end.target.and_then(|target| self.flight.question.targets.get(target));
        let target = target.and_then(|target| self.desk.roster.find(target)).map(|model| Arc::clone(&model.name));
        self.desk.land(&self.flight, &end.answer, target);
    }
}
