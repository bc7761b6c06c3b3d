//! The series of failures: decisions and events that came to an error that is not the caller's.

use super::{Engine, Error};
use crate::actor::Failure;
use crate::telemetry::{Counter, Label, Registry};

/// Why something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The journal has stopped, or cannot be read.
    Journal,
    /// Recovery has failed, so nothing is decided.
    Recovery,
    /// The turn panicked.
    Panic,
    /// Turns on the input have panicked before: it is set aside.
    SetAside,
    /// The customer's stored state cannot be read.
    State,
    /// Any other fault of the engine.
    Internal,
}

/// What operators see of failures, by cause.
#[derive(Clone, Debug)]
pub(super) struct FailureSeries([Counter; Cause::ALL.len()]);

impl Engine {
    /// An answer, counted if it is a failure.
    pub(super) fn tallied<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        answer.inspect_err(|error| self.0.metrics.failures.count(error))
    }
}

impl FailureSeries {
    pub(super) fn new(registry: &Registry) -> Self {
        let failed = registry.counters(
            "forthwith_failed_total",
            (
                "Decisions and events that came to an error that is not the caller's, by cause.",
                "Any is worth a look: the journal or recovery has failed, or the engine has a fault.",
            ),
            &[Label::words("cause", Cause::ALL.map(Cause::as_str))],
        );
        Self(Cause::ALL.map(|cause| failed.with(&[cause.as_str()])))
    }

    /// Counts an error unless it is the caller's.
    pub(super) fn count(&self, error: &Error) {
        if let Some(cause) = Cause::of(error) {
            self.0[cause as usize].inc();
        }
    }
}

impl Cause {
    const ALL: [Self; 6] = [Self::Journal, Self::Recovery, Self::Panic, Self::SetAside, Self::State, Self::Internal];

    /// The cause of an error; `None` if the caller can do something about it.
    fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::Failed(failure) => match failure {
                Failure::JournalStopped(_) => Self::Journal,
                Failure::RecoveryFailed(_) => Self::Recovery,
                Failure::Panicked => Self::Panic,
                Failure::SetAside(_) => Self::SetAside,
                Failure::StateUnreadable => Self::State,
                Failure::RecordTooLarge(_) => return None,
            },
            Error::Journal(_) | Error::Notary(_) => Self::Journal,
            Error::Record(_) | Error::Unproved(_) => Self::Internal,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Recovery => "recovery",
            Self::Panic => "panic",
            Self::SetAside => "set_aside",
            Self::State => "state",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_can_mend_is_no_failure_of_ours() {
        let registry = Registry::default();
        let series = FailureSeries::new(&registry);
        let ours = [
            Failure::JournalStopped("a sync failed".into()),
            Failure::RecoveryFailed("a record is damaged".into()),
            Failure::Panicked,
            Failure::StateUnreadable,
        ];
        ours.into_iter().for_each(|failure| series.count(&Error::Failed(failure)));
        series.count(&Error::Record("nothing was decided".to_owned()));
        series.count(&Error::Conflict);
        series.count(&Error::Failed(Failure::RecordTooLarge("1 MiB".into())));
        insta::assert_snapshot!(registry.render(), @r#"
        # HELP forthwith_failed_total Decisions and events that came to an error that is not the caller's, by cause.
        # TYPE forthwith_failed_total counter
        forthwith_failed_total{cause="internal"} 1
        forthwith_failed_total{cause="journal"} 1
        forthwith_failed_total{cause="panic"} 1
        forthwith_failed_total{cause="recovery"} 1
        forthwith_failed_total{cause="set_aside"} 0
        forthwith_failed_total{cause="state"} 1
        "#);
    }
}
