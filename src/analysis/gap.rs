//! Inputs that no rule matches.

use super::finding::{Finding, Kind};
use super::inspect::{finding, undecided};
use super::region::Region;
use super::search::{Answer, Outcome, Search, first_of};
use super::words;
use crate::rules::HitPolicy;

/// The gaps of the whole playbook and of the tables that should have none, for each event type.
pub(super) fn gaps(search: &mut Search<'_, '_>) -> Vec<Finding> {
    let groups = search.model.rules.groups();
    let total = search.model.rules.rules().len();
    let mut findings = Vec::new();
    // A table whose rows exclude each other is meant to be complete; the last one's gap is the playbook's.
    for group in groups.iter().filter(|g| g.policy != HitPolicy::First && !g.ranks.is_empty() && g.ranks.end < total) {
        findings.extend(below(search, group.ranks.end, Some(&group.name)));
    }
    findings.extend(below(search, total, None));
    findings
}

/// The inputs that no rule ranked before `end` matches.
fn below(search: &mut Search<'_, '_>, end: usize, table: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for position in 0..search.model.spaces.len() {
        let regions = [(position, Region::default())];
        let outcome = search.run(&regions, &|_, other| other < end, &mut |model, example, scratch| match first_of(
            model,
            &example.witness,
            scratch,
        ) {
            Some(rule) if rule < end => Answer::Blocked(rule),
            _ => Answer::Found,
        });
        match outcome {
            Outcome::Found(example) => {
                let message = words::gap(search.model, position, table);
                findings.push(finding(search.model, Kind::Gap, Vec::new(), message, Some(example)));
            }
            Outcome::Excluded(_) => {}
            Outcome::Undecided(doubt) => {
                let question = words::whether_it_has_a_gap(search.model, position, table);
                findings.push(undecided(search.model, Vec::new(), &question, doubt));
            }
        }
    }
    findings
}
