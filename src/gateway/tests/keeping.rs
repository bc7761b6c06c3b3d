//! Kept answers: given again while they are fresh, held in reserve while they are stale, and to nobody else.

use std::time::Duration;

use faulty_provider::{Behaviour, Conduct, Content, Manner};

use super::house::{House, PATIENCE, to};
use crate::agents::{CachePolicy, Question, Sharing, Silence, Source};

const FRESH: CachePolicy = CachePolicy { fresh: PATIENCE, stale: PATIENCE };
const STALE: CachePolicy = CachePolicy { fresh: Duration::ZERO, stale: PATIENCE };

fn kept(policy: CachePolicy, text: &str) -> Question {
    Question { cache: Some(policy), ..to(&["a"], text) }
}

#[test]
fn a_fresh_answer_stands_in_for_a_request() {
    let house = House::new([Behaviour::default()]);
    let first = house.ask(kept(FRESH, "x"));
    let second = house.ask(kept(FRESH, "x"));
    assert_eq!((second.answer, second.call.source), (first.answer, Source::Cache));
    assert_eq!((second.call.requests, second.call.target.as_deref()), (0, Some("a/m")));
    assert_eq!(house.providers[0].counts().requests, 1);
    assert_eq!(house.ask(to(&["a"], "x")).call.source, Source::Model, "who wants none is given none");
}

#[test]
fn a_stale_answer_stands_in_where_the_model_has_none_in_time() {
    let house = House::new([Behaviour::default()]);
    let first = house.ask(kept(STALE, "x"));
    let second = house.ask(kept(STALE, "x"));
    assert_eq!((second.call.source, house.providers[0].counts().requests), (Source::Model, 2), "the model is asked");
    for fault in [Conduct::of(Manner::Hangs), Conduct::error(400), Conduct::saying(Content::FreeText)] {
        house.providers[0].set(fault);
        let reply = house.pending(kept(STALE, "x"), Duration::from_millis(200)).wait();
        assert_eq!((reply.answer, reply.call.source), (first.answer.clone(), Source::Stale));
    }
}

#[test]
fn nothing_but_answers_is_kept() {
    let house = House::new([[Conduct::saying(Content::FreeText), Conduct::default()].into()]);
    assert_eq!(house.ask(kept(FRESH, "x")).answer, Err(Silence::Unusable));
    assert_eq!(house.ask(kept(FRESH, "x")).call.source, Source::Model);
}

#[test]
fn a_late_answer_is_kept_for_the_next() {
    let house = House::new([Conduct::after(Duration::from_millis(150)).into()]);
    assert_eq!(house.pending(kept(FRESH, "x"), Duration::from_millis(20)).wait().answer, Err(Silence::Late));
    let reply = house.ask(kept(FRESH, "x"));
    assert!(reply.answer.is_ok());
    assert!(matches!(reply.call.source, Source::Cache | Source::Shared), "{:?}", reply.call.source);
    assert_eq!(house.providers[0].counts().requests, 1);
}

#[test]
fn no_customer_is_given_anothers_answer() {
    let house = House::new([Conduct::after(Duration::from_millis(50)).into()]);
    let of = |customer| Question { sharing: Sharing::Customer(customer), ..kept(FRESH, "x") };
    // Neither while a request is under way nor afterwards.
    let waiting = [1, 2].map(|customer| house.pending(of(customer), PATIENCE));
    assert!(waiting.into_iter().all(|pending| pending.wait().call.source == Source::Model));
    assert_eq!(house.ask(of(3)).call.source, Source::Model);
    assert_eq!(house.ask(of(2)).call.source, Source::Cache);
    assert_eq!(house.providers[0].counts().requests, 3);
}
