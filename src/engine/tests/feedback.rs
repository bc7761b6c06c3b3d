//! What is said of decisions afterwards.

use std::path::Path;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::domain::{FeedbackVerdict, TimeDelta};
use crate::time::Clock;

fn engine_at(data: &Path, clock: Clock) -> Engine {
    let mut config = Config::new(bundle()).data(data);
    config.journal.segment_bytes = 64 << 10;
    config.clock = clock;
    Engine::start(config).unwrap()
}

fn manual() -> Clock {
    Clock::manual("2026-11-22T10:00:00Z".parse().unwrap())
}

fn said(id: &str, verdict: FeedbackVerdict) -> Feedback {
    Feedback { id: Some(id.to_owned()), source: "helpdesk".into(), verdict: Some(verdict), ..Feedback::default() }
}

fn corrected(queue: &str) -> Feedback {
    Feedback { corrected: vec![("queue".into(), queue.into())], ..said("fb-2", FeedbackVerdict::Edited) }
}

async fn give(engine: &Engine, id: DecisionId, feedback: Feedback) -> Result<FeedbackTaken, Error> {
    engine.feedback(id, feedback).await.map(|answer| answer.into_result().unwrap())
}

async fn refused(engine: &Engine, id: DecisionId, feedback: Feedback) -> String {
    give(engine, id, feedback).await.unwrap_err().to_string().replace(&id.to_string(), "…")
}

#[tokio::test]
async fn feedback_is_kept_in_order_and_the_same_again_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let clock = manual();
    let engine = engine_at(folder.path(), clock.clone());
    let decision = decide(&engine, ticket("t-1", "my card is broken")).await;
    let other = decide(&engine, ticket("t-2", "my card is broken")).await;
    let accepted = || said("fb-1", FeedbackVerdict::Accepted);
    let first = give(&engine, decision.id, accepted()).await.unwrap();
    assert_eq!((first.is_duplicate, first.durability, first.id.as_str()), (false, Durability::Disk, "fb-1"));
    clock.advance(TimeDelta::DAY);
    let again = give(&engine, decision.id, accepted()).await.unwrap();
    assert_eq!(again, FeedbackTaken { is_duplicate: true, ..first });
    assert!(!give(&engine, other.id, accepted()).await.unwrap().is_duplicate, "an id is one decision's");
    let late = Feedback { time: Some("2026-11-22T18:00:00Z".parse().unwrap()), ..corrected("incident") };
    give(&engine, decision.id, late).await.unwrap();
    let became = vec![("refund".into(), 12.5.into()), ("closed".into(), true.into()), ("days".into(), 3.into())];
    let nameless = Feedback { label: Some("card_broken".into()), outcome: became, ..Feedback::default() };
    let named = give(&engine, decision.id, nameless.clone()).await.unwrap();
    assert_eq!((named.id.len(), named.is_duplicate), (32, false));
    let turned = Feedback { outcome: nameless.outcome.iter().rev().cloned().collect(), ..nameless };
    assert!(give(&engine, decision.id, turned).await.unwrap().is_duplicate, "members have no order");

    let explanation = engine.explain(decision.id).unwrap().unwrap();
    let shown = serde_json::to_string_pretty(&explanation.feedback).unwrap();
    insta::assert_snapshot!(shown);
    assert_eq!(engine.feedback_on(decision.id).unwrap().unwrap(), explanation.feedback);
    let told = explain_from(folder.path(), decision.id).unwrap().unwrap();
    assert_eq!((told.feedback, told.note), (explanation.feedback, None), "beside the engine it is the same");
    assert_eq!(engine.explain(other.id).unwrap().unwrap().feedback.len(), 1);
    assert_eq!(engine.feedback_on(DecisionId::from_u128(1)).unwrap(), None);
}

#[tokio::test]
async fn feedback_that_does_not_fit_is_refused_with_all_that_is_wrong() {
    let engine = engine();
    let decision = decide(&engine, ticket("t-1", "my card is broken")).await;
    give(&engine, decision.id, corrected("incident")).await.unwrap();
    let odd = Feedback {
        id: Some(String::new()),
        source: "x".repeat(300),
        time: Some(Timestamp::from_micros(i64::MAX / 2)),
        verdict: Some(FeedbackVerdict::Accepted),
        corrected: vec![
            ("qeue".into(), "cards".into()),
            ("queue".into(), "crads".into()),
            ("priority".into(), 9.into()),
            ("sla_minutes".into(), Raw::Null),
        ],
        label: Some("a\nb".into()),
        outcome: vec![
            ("".into(), 1.into()),
            ("steps".into(), Raw::List(vec![1.into()])),
            ("ratio".into(), f64::NAN.into()),
            ("report".into(), "x".repeat(1_025).as_str().into()),
            ("won".into(), true.into()),
            ("won".into(), false.into()),
        ],
    };
    let Err(Error::Feedback(faults)) = give(&engine, decision.id, odd).await else { panic!() };
    let now = |text: String| text.split(" ahead of now, ").next().unwrap().to_owned();
    let lines = faults.iter().map(|fault| now(format!("{}: {fault}", fault.pointer())));
    let mut shown: Vec<String> = lines.collect();
    let many =
        Feedback { outcome: (0..33).map(|nth| (format!("m{nth}"), nth.into())).collect(), ..Feedback::default() };
    shown.push(refused(&engine, decision.id, many).await);
    shown.push(refused(&engine, decision.id, Feedback::default()).await);
    shown.push(refused(&engine, decision.id, Feedback { source: "crm".into(), ..Feedback::default() }).await);
    let accepted = Feedback { verdict: Some(FeedbackVerdict::Accepted), ..corrected("incident") };
    shown.push(refused(&engine, decision.id, accepted).await);
    shown.push(refused(&engine, decision.id, corrected("cards")).await);
    shown.push(refused(&engine, DecisionId::from_u128(1), corrected("cards")).await);
    insta::assert_snapshot!(shown.join("\n"));
    assert_eq!(engine.feedback_on(decision.id).unwrap().unwrap().len(), 1, "nothing was taken");
}

