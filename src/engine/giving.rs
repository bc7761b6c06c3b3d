//! What is measured of a decision that is given: where its time went, and who is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::course::{Course, Leg};
use super::told::Told;
use super::turning::Begun;
use super::{Answer, Decision, Engine, Error};
use crate::bundle::Bundle;
use crate::domain::TraceContext;
use crate::telemetry::Exemplar;
use crate::time::{Deadline, Instant};

impl Engine {
    /// The course of a call that begins: in a trace, with spans or without, if its caller or the share of traces says so.
    pub(super) fn course(
        &self,
        started: Instant,
        caller: Option<&TraceContext>,
        (names, budget): ((Option<&str>, &str), Duration),
    ) -> Course {
        let (mut course, spans) = (Course::new(started), &self.0.spans);
        course.belongs(match (spans.admit(caller), caller) {
            (Some(at), _) => Some(Told::open(&at, names, budget)),
            (None, Some(caller)) => Told::silent(spans.declined(caller)),
            (None, None) => None,
        });
        course
    }

    /// A turn was begun among others: what it waits from now on it waits for them.
    pub(super) fn wait_among(&self, begun: &mut Result<Answer<Begun>, Error>) {
        if let Ok(Answer::Given(begun)) = begun
            && begun.is_taken()
        {
            begun.course.enter(Leg::Queue, self.0.clock.instant());
        }
    }

    /// The mark of a call's trace for the metrics, if spans of the trace are kept.
    pub(super) fn exemplar(&self, course: &Course) -> Option<Exemplar> {
        let trace = course.context().filter(|context| context.is_sampled()).and_then(TraceContext::id)?;
        Some(Exemplar { trace, at_us: self.0.clock.wall().micros() })
    }

    /// Tells all who watch of a decision that is given.
    pub(super) fn given(&self, bundle: &Arc<Bundle>, decision: &Decision, course: &Course, due: (Deadline, Instant)) {
        if let Some(told) = course.told() {
            told.note(decision);
        }
        let is_slow = self.0.slow.is_slow(decision.elapsed, due.0.left(course.started()));
        if is_slow {
            self.0.slow.write(decision, course, due);
        }
        self.count(bundle, decision, (is_slow, self.exemplar(course)));
    }

    /// Counts a decision that is given.
    fn count(&self, bundle: &Arc<Bundle>, decision: &Decision, (is_slow, exemplar): (bool, Option<Exemplar>)) {
        let series = self.0.series.load();
        // A decision that began on a bundle that has gone is counted under the same playbook's name.
        let number = if Arc::ptr_eq(&series.bundle, bundle) { bundle } else { &series.bundle };
        let Some(playbook) = number.playbook_number(&decision.playbook).and_then(|n| series.playbooks.get(n)) else {
            return;
        };
        if let Some(number) = bundle.playbook_number(&decision.playbook).filter(|_| !decision.is_duplicate) {
            playbook.count_bounds(&decision.reasons, &bundle.playbooks()[number]);
        }
        if !decision.is_duplicate
            && let Some(reason) = decision.fallback
        {
            playbook.exercised.note(reason, self.0.clock.wall());
        }
        playbook.count(decision, exemplar);
        if is_slow {
            playbook.slow.inc();
        }
    }
}
