//! A proposal held against the playbook's limits.

use std::cmp::Ordering;

use super::check::{Check, Violation, let_out};
use super::grounds::WithProposal;
use super::{Chosen, Grounds};
use crate::bundle::{Bound, Limit, LimitTest, OnViolation, Playbook};
use crate::domain::{Field, Value};
use crate::rules::{Miss, Scratch, Truth, Values};

/// How a proposal stands to one limit.
enum Standing {
    /// It is within.
    Within,
    /// A condition does not hold.
    Fails,
    /// A value is beyond a bound: the bound, and on which side of it the value lies.
    Beyond(i64, Ordering),
    /// Its two bounds leave no value.
    Closed(i64, i64),
    /// It cannot be told, which is as good as beyond.
    Untold(Miss),
}

/// Holds values against every limit. What a limit says to clamp is moved, and the next limit sees it moved. Gives what was
/// refused and what was moved.
///
/// Cost: each limit's expressions once, at most as many steps as an expression may take.
pub(super) fn hold<V: Values>(
    values: &mut [Value],
    chosen: Option<Chosen<'_>>,
    grounds: &Grounds<'_, V>,
    scratch: &mut Scratch,
) -> (Vec<Violation>, Vec<Violation>) {
    let playbook = grounds.playbook;
    let (mut refused, mut moved) = (Vec::new(), Vec::new());
    // The default is what is done where nothing else may be: it is let out whoever proposes it.
    if playbook.limits.is_empty() || *values == *playbook.default.values {
        return (refused, moved);
    }
    for (number, limit) in playbook.limits.iter().enumerate() {
        let standing = stand(limit, values, grounds, scratch);
        if matches!(standing, Standing::Within) {
            continue;
        }
        let violation = violation((number, limit), &standing, values, playbook);
        match clamped(limit, &standing, chosen, playbook) {
            Some((field, value)) => {
                values[field] = value;
                moved.push(violation);
            }
            None => refused.push(violation),
        }
    }
    (refused, moved)
}

/// Holds values that were moved against every limit again, and moves nothing more: one limit's bound, or what a cap leaves, may
/// be beyond another limit.
pub(super) fn hold_again<V: Values>(
    values: &[Value],
    grounds: &Grounds<'_, V>,
    scratch: &mut Scratch,
) -> Vec<Violation> {
    let playbook = grounds.playbook;
    if *values == *playbook.default.values {
        return Vec::new();
    }
    let beyond = |limit: (usize, &Limit)| match stand(limit.1, values, grounds, scratch) {
        Standing::Within => None,
        standing => Some(violation(limit, &standing, values, playbook)),
    };
    playbook.limits.iter().enumerate().filter_map(beyond).collect()
}

fn stand<V: Values>(limit: &Limit, values: &[Value], grounds: &Grounds<'_, V>, scratch: &mut Scratch) -> Standing {
    let playbook = grounds.playbook;
    let seen = WithProposal { values: grounds.values, names: playbook.scope.len(), proposed: values };
    match &limit.test {
        LimitTest::Require { condition, .. } => match playbook.rules.truth_of(condition, &seen, scratch) {
            Truth::True => Standing::Within,
            Truth::False => Standing::Fails,
            Truth::Unavailable(miss) => Standing::Untold(miss),
        },
        LimitTest::Within { field, min, max } => {
            let mut computed = |bound: &Option<Bound>| match bound {
                Some(bound) => playbook.rules.value_of(&bound.computation, &seen, scratch).map(Some),
                None => Ok(None),
            };
            match (computed(min), computed(max)) {
                (Err(miss), _) | (_, Err(miss)) => Standing::Untold(miss),
                (Ok(min), Ok(max)) => {
                    let of = &playbook.outcome.fields()[*field];
                    let min = min.and_then(|bound| Bound::at_least(&bound, of)).unwrap_or(i64::MIN);
                    let max = max.and_then(|bound| Bound::at_most(&bound, of)).unwrap_or(i64::MAX);
                    between(values[*field].ordinal(), min, max)
                }
            }
        }
    }
}