#[tokio::test]
async fn a_decision_has_sixty_four_feedbacks_at_most() {
    let engine = engine();
    let decision = decide(&engine, ticket("t-1", "my card is broken")).await;
    for nth in 0..FEEDBACK_MAX {
        give(&engine, decision.id, said(&format!("fb-{nth}"), FeedbackVerdict::Accepted)).await.unwrap();
    }
    let more = refused(&engine, decision.id, said("fb-64", FeedbackVerdict::Accepted)).await;
    assert_eq!(more, "there are 64 feedbacks on decision …, the limit; no further one is taken");
    assert!(give(&engine, decision.id, said("fb-7", FeedbackVerdict::Accepted)).await.unwrap().is_duplicate);
    assert_eq!(engine.feedback_on(decision.id).unwrap().unwrap().len(), FEEDBACK_MAX);
}

/// Months later the decision is in a sealed segment and the customer's state on disk.
#[test]
fn feedback_on_a_decision_of_long_ago_is_found_after_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let clock = manual();
    let engine = engine_at(folder.path(), clock.clone());
    let decision = runtime.block_on(decide(&engine, ticket("t-1", "my card is broken")));
    runtime.block_on(give(&engine, decision.id, said("fb-1", FeedbackVerdict::Accepted))).unwrap();
    for nth in 2..200 {
        let event = Event { customer: "c-2".into(), ..ticket(&format!("t-{nth}"), &"x".repeat(1_000)) };
        runtime.block_on(decide(&engine, event));
    }
    engine.shutdown().unwrap();
    drop(engine);
    clock.advance(TimeDelta::from_micros(100 * TimeDelta::DAY.micros()));
    let engine = engine_at(folder.path(), clock.clone());
    assert!(
        runtime.block_on(give(&engine, decision.id, said("fb-1", FeedbackVerdict::Accepted))).unwrap().is_duplicate
    );
    runtime.block_on(give(&engine, decision.id, corrected("incident"))).unwrap();
    engine.shutdown().unwrap();
    drop(engine);
    let engine = engine_at(folder.path(), clock);
    let ids: Vec<String> = engine.feedback_on(decision.id).unwrap().unwrap().into_iter().map(|of| of.id).collect();
    assert_eq!(ids, ["fb-1", "fb-2"]);
    let exported = runtime.block_on(engine.export("c-1", 0)).unwrap().given().unwrap().unwrap();
    let told: Vec<_> = exported.records.into_iter().filter_map(|record| record.feedback).collect();
    assert_eq!((told.len(), told[1].corrected["queue"].to_string()), (2, "\"incident\"".to_owned()));
}

