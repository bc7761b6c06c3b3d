//! What is switched off is not asked, and not listened to.

use faulty_provider::{Behaviour, Conduct, Manner};

use super::house::{House, PATIENCE, start, to};
use crate::agents::{CachePolicy, Question, Silence, Source};
use crate::gateway::{Config, SwitchKind};
use crate::telemetry::Registry;

fn hangs() -> Behaviour {
    Conduct::of(Manner::Hangs).into()
}

fn off(house: &House, kind: SwitchKind, name: &str) {
    house.gateway.switch_off(kind, name, "it says odd things", "ada").unwrap();
}

const ALL: [(SwitchKind, &str); 3] =
    [(SwitchKind::Provider, "a"), (SwitchKind::Model, "a/m"), (SwitchKind::Agent, "router@1")];

#[test]
fn what_is_off_is_not_asked_until_it_is_on_again() {
    for (kind, name) in ALL {
        let house = House::new([Behaviour::default()]);
        off(&house, kind, name);
        let reply = house.ask(to(&["a"], "x"));
        assert_eq!((reply.answer, reply.call.requests), (Err(Silence::SwitchedOff), 0), "{name}");
        assert_eq!(&*house.gateway.switches()[0].reason, "it says odd things");
        assert_eq!(house.gateway.switch_on(kind, name), Ok(true));
        assert!(house.ask(to(&["a"], "x")).answer.is_ok());
    }
}

#[test]
fn who_waits_for_it_is_told_at_once() {
    for (kind, name) in ALL {
        let house = House::new([hangs()]);
        let pending = house.pending(to(&["a"], "x"), PATIENCE);
        assert!(house.providers[0].wait(|counts| counts.under_way == 1, PATIENCE));
        off(&house, kind, name);
        // It would be late if it were only told at its deadline.
        assert_eq!(pending.wait().answer, Err(Silence::SwitchedOff), "{name}");
        assert!(house.providers[0].wait(|counts| counts.closed_early == 1, PATIENCE));
    }
}

#[test]
fn another_is_asked_in_its_place() {
    let house = House::new([hangs(), Behaviour::default()]);
    let pending = house.pending(to(&["a", "b"], "x"), PATIENCE);
    assert!(house.providers[0].wait(|counts| counts.under_way == 1, PATIENCE));
    off(&house, SwitchKind::Provider, "a");
    let reply = pending.wait();
    assert_eq!((reply.answer.is_ok(), reply.call.target.as_deref()), (true, Some("b/m")));
}

#[test]
fn what_it_once_said_is_not_used_either() {
    let house = House::new([Behaviour::default()]);
    let cache = Some(CachePolicy { fresh: PATIENCE, stale: PATIENCE });
    let question = Question { cache, ..to(&["a"], "x") };
    assert!(house.ask(question.clone()).answer.is_ok());
    off(&house, SwitchKind::Model, "a/m");
    assert_eq!(house.ask(question).answer, Err(Silence::SwitchedOff));
}

#[test]
fn what_it_once_said_does_not_stand_in_if_it_is_switched_off_meanwhile() {
    let house = House::new([Behaviour::default(), Conduct::error(400).into()]);
    let cache = Some(CachePolicy { fresh: std::time::Duration::ZERO, stale: PATIENCE });
    let question = Question { cache, ..to(&["a", "b"], "x") };
    assert!(house.ask(question.clone()).answer.is_ok());
    house.providers[0].set(Conduct::error(400));
    assert_eq!(house.ask(question.clone()).call.source, Source::Stale, "as long as it is on");
    house.providers[0].set(hangs());
    let pending = house.pending(question, PATIENCE);
    assert!(house.providers[0].wait(|counts| counts.under_way == 1, PATIENCE));
    off(&house, SwitchKind::Provider, "a");
    // The other is asked in its place, and refuses.
    assert_eq!(pending.wait().answer, Err(Silence::Failed));
}

#[test]
fn it_is_off_after_a_restart() {
    let house = House::new([Behaviour::default()]);
    off(&house, SwitchKind::Provider, "a");
    house.gateway.stop();
    let provider = super::house::provider("a", &house.providers[0].base_url());
    let config = Config { providers: vec![provider], ..Config::default() };
    let again = start(config, &house.folder, &house.clock, &Registry::default());
    let reply = again.ask(std::sync::Arc::new(to(&["a"], "x")), house.within(PATIENCE)).wait();
    assert_eq!(reply.answer, Err(Silence::SwitchedOff));
}