fn between(ordinal: Option<i64>, min: i64, max: i64) -> Standing {
    match ordinal {
        _ if min > max => Standing::Closed(min, max),
        Some(value) if value < min => Standing::Beyond(min, Ordering::Less),
        Some(value) if value > max => Standing::Beyond(max, Ordering::Greater),
        Some(_) => Standing::Within,
        // INVARIANT: only fields whose values have ordinals are held within bounds (`limit_reader`).
        None => Standing::Fails,
    }
}

/// The bound in place of a value beyond it, if the limit says so and the outcome's schema and permit let it out.
fn clamped(
    limit: &Limit,
    standing: &Standing,
    chosen: Option<Chosen<'_>>,
    playbook: &Playbook,
) -> Option<(usize, Value)> {
    let (OnViolation::Clamp, LimitTest::Within { field: number, .. }, Standing::Beyond(bound, _)) =
        (limit.on_violation, &limit.test, standing)
    else {
        return None;
    };
    let value = playbook.outcome.fields()[*number].at_ordinal(*bound);
    let_out(*number, &value, chosen, playbook).then_some((*number, value))
}

fn violation(
    (number, limit): (usize, &Limit),
    standing: &Standing,
    values: &[Value],
    playbook: &Playbook,
) -> Violation {
    let fields = playbook.outcome.fields();
    let joined = |shown: &dyn Fn(&Field, &Value) -> String| {
        limit.fields.iter().map(|field| shown(&fields[*field], &values[*field])).collect::<Vec<_>>().join(", ")
    };
    let is_below = matches!(standing, Standing::Beyond(_, Ordering::Less));
    Violation {
        check: Check::Limit,
        field: joined(&|field, _| field.name.to_string()).into(),
        value: joined(&|field, value| field.ty.show(value).to_string()),
        limit: format!("limit `{}` {}", limit.id, said(limit, standing, playbook)),
        cap: None,
        of_limit: Some(number),
        is_below,
    }
}

/// What a limit asks, as it turned out.
fn said(limit: &Limit, standing: &Standing, playbook: &Playbook) -> String {
    let untold = |asked: String| match standing {
        Standing::Untold(miss) => format!("cannot be told ({}: {}): {asked}", named(miss, playbook), miss.reason),
        _ => asked,
    };
    match &limit.test {
        LimitTest::Require { text, .. } => untold(format!("requires {text}")),
        LimitTest::Within { field, min, max } => {
            let of = &playbook.outcome.fields()[*field];
            let shown = |ordinal: i64| of.ty.show(&of.at_ordinal(ordinal)).to_string();
            let text = |bound: &Option<Bound>| bound.as_ref().map_or("", |bound| bound.computation.text()).to_owned();
            match standing {
                Standing::Beyond(bound, Ordering::Less) => format!("allows at least {} ({})", shown(*bound), text(min)),
                Standing::Beyond(bound, _) => format!("allows at most {} ({})", shown(*bound), text(max)),
                Standing::Closed(least, most) => format!(
                    "allows nothing: at least {} ({}) and at most {} ({})",
                    shown(*least),
                    text(min),
                    shown(*most),
                    text(max)
                ),
                Standing::Within | Standing::Fails | Standing::Untold(_) => {
                    let least = min.as_ref().map(|_| format!("at least {}", text(min)));
                    let most = max.as_ref().map(|_| format!("at most {}", text(max)));
                    untold(format!("allows {}", least.into_iter().chain(most).collect::<Vec<_>>().join(" and ")))
                }
            }
        }
    }
}

/// The name of what was missing.
fn named<'p>(miss: &Miss, playbook: &'p Playbook) -> &'p str {
    match miss.slot {
        Some(slot) if slot.index() < playbook.scope.len() => &playbook.scope.declared(slot).path,
        Some(_) => "the proposal",
        None => "arithmetic",
    }
}
