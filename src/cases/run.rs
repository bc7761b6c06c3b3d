//! A case decided: the very turns of production, on a customer of its own.

use std::sync::Arc;

use super::case::{Case, Cases, Earlier};
use super::reader::SOURCE;
use super::report::{CaseReport, Report, RuleNamed, RuleSeen, Standing};
use super::{Coverage, Difference};
use crate::bundle::{Bundle, Playbook};
use crate::context::CustomerState;
use crate::decider::Sight;
use crate::document::Faults;
use crate::domain::{EventKey, TenantId};
use crate::turn::Workspace;
use crate::turn::{Input, Lender, Made, Surroundings, Taken, Turn, take};

/// Reads a file of cases and runs it; or every fault in it. `file` is what faults and the report name it by.
pub fn run(bundle: &Bundle, file: &str, text: &str) -> Result<Report, Faults> {
    Cases::read(bundle, file, text).map(|cases| cases.run())
}

/// Decides every case and compares.
pub(super) fn report(cases: &Cases<'_>) -> Report {
    let playbook = cases.playbook();
    let mut scratch = Workspace::default();
    let mut report = Report {
        file: Arc::clone(&cases.file),
        playbook: Arc::clone(&playbook.name),
        cases: Vec::with_capacity(cases.cases.len()),
        coverage: Coverage::none(playbook),
    };
    for case in &cases.cases {
        let made = decide(case, cases.bundle, &mut scratch);
        report.coverage.count(&made.decided);
        report.cases.push(judge(case, &made, playbook, &mut scratch));
    }
    report
}

/// Takes the turns of a case, what came earlier first, and returns the decision of the last.
#[expect(
    clippy::expect_used,
    reason = "an event with an id of its own, of a type in `on`, is decided: the reader checked it"
)]
fn decide(case: &Case, bundle: &Bundle, scratch: &mut Workspace) -> Made {
    let tenant = TenantId::default();
    let around = Surroundings { bundle, tenant: &tenant };
    let mut state = CustomerState::new(Arc::clone(bundle.layout()));
    let (mut ids, mut lender) = (0.., Lender::default());
    let mut before: Vec<Made> = Vec::new();
    for Earlier { arrival, input, times } in &case.earlier {
        for id in ids.by_ref().take(*times) {
            let (input, readings) = (known_as(id, input), lender.readings(*arrival, bundle));
            if let Ok(Taken::Turn(turn)) = take(&mut state, &input, &readings, around, scratch) {
                lender.enter(&input, &turn, bundle);
                before.extend(turn.decisions);
            }
        }
    }
    let input = Input::Event(case.event.clone());
    let taken = take(&mut state, &input, &lender.readings(case.at, bundle), around, scratch);
    let made = match taken {
        Ok(Taken::Turn(Turn { mut decisions, repeated, .. })) => decisions.pop().or_else(|| {
            // Flow control takes the event for one that was decided before it.
            let (_, id) = repeated.first()?;
            before.into_iter().find(|made| made.id == *id)
        }),
        // A state that is made under one bundle needs no other layout.
        Ok(Taken::Repeated(_) | Taken::Conflict | Taken::Unsettled(_) | Taken::Asks(_)) | Err(_) => None,
    };
    made.expect("a new event that its playbook decides on is decided, or repeats what was decided before it")
}

/// The input under an id of its own, so that no event is taken for a repetition of another.
#[expect(clippy::expect_used, reason = "a word and a number are an id")]
fn known_as(id: u64, input: &Input) -> Input {
    let mut input = input.clone();
    if let Input::Event(input) = &mut input {
        input.event.key = EventKey::new(SOURCE, &format!("earlier-{id}")).expect("a word and a number are an id");
    }
    input
}

fn judge(case: &Case, made: &Made, playbook: &Playbook, scratch: &mut Workspace) -> CaseReport {
    let differences = case.expectation.differences(made, playbook);
    let is_of_rule = differences.iter().any(|difference| matches!(difference, Difference::Rule { .. }));
    CaseReport {
        name: case.name.clone(),
        line: case.line,
        is_passed: differences.is_empty(),
        rule: RuleNamed::of(made.decided.rule, playbook),
        outcome: made.decided.outcome.get().clone(),
        why: if is_of_rule { why(case, made, playbook, scratch) } else { Vec::new() },
        differences,
    }
}

/// How the expected rule stood. Where it matches too, or no rule was expected, how the rule stood that decided.
fn why(case: &Case, made: &Made, playbook: &Playbook, scratch: &mut Workspace) -> Vec<RuleSeen> {
    if !made.decided.is_asked() {
        return case.expectation.rule.flatten().map(|rank| RuleSeen::not_asked(rank, playbook)).into_iter().collect();
    }
    let Some(sight) = Sight::new(playbook, &case.event.event, case.at, &made.seen) else { return Vec::new() };
    let decided = &made.decided;
    let mut seen = |rank: Option<usize>| {
        let trace = playbook.rules.explain_rule(rank?, &sight, &mut scratch.rules);
        Some(RuleSeen::of(trace, decided, playbook))
    };
    let expected = seen(case.expectation.rule.flatten());
    let is_told = expected.as_ref().is_some_and(|expected| expected.standing != Standing::HoldsToo);
    let deciding = if is_told { None } else { seen(decided.rule) };
    expected.into_iter().chain(deciding).collect()
}
