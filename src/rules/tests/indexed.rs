//! Property: the index answers as asking every rule does, whatever is missing, whatever the hit policies.

use proptest::prelude::*;

use super::super::eval::Evaluation;
use super::super::index::Tuning;
use super::oracle::{World, condition_with_stand_ins, oracle_scope, world};
use super::*;
use crate::rules::{HitViolation, Judgement, Skipped, Values};

/// The judgement of a set by asking one rule after the other.
fn by_asking_each<V: Values>(set: &RuleSet, values: &V) -> Judgement {
    let mut scratch = Scratch::default();
    let mut evaluation = Evaluation::new(values, &set.texts, &mut scratch.evaluation);
    let mut judgement = Judgement::default();
    let mut left = Skipped::RULES_MAX;
    for (number, group) in set.groups().iter().enumerate() {
        let mut matched = Vec::new();
        for rank in group.ranks.clone() {
            let rule = &set.rules()[rank];
            match rule.condition.truth(&mut evaluation) {
                Truth::False => continue,
                Truth::Unavailable(miss) if rule.if_unavailable == IfUnavailable::Skip => {
                    if left > 0 {
                        judgement.skipped.count(miss);
                        left -= 1;
                    }
                    continue;
                }
                Truth::True | Truth::Unavailable(_) => matched.push(rank as u32),
            }
            if group.policy == HitPolicy::First {
                break;
            }
        }
        let [first, others @ ..] = &matched[..] else { continue };
        match (&group.policy, others) {
            (HitPolicy::Unique, [second, ..]) => {
                let rules = (*first as usize, *second as usize);
                judgement.violation = Some(HitViolation { group: number, rules });
            }
            (HitPolicy::RuleOrder, _) => {
                judgement.rule = Some(*first as usize);
                judgement.others = others.into();
            }
            _ => judgement.rule = Some(*first as usize),
        }
        break;
    }
    judgement
}

/// Conditions as most rules have them: what an index is for.
fn plain_condition() -> impl Strategy<Value = String> {
    let int = proptest::sample::select(&["a", "b", "c"][..]);
    let text = proptest::sample::select(&["s", "t"][..]);
    let predicate = prop_oneof![
        (int.clone(), -3_i64..4).prop_map(|(name, n)| format!("event.{name} == {n}")),
        (int.clone(), -3_i64..4).prop_map(|(name, n)| format!("event.{name} != {n}")),
        (int.clone(), -3_i64..4, 0_i64..4)
            .prop_map(|(name, low, width)| format!("event.{name} >= {low} && event.{name} < {}", low + width)),
        (int, proptest::collection::vec(-2_i64..3, 1..4)).prop_map(|(name, list)| format!("event.{name} in {list:?}")),
        (text.clone(), "[ab]{0,2}").prop_map(|(name, text)| format!("event.{name} == '{text}'")),
        (text.clone(), "[ab]{0,2}", "[ab]{0,2}").prop_map(|(name, x, y)| format!("event.{name} in ['{x}', '{y}']")),
        (text.clone(), "[ab]{1,2}").prop_map(|(name, word)| format!("event.{name}.mentions('{word}')")),
        (text, "[ab]{1,2}").prop_map(|(name, word)| format!("!event.{name}.mentions('{word}*')")),
        "[ab]".prop_map(|word| format!("[event.s, event.t].mentions('{word}*')")),
        proptest::sample::select(&["event.p", "!event.q", "has(event.a)", "!has(event.s)"][..]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(predicate, 1..4).prop_map(|predicates| predicates.join(" && "))
}

#[derive(Debug, Clone)]
struct Written {
    when: String,
    applies: bool,
}

fn written() -> impl Strategy<Value = Written> {
    let when = prop_oneof![4 => plain_condition(), 1 => condition_with_stand_ins()];
    (when, proptest::bool::weighted(0.15)).prop_map(|(when, applies)| Written { when, applies })
}

fn compiled(scope: &Scope, groups: &[(HitPolicy, Vec<Written>)], tuning: Tuning) -> RuleSet {
    let mut texts = TextIndexBuilder::default();
    let mut read = |written: &Written| {
        let mut compile = |when: &str| Condition::compile(when, scope, &mut texts);
        // Some that are written at random are refused for what they cost.
        let condition = compile(&written.when).or_else(|_| compile("event.p")).unwrap();
        let if_unavailable = if written.applies { IfUnavailable::Apply } else { IfUnavailable::Skip };
        Rule { if_unavailable, ..rule("r", condition) }
    };
    let groups = groups.iter().map(|(policy, rules)| RankedRules {
        name: policy.name().into(),
        policy: policy.clone(),
        rules: rules.iter().map(&mut read).collect(),
    });
    let groups = groups.collect();
    RuleSet::tuned(groups, texts, tuning).unwrap()
}

fn groups() -> impl Strategy<Value = Vec<(HitPolicy, Vec<Written>)>> {
    let policy =
        proptest::sample::select(vec![HitPolicy::First, HitPolicy::First, HitPolicy::Unique, HitPolicy::RuleOrder]);
    proptest::collection::vec((policy, proptest::collection::vec(written(), 0..40)), 1..4)
}

/// Splits wherever it can.
const EAGER: Tuning = Tuning { split_from: 12, piece_ns: 1_000.0 };

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1_000), ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_asking_every_rule(
        groups in groups(),
        worlds in proptest::collection::vec(world(), 1..6),
        eager in any::<bool>(),
    ) {
        let scope = oracle_scope();
        let set = compiled(&scope, &groups, if eager { EAGER } else { Tuning::default() });
        let mut scratch = Scratch::default();
        for world in &worlds {
            let given = world.given(&scope);
            prop_assert_eq!(set.judge(&given, &mut scratch), by_asking_each(&set, &given), "{:?}", world);
        }
    }
}

/// Large sets reach what small ones do not: several words, summaries, splits as they are tuned, classes that stand for
/// many values, more untold rules than are counted.
#[test]
fn large_sets_answer_as_asking_every_rule() {
    let scope = oracle_scope();
    let mut seed = 7_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let rules: Vec<Written> = (0..3_000)
        .map(|_| {
            let when = match next(10) {
                0 => format!("event.b >= {} && event.c < {}", next(4_000), next(4_000)),
                1 => format!("event.b == {} && event.p", next(4_000)),
                n => format!("event.s == 'k{}' && event.b < {} && event.a != {}", next(40 * n), next(4_000), next(5)),
            };
            Written { when, applies: next(200) == 0 }
        })
        .collect();
    for policy in [HitPolicy::First, HitPolicy::RuleOrder] {
        let set = compiled(&scope, &[(policy, rules.clone())], Tuning::default());
        let mut scratch = Scratch::default();
        for _ in 0..400 {
            let world = World {
                ints: vec![Some(next(6) as i64), Some(next(4_100) as i64), Some(next(4_100) as i64)],
                texts: vec![Some(format!("k{}", next(400))), None],
                bools: vec![Some(next(2) == 0), None],
                int_lists: vec![None, None],
                text_lists: vec![None],
            };
            let mut given = world.given(&scope);
            if next(4) == 0 {
                let missing = scope.slot(["event.a", "event.b", "event.s", "event.p"][next(4) as usize]).unwrap();
                given.0.remove(&missing);
            }
            assert_eq!(set.judge(&given, &mut scratch), by_asking_each(&set, &given), "{world:?}");
        }
    }
}
