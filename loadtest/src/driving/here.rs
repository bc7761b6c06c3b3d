//! The engine in the driver's process.
//!
//! For an idle customer in memory the turn is taken on the driver's own thread, so driver and engine are the same there: what the
//! thread does is the engine's work.

use std::fmt::Write as _;

use forthwith::{Answer, Budget, Decision, Engine, Error, Options};

use super::door::{Door, Returned};
use crate::answers::{Came, Decided};
use crate::clock::now;
use crate::population::{Outgoing, Stream};

/// The engine in process.
#[derive(Debug)]
pub(super) struct Here {
    engine: Engine,
    /// The last outcome as JSON.
    outcome: Vec<u8>,
    /// The name of the last bundle.
    bundle: String,
    bundle_id: Option<forthwith::bundle::BundleId>,
}

impl Here {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, outcome: Vec::new(), bundle: String::new(), bundle_id: None }
    }

    fn decided<T>(&mut self, decision: &Decision, then: impl FnOnce(Came<'_>) -> T) -> T {
        self.outcome.clear();
        if let Err(error) = serde_json::to_writer(&mut self.outcome, decision.outcome()) {
            return then(Came::Failed { how: "unreadable", said: &error.to_string() });
        }
        if self.bundle_id != Some(decision.bundle) {
            self.bundle_id = Some(decision.bundle);
            self.bundle.clear();
            let _ = write!(self.bundle, "{}", decision.bundle);
        }
        then(Came::Decided(Decided {
            decision: decision.id,
            customer: decision.customer.as_str(),
            playbook: &decision.playbook,
            bundle: &self.bundle,
            // JSON is UTF-8.
            outcome: std::str::from_utf8(&self.outcome).unwrap_or_default(),
            tier: decision.tier.as_str(),
            fallback: decision.fallback.map(forthwith::FallbackReason::as_str),
            durability: decision.durability.as_str(),
            is_duplicate: decision.is_duplicate,
            elapsed_us: decision.elapsed.as_micros() as u64,
        }))
    }
}

impl Door for Here {
    type Line = ();
    type Heard = Result<Answer<Decision>, Error>;

    fn line(&mut self) -> Option<()> {
        Some(())
    }

    fn give_back(&mut self, (): ()) {}

    fn call(
        &mut self,
        (): (),
        stream: &Stream,
        outgoing: &Outgoing,
    ) -> impl Future<Output = Returned<(), Self::Heard>> + use<> {
        let engine = self.engine.clone();
        let kind = stream.kind(outgoing);
        let playbook = std::sync::Arc::clone(&kind.playbook);
        let budget = kind.asked_budget.map_or(Budget::Playbook, Budget::AtMost);
        let event = stream.event(outgoing);
        async move {
            let options = Options { budget, ..Options::default() };
            let heard = engine.decide_with(&playbook, event, &options).await;
            Returned { line: (), ended: now(), heard }
        }
    }

    fn read<T>(&mut self, heard: &Self::Heard, then: impl FnOnce(Came<'_>) -> T) -> T {
        match heard {
            Ok(Answer::Given(decision)) => self.decided(decision, then),
            Ok(Answer::Shed(shed)) => then(Came::Shed(shed.as_str())),
            Err(error) => then(Came::Failed { how: kind_of(error), said: &error.to_string() }),
        }
    }
}

/// How a call failed, in a word.
fn kind_of(error: &Error) -> &'static str {
    match error {
        Error::Conflict => "conflict",
        Error::UnknownPlaybook { .. } => "unknown_playbook",
        Error::Event(_) | Error::WrongEvent { .. } | Error::Customer(_) | Error::Future { .. } => "refused",
        Error::DiskFull(_) => "disk_full",
        Error::Journal(_) => "journal",
        _ => "engine",
    }
}
