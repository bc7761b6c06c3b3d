//! Tests of the room, on the bundles that the tests of other rooms decide with.

use std::sync::Arc;

use super::*;
use crate::bundle::Bundle;
use crate::bundle::cap_tests::{ONE_A_QUARTER, offers};
use crate::domain::{CustomerId, TenantId, Timestamp, Value};

fn rehearsed(bundle: Bundle, number: usize) -> Vec<(&'static str, Came)> {
    let (bundle, tenant) = (Arc::new(bundle), TenantId::default());
    let customer = CustomerId::synthetic("p", 0).unwrap();
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let rehearsed = rehearse((&bundle, &tenant), number, &customer, now);
    rehearsed.into_iter().map(|of| (of.reason.as_str(), of.came)).collect()
}

fn held(reasons: &[&'static str]) -> Vec<(&'static str, Came)> {
    reasons.iter().map(|reason| (*reason, Came::Held)).collect()
}

#[test]
fn a_playbook_of_rules_can_only_be_late() {
    assert_eq!(rehearsed(crate::bundle::tests::bundle(), 0), held(&["late"]));
}

#[test]
fn a_cap_is_filled_and_refuses() {
    assert_eq!(rehearsed(offers("", ONE_A_QUARTER), 0), held(&["cap_reached", "late"]));
    let global = ONE_A_QUARTER.replace("over ", "scope = \"global\"\nover ");
    assert!(global.contains("global"), "{global}");
    assert_eq!(rehearsed(offers("", &global), 0), held(&["cap_reached", "late"]));
}

#[test]
fn flow_control_holds_back() {
    let flow = "settle_within = \"15m\"\nflow = { debounce = \"10s\", throttle = { max = 3, over = \"1h\" } }";
    let expected = ["cap_reached", "throttled", "debounced", "too_many_pending", "late"];
    assert_eq!(rehearsed(offers(flow, ONE_A_QUARTER), 0), held(&expected));
}

#[test]
fn agents_that_say_nothing_leave_the_rules_answer() {
    use crate::bundle::agent_tests::{USE, files};
    let bundle = Bundle::compile(files(USE)).unwrap_or_else(|faults| panic!("{faults}"));
    let rehearsed = rehearsed(bundle, 0);
    let reasons: Vec<&str> = rehearsed.iter().map(|(reason, _)| *reason).collect();
    for reason in
        ["late", "model_late", "provider_down", "over_budget", "switched_off", "answer_unusable", "not_permitted"]
    {
        assert!(reasons.contains(&reason), "{reason} is missing of {reasons:?}");
    }
    assert!(rehearsed.iter().all(|(_, came)| *came == Came::Held), "{rehearsed:?}");
}

/// A default that breaks a rule of its own field cannot be compiled; here it is broken behind the compiler's back.
#[test]
fn a_default_that_the_guardrail_refuses_is_found() {
    let mut bundle = crate::bundle::tests::bundle();
    let playbook = bundle.playbook_mut(0);
    playbook.default.values[1] = Value::Int(9);
    let rehearsed = rehearsed(bundle, 0);
    let [("late", Came::Failed(fault))] = &rehearsed[..] else { panic!("{rehearsed:?}") };
    assert_eq!(fault, "without time: the turn panicked");
}
