//! The latest values of an attribute.

use smallvec::SmallVec;

use super::content::Span;
use super::{SignalDefinition, SignalKind};
use crate::domain::{Timestamp, Unavailable, Value};

/// The latest values by time, oldest first; of one time in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Latest {
    pub(super) kept: Vec<(Timestamp, Value)>,
    /// The latest time of a value that had to go.
    pub(super) dropped_at: Option<Timestamp>,
}

/// Values that are kept beyond those that are asked for. Clocks of two senders differ, and of two events that overtake each
/// other on their way the later one is seen first: the decision about the other one still finds its values.
const BEYOND: usize = 4;

impl Latest {
    /// Takes a value; `n` are asked for.
    pub(super) fn fold(&mut self, n: usize, time: Timestamp, value: &Value) {
        let keep = n + BEYOND;
        let at = self.kept.partition_point(|(known, _)| *known <= time);
        if self.kept.len() == self.kept.capacity() {
            let grown = (2 * self.kept.len()).clamp(1, keep + 1);
            self.kept.reserve_exact(grown.saturating_sub(self.kept.len()));
        }
        self.kept.insert(at, (time, value.clone()));
        if self.kept.len() > keep {
            let (dropped, _) = self.kept.remove(0);
            self.dropped_at = Some(self.dropped_at.map_or(dropped, |known| known.max(dropped)));
        }
    }

    /// The values within a span, newest first.
    pub(super) fn value(&self, definition: &SignalDefinition, span: &Span) -> Result<Value, Unavailable> {
        let SignalKind::LastN { n, .. } = definition.kind else { return Err(Unavailable::Unknown) };
        let within = self.kept.iter().rev().filter(|(at, _)| *at <= span.as_of && span.reaches(definition, *at));
        let found: SmallVec<[&(Timestamp, Value); 8]> = within.take(n).collect();
        let is_full = found.len() == n;
        if !is_full && self.dropped_at.is_some_and(|at| span.reaches(definition, at)) {
            return Err(Unavailable::Late);
        }
        if !is_full || found.last().is_some_and(|(at, _)| definition.bucket(*at) <= span.missing) {
            span.check_missing()?;
        }
        Ok(Value::List(found.into_iter().map(|(_, value)| value.clone()).collect()))
    }
}