/// All are given at once, and each is kept once; of those that say different things under one id, one is taken.
#[test]
fn what_is_said_many_times_at_once_is_kept_once() {
    let runtime = Runtime::new().unwrap();
    let engine = engine();
    let decision = runtime.block_on(decide(&engine, ticket("t-1", "my card is broken")));
    let verdicts = [FeedbackVerdict::Accepted, FeedbackVerdict::Rejected];
    let calls: Vec<_> = (0..40)
        .map(|nth| {
            let feedback = said(&format!("fb-{}", nth % 5), verdicts[nth / 20]);
            let engine = engine.clone();
            (nth % 5, runtime.spawn(async move { give(&engine, decision.id, feedback).await }))
        })
        .collect();
    let mut taken = [0; 5];
    let mut conflicts = 0;
    for (nth, call) in calls {
        match runtime.block_on(call).unwrap() {
            Ok(answer) => taken[nth] += u32::from(!answer.is_duplicate),
            Err(Error::FeedbackConflict { .. }) => conflicts += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((taken, conflicts), ([1; 5], 20), "each id is taken once, with one of its two contents");
    assert_eq!(engine.feedback_on(decision.id).unwrap().unwrap().len(), 5);
}

#[tokio::test]
async fn feedback_is_counted_and_what_was_right_too() {
    let engine = engine();
    let decision = decide(&engine, ticket("t-1", "my card is broken")).await;
    give(&engine, decision.id, said("1", FeedbackVerdict::Accepted)).await.unwrap();
    give(&engine, decision.id, said("1", FeedbackVerdict::Accepted)).await.unwrap();
    give(&engine, decision.id, said("2", FeedbackVerdict::Rejected)).await.unwrap();
    give(&engine, decision.id, Feedback { id: Some("3".into()), ..corrected("cards") }).await.unwrap();
    give(&engine, decision.id, Feedback { id: Some("4".into()), ..corrected("incident") }).await.unwrap();
    give(&engine, decision.id, Feedback { label: Some("x".into()), ..Feedback::default() }).await.unwrap();
    refused(&engine, decision.id, Feedback::default()).await;
    let page = engine.metrics();
    let told = |line: &&str| line.starts_with("forthwith_feedback") || line.contains("reason=\"feedback\"");
    insta::assert_snapshot!(page.lines().filter(told).collect::<Vec<_>>().join("\n"), @r#"
    forthwith_feedback_judged_total{correct="false",model="none",playbook="routing",tier="rules"} 2
    forthwith_feedback_judged_total{correct="true",model="none",playbook="routing",tier="rules"} 2
    forthwith_feedback_total{playbook="routing",tier="rules",verdict="accepted"} 1
    forthwith_feedback_total{playbook="routing",tier="rules",verdict="edited"} 2
    forthwith_feedback_total{playbook="routing",tier="rules",verdict="none"} 1
    forthwith_feedback_total{playbook="routing",tier="rules",verdict="rejected"} 1
    forthwith_refused_total{reason="feedback"} 1
    "#);
    // Under a bundle without the playbook there is no label for it.
    let mut others = sources();
    others.insert("playbooks/routing.toml", PLAYBOOK.replace("\"routing\"", "\"sorting\""));
    engine.change_bundle(Bundle::compile(others).unwrap()).unwrap();
    give(&engine, decision.id, said("5", FeedbackVerdict::Accepted)).await.unwrap();
    let page = engine.metrics();
    assert!(
        page.contains("forthwith_feedback_total{playbook=\"other\",tier=\"rules\",verdict=\"accepted\"} 1"),
        "{page}"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Give { decision: usize, id: u8, content: u8 },
    Decide,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let give = (0..3_usize, 0..4_u8, 0..3_u8).prop_map(|(decision, id, content)| Step::Give { decision, id, content });
    prop_oneof![8 => give, 2 => Just(Step::Decide), 1 => Just(Step::Restart)]
}

fn content(id: u8, content: u8) -> Feedback {
    Feedback {
        // The last id is made of the content.
        id: (id < 3).then(|| id.to_string()),
        outcome: vec![("content".into(), i64::from(content).into())],
        ..Feedback::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// However often feedback is given, and whatever happens in between, the first of an id is kept, in its place.
    #[test]
    fn the_first_of_an_id_is_kept(steps in proptest::collection::vec(step(), 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let clock = manual();
        let mut engine = engine_at(folder.path(), clock.clone());
        let mut decisions: Vec<DecisionId> = Vec::new();
        for nth in 0..3 {
            let event = Event { customer: format!("c-{}", nth % 2), ..ticket(&format!("t-{nth}"), "my card is broken") };
            decisions.push(runtime.block_on(decide(&engine, event)).id);
        }
        let mut known: [Vec<(String, u8)>; 3] = Default::default();
        for (nth, step) in steps.into_iter().enumerate() {
            clock.advance(TimeDelta::HOUR);
            match step {
                Step::Decide => drop(runtime.block_on(decide(&engine, ticket(&format!("u-{nth}"), "hello")))),
                Step::Restart => {
                    engine.shutdown().unwrap();
                    drop(engine);
                    engine = engine_at(folder.path(), clock.clone());
                }
                Step::Give { decision, id, content: says } => {
                    let given = runtime.block_on(give(&engine, decisions[decision], content(id, says)));
                    let name = if id < 3 { id.to_string() } else { given.as_ref().unwrap().id.clone() };
                    let before = known[decision].iter().find(|(known, _)| *known == name);
                    match (given, before) {
                        (Ok(taken), Some((_, before))) => prop_assert!(taken.is_duplicate && *before == says),
                        (Err(Error::FeedbackConflict { .. }), Some((_, before))) => prop_assert!(*before != says),
                        (Ok(taken), None) => {
                            prop_assert!(!taken.is_duplicate);
                            known[decision].push((name, says));
                        }
                        (other, before) => prop_assert!(false, "{other:?} {before:?}"),
                    }
                }
            }
        }
        for (decision, known) in decisions.iter().zip(known) {
            let shown = engine.feedback_on(*decision).unwrap().unwrap();
            let shown: Vec<_> = shown.into_iter().map(|of| (of.id, of.outcome["content"].to_string())).collect();
            let known: Vec<_> = known.into_iter().map(|(id, says)| (id, says.to_string())).collect();
            prop_assert_eq!(shown, known);
        }
    }
}
