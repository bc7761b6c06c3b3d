//! Checks that one answer is enough for: its deadline, whom it names, its words.

use std::collections::HashSet;
use std::time::Duration;

use forthwith::{FallbackReason, Shed, Tier};
use serde_json::json;

use super::tally::Tally;
use crate::answers::{Answer, Came, Decided};
use crate::outcome::Check;

const DURABILITIES: [&str; 3] = ["disk", "memory", "pending"];

/// What one answer is enough for.
#[derive(Debug)]
pub(super) struct Alone {
    grace: Duration,
    sheds: HashSet<&'static str>,
    in_time: Tally,
    addressed: Tally,
    words: Tally,
}

impl Alone {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            sheds: Shed::ALL.map(Shed::as_str).into(),
            in_time: Tally::new("in_time", "Every decision is heard before its deadline."),
            addressed: Tally::new(
                "addressed",
                "Every decision is about the customer and by the playbook that was asked for.",
            ),
            words: Tally::new(
                "words",
                "Tiers, fallbacks, durabilities and why a call was shed are words that there are.",
            ),
        }
    }

    pub(super) fn see(&mut self, answer: &Answer<'_>) {
        let place = answer.sequence;
        match &answer.came {
            Came::Decided(decided) => {
                if let Some(deadline) = answer.deadline() {
                    let is_in_time = answer.ended <= deadline + self.grace;
                    self.in_time.look(place, is_in_time, || json!(answer));
                }
                let is_addressed = decided.customer == answer.customer && decided.playbook == answer.playbook;
                self.addressed.look(place, is_addressed, || json!(answer));
                self.words.look(place, are_known(decided), || json!(answer));
            }
            Came::Shed(why) => self.words.look(place, self.sheds.contains(why), || json!(answer)),
            Came::Failed { .. } => {}
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.in_time.add(other.in_time);
        self.addressed.add(other.addressed);
        self.words.add(other.words);
    }

    pub(super) fn checks(self) -> [Check; 3] {
        let grace = match self.grace {
            Duration::ZERO => String::new(),
            grace => format!("An answer has {grace:?} more on its way."),
        };
        [self.in_time.check(&grace), self.addressed.check(""), self.words.check("")]
    }
}

fn are_known(decided: &Decided<'_>) -> bool {
    let Decided { tier, fallback, durability, .. } = decided;
    Tier::ALL.iter().any(|known| known.as_str() == *tier)
        && fallback.is_none_or(|why| FallbackReason::ALL.iter().any(|known| known.as_str() == why))
        && DURABILITIES.contains(durability)
}
