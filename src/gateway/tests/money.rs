//! Money is reserved before it is spent, whoever else spends at the same time.

use std::sync::Arc;
use std::time::Duration;

use faulty_provider::{Behaviour, Conduct, Content, Manner, Usage};

use super::house::{House, PATIENCE, start, to};
use crate::agents::{Budget, Choose, Question, Silence};
use crate::domain::Money;
use crate::gateway::{Config, Gateway, Pending};
use crate::telemetry::Registry;

/// What a question of ours may cost at most.
fn worst() -> Money {
    let question = to(&["a"], "00");
    let tokens = crate::gateway::request::prompt_tokens_max(&question) + u64::from(question.answer_tokens);
    Money::from_nanos(i64::try_from(tokens * 1_000).unwrap())
}

fn times(money: Money, n: i64) -> Money {
    Money::from_nanos(money.nanos() * n)
}

fn drawing(question: Question, per_day: Money) -> Question {
    Question { budgets: Arc::from([Budget { name: "agent:router".into(), per_day }]), ..question }
}

fn unknown_usage() -> Behaviour {
    let conduct = Conduct::saying(Content::Permitted).usage(Usage::Missing);
    Conduct { latency: faulty_provider::Latency::Constant(Duration::from_millis(50)), ..conduct }.into()
}

#[test]
fn a_hundred_at_once_spend_no_more_than_there_is() {
    let house = House::with([unknown_usage()], |config| {
        let limit = &mut config.providers[0].limit;
        (limit.min, limit.initial) = (200, 200);
        limit.max = 200;
    });
    let per_day = times(worst(), 10);
    let waiting: Vec<Pending> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|part| {
                let house = &house;
                let ask = move |nth| house.pending(drawing(to(&["a"], &format!("{nth:02}")), per_day), PATIENCE);
                scope.spawn(move || (part * 25..part * 25 + 25).map(ask).collect::<Vec<_>>())
            })
            .collect();
        asking.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let replies: Vec<_> = waiting.into_iter().map(Pending::wait).collect();
    let answered = replies.iter().filter(|reply| reply.answer.is_ok()).count();
    let over = replies.iter().filter(|reply| reply.answer == Err(Silence::OverBudget)).count();
    assert_eq!((answered, over), (10, 90));
    assert_eq!(house.providers[0].counts().requests, 10);
    assert_eq!(house.gateway.spent("agent:router", house.clock.wall()), per_day);
}

#[test]
fn what_a_call_did_not_cost_is_there_for_the_next() {
    let usage = Usage::Fixed { prompt: 1, answer: 1 };
    let house = House::new([Conduct::saying(Content::Permitted).usage(usage).into()]);
    let per_day = worst().plus(Money::from_nanos(40_000));
    let spent = || house.gateway.spent("agent:router", house.clock.wall());
    for nth in 0..20 {
        let reply = house.ask(drawing(to(&["a"], &format!("{nth:02}")), per_day));
        assert_eq!((reply.answer.is_ok(), reply.call.cost), (true, Money::from_nanos(2_000)));
    }
    assert_eq!(spent(), Money::from_nanos(40_000));
    house.providers[0].set(Conduct::error(500));
    house.ask(drawing(to(&["a"], "er"), per_day));
    assert_eq!(spent(), Money::from_nanos(40_000), "an error costs nothing");
}

#[test]
fn a_request_that_is_given_up_counts_in_full() {
    let house = House::new([Conduct::of(Manner::Hangs).into()]);
    let pending = house.pending(drawing(to(&["a"], "00"), times(worst(), 3)), PATIENCE);
    assert!(house.providers[0].wait(|counts| counts.under_way == 1, PATIENCE));
    drop(pending);
    assert!(house.providers[0].wait(|counts| counts.closed_early == 1, PATIENCE));
    house.gateway.stop();
    assert_eq!(house.gateway.spent("agent:router", house.clock.wall()), worst());
}

#[test]
fn the_target_that_is_fallen_back_on_has_to_be_paid_for_as_well() {
    // The first breaks midway and counts in full; there is no money for the second.
    let house = House::new([Conduct::of(Manner::ResetsInBody).into(), Behaviour::default()]);
    let reply = house.ask(drawing(to(&["a", "b"], "00"), worst().plus(Money::from_nanos(1))));
    assert_eq!((reply.answer, reply.call.requests), (Err(Silence::Failed), 1));
    assert_eq!(house.providers[1].counts().requests, 0);
    assert_eq!(house.number(r#"forthwith_gateway_skipped_total{model="m",provider="b",reason="over_budget"}"#), 1.0);
}

#[test]
fn one_question_costs_no_more_than_it_may() {
    let house = House::new([Conduct::of(Manner::ResetsInBody).into(), Behaviour::default()]);
    let dear = Question { cost_max: Some(worst().minus(Money::from_nanos(1))), ..to(&["a", "b"], "00") };
    let reply = house.ask(dear);
    assert_eq!((reply.answer, reply.call.requests), (Err(Silence::OverBudget), 0));
    let once = Question { cost_max: Some(worst()), ..to(&["a", "b"], "00") };
    let reply = house.ask(once);
    assert_eq!((reply.answer, reply.call.requests, reply.call.cost), (Err(Silence::Failed), 1, worst()));
}

#[test]
fn the_cheapest_is_asked_first_where_that_is_the_choice() {
    let house = House::with([Behaviour::default(), Behaviour::default()], |config| {
        config.providers[1].models[0].output_price = Money::from_nanos(1);
    });
    let question = Question { choose: Choose::Cost, ..to(&["a", "b"], "x") };
    assert_eq!(house.ask(question).call.target.as_deref(), Some("b/m"));
}

#[test]
fn what_was_spent_is_known_after_a_restart() {
    let house = House::new([unknown_usage()]);
    let per_day = times(worst(), 2);
    assert!(house.ask(drawing(to(&["a"], "00"), per_day)).answer.is_ok());
    assert!(house.ask(drawing(to(&["a"], "01"), per_day)).answer.is_ok());
    house.gateway.stop();
    let provider = super::house::provider("a", &house.providers[0].base_url());
    let config = Config { providers: vec![provider], ..Config::default() };
    let again: Gateway = start(config, &house.folder, &house.clock, &Registry::default());
    let reply = again.ask(Arc::new(drawing(to(&["a"], "02"), per_day)), house.within(PATIENCE)).wait();
    assert_eq!(reply.answer, Err(Silence::OverBudget));
}
