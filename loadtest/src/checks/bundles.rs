//! Which bundle decisions were made on, beside when bundles were loaded.
//!
//! Who loads them knows when; who hears decisions knows their bundles. Each keeps its own, and in the end they are held against each other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::tally::Tally;
use crate::answers::{Answer, Came};
use crate::outcome::{Check, Happened, not_judged};

/// Bundles that are told apart; decisions on further ones are not looked at.
const BUNDLES_MAX: usize = 4_096;
/// Ends what is said of a reload that was taken.
const IN_FORCE: &str = " is in force";

/// What was heard of one bundle.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// When its first decision was heard, and in which call.
    first: (Duration, u64),
    /// When the last call was made that was decided on it, and which.
    last: (Duration, u64),
    decisions: u64,
}

/// The bundles of new decisions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundles {
    heard: BTreeMap<Box<str>, Heard>,
}

impl Bundles {
    pub(super) fn see(&mut self, answer: &Answer<'_>) {
        let Came::Decided(decided) = &answer.came else { return };
        // A decision that is repeated keeps its bundle.
        if decided.is_duplicate {
            return;
        }
        let (ended, started) = ((answer.ended, answer.sequence), (answer.started, answer.sequence));
        let heard = Heard { first: ended, last: started, decisions: 1 };
        self.take_in(decided.bundle, heard);
    }

    fn take_in(&mut self, bundle: &str, heard: Heard) {
        let has_room = self.heard.len() < BUNDLES_MAX;
        match self.heard.get_mut(bundle) {
            Some(known) => {
                known.first = known.first.min(heard.first);
                known.last = known.last.max(heard.last);
                known.decisions += heard.decisions;
            }
            None if has_room => drop(self.heard.insert(bundle.into(), heard)),
            None => {}
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        other.heard.iter().for_each(|(bundle, heard)| self.take_in(bundle, *heard));
    }

    /// The check, if anything was loaded.
    pub(crate) fn check(&self, happened: &[Happened]) -> Option<Check> {
        let asks = "New decisions are made on a bundle that was in force between the call and its answer.";
        let mut tally = Tally::new("bundles", asks);
        let loaded: Vec<(&str, &Happened)> =
            happened.iter().filter_map(|happened| Some((happened.said.strip_suffix(IN_FORCE)?, happened))).collect();
        let (first, _) = loaded.first()?;
        if loaded.iter().all(|(bundle, _)| bundle == first) && self.heard.keys().all(|heard| **heard == **first) {
            return Some(tally.check(&not_judged("what was loaded is what was in force before")));
        }
        for (bundle, heard) in &self.heard {
            let (from_s, to_s) = in_force(bundle, &loaded);
            // Nobody hears of a bundle before it is loaded, or is decided on it who calls when the next one is in force.
            let is_early = heard.first.0.as_secs_f64() < from_s;
            let is_stale = heard.last.0.as_secs_f64() > to_s;
            let place = if is_early { heard.first.1 } else { heard.last.1 };
            tally.look(place, !is_early && !is_stale, || {
                json!({ "bundle": bundle, "in_force_from_s": from_s, "in_force_to_s": to_s.is_finite().then_some(to_s),
                        "first_heard_s": heard.first.0.as_secs_f64(), "last_called_s": heard.last.0.as_secs_f64(), "call": place })
            });
        }
        // Every decision was looked at, by its bundle.
        tally.checked = self.heard.values().map(|heard| heard.decisions).sum();
        Some(tally.check(""))
    }
}

/// From when a bundle may have been in force, to when it may still have been, in seconds. One that nobody loaded is the one of the beginning.
fn in_force(bundle: &str, loaded: &[(&str, &Happened)]) -> (f64, f64) {
    let ends = |nth: usize| {
        let next = loaded[nth..].iter().find(|(other, _)| *other != bundle);
        next.map_or(f64::INFINITY, |(_, happened)| happened.at_s + happened.took_s)
    };
    let last = loaded.iter().rposition(|(of, _)| *of == bundle);
    match (loaded.iter().find(|(of, _)| *of == bundle), last) {
        (Some((_, first)), Some(last)) => (first.at_s, ends(last)),
        _ => (0.0, ends(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(at_s: f64, bundle: &str) -> Happened {
        Happened { at_s, what: "reload".to_owned(), took_s: 0.5, said: format!("{bundle} is in force") }
    }

    /// Calls that were made and heard at these seconds.
    fn heard(calls: &[(f64, f64, &str)]) -> Bundles {
        let mut bundles = Bundles::default();
        for (nth, (started, ended, bundle)) in calls.iter().enumerate() {
            let first = (Duration::from_secs_f64(*ended), nth as u64);
            let last = (Duration::from_secs_f64(*started), nth as u64);
            let mut other = Bundles::default();
            other.take_in(bundle, Heard { first, last, decisions: 1 });
            bundles.add(&other);
        }
        bundles
    }

    #[test]
    fn decisions_are_on_a_bundle_that_was_in_force() {
        let reloads = [loaded(1.0, "b"), loaded(2.0, "c")];
        let check = |calls: &[(f64, f64, &str)]| heard(calls).check(&reloads).unwrap();
        let sound =
            [(0.1, 0.2, "a"), (1.4, 3.0, "a"), (1.1, 1.2, "b"), (2.4, 9.0, "b"), (2.2, 2.3, "c"), (9.0, 9.1, "c")];
        assert_eq!((check(&sound).checked, check(&sound).violations), (6, 0), "{:?}", check(&sound));
        // One that says that it has loaded, and keeps what it had.
        assert_eq!(check(&[(0.1, 0.2, "a"), (1.6, 1.7, "a")]).violations, 1);
        assert_eq!(check(&[(0.1, 0.2, "a"), (1.6, 1.7, "b"), (2.6, 2.7, "b")]).violations, 1);
        // One that nobody has loaded yet.
        assert_eq!(check(&[(0.1, 0.2, "a"), (0.3, 0.4, "c")]).violations, 1);
        // One that there is not.
        assert_eq!(check(&[(0.1, 0.2, "a"), (9.0, 9.1, "x")]).violations, 1);
    }

    #[test]
    fn what_changes_nothing_is_not_judged() {
        let calls = heard(&[(0.1, 0.2, "a"), (3.0, 3.1, "a")]);
        let same = calls.check(&[loaded(1.0, "a"), loaded(2.0, "a")]).unwrap();
        assert!(!same.is_judged() && same.why_not_judged().is_some(), "{same:?}");
        assert!(calls.check(&[]).is_none());
    }
}
