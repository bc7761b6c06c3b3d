//! Never late: deadlines, late answers, hedges, those who share a call, and what is learned from all that.

use std::sync::mpsc;
use std::time::Duration;

use faulty_provider::{Behaviour, Conduct, Latency, Manner};

use super::house::{House, PATIENCE, to};
use crate::agents::{Silence, Source};
use crate::gateway::{Chance, HedgeConfig, ProbingConfig};

const MS: Duration = Duration::from_millis(1);

fn hangs() -> Behaviour {
    Conduct::of(Manner::Hangs).into()
}

/// No probes, so that what is learned is seen.
fn no_probes() -> ProbingConfig {
    ProbingConfig { every: PATIENCE, share: Chance::NONE, ..ProbingConfig::default() }
}

#[test]
fn a_provider_that_hangs_makes_nobody_late() {
    let manners =
        [Manner::Hangs, Manner::HangsAfterHeaders, Manner::HangsInBody, Manner::Trickles { bytes: 1, every: 20 * MS }];
    for manner in manners {
        let house = House::with([Conduct::of(manner.clone()).into()], |config| {
            config.providers[0].linger = 50 * MS;
        });
        let reply = house.pending(to(&["a"], "x"), 100 * MS).wait();
        assert_eq!(reply.answer, Err(Silence::Late), "{manner:?}");
        assert_eq!((reply.call.target.as_deref(), reply.call.requests), (Some("a/m"), 1));
        assert!(reply.call.cost > crate::domain::Money::ZERO, "what is not known counts in full");
        assert!(house.providers[0].wait(|counts| counts.closed_early == 1, PATIENCE), "{manner:?}: it is let go");
    }
}

#[test]
fn a_late_answer_is_heard_and_not_acted_on() {
    let house = House::new([Conduct::after(300 * MS).into()]);
    let (hear, heard) = mpsc::channel();
    let pending = house.pending(to(&["a"], "x"), 50 * MS);
    pending.hear_late(move |late| hear.send(late).unwrap());
    assert_eq!(pending.wait().answer, Err(Silence::Late));
    let late = heard.recv_timeout(PATIENCE).unwrap();
    assert!(late.reply.answer.is_ok());
    assert!(late.reply.call.took >= 300 * MS);
    assert_eq!(house.number(r#"forthwith_gateway_late_answers_total{model="m",provider="a"}"#), 1.0);
}

#[test]
fn a_late_answer_may_be_asked_for_after_the_reply_whether_it_has_come_or_not() {
    for has_come in [false, true] {
        let house = House::new([Conduct::after(150 * MS).into()]);
        let (hear, heard) = mpsc::channel();
        let mut pending = house.pending(to(&["a"], "x"), 20 * MS);
        let reply = pending.wait_mut();
        assert_eq!(reply.answer, Err(Silence::Late));
        if has_come {
            let series = r#"forthwith_gateway_late_answers_total{model="m",provider="a"}"#;
            while house.number(series) < 1.0 || house.number("forthwith_gateway_calls") > 0.0 {
                std::thread::yield_now();
            }
        }
        pending.hear_late(move |late| hear.send(late).unwrap());
        drop(pending);
        assert!(heard.recv_timeout(PATIENCE).unwrap().reply.answer.is_ok());
    }
}

#[test]
fn who_is_in_time_does_not_wait_for_those_who_hear_late_answers() {
    let house = House::new([Conduct::after(200 * MS).into()]);
    let early = house.pending(to(&["a"], "x"), 20 * MS);
    let (served, is_served) = mpsc::channel();
    let (hear, heard) = mpsc::channel();
    // It hears the answer, and goes on only when the other has it too; or not at all.
    early.hear_late(move |_| hear.send(is_served.recv_timeout(5_000 * MS)).unwrap());
    let patient = house.pending(to(&["a"], "x"), PATIENCE);
    assert_eq!(early.wait().answer, Err(Silence::Late));
    assert_eq!(patient.wait().call.source, Source::Shared);
    served.send(()).unwrap_or_default();
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), Ok(()));
}

#[test]
fn what_never_came_is_not_heard_of() {
    let house = House::with([hangs()], |config| config.providers[0].linger = 20 * MS);
    let (hear, heard) = mpsc::channel::<crate::gateway::LateReply>();
    let pending = house.pending(to(&["a"], "x"), 20 * MS);
    pending.hear_late(move |late| hear.send(late).unwrap());
    assert_eq!(pending.wait().answer, Err(Silence::Late));
    assert!(heard.recv().is_err());
}

#[test]
fn whoever_hears_late_replies_may_leave_early() {
    let house = House::new([Conduct::after(100 * MS).into()]);
    let (hear, heard) = mpsc::channel();
    let pending = house.pending(to(&["a"], "x"), PATIENCE);
    pending.hear_late(move |late| hear.send(late).unwrap());
    drop(pending);
    assert!(heard.recv_timeout(PATIENCE).unwrap().reply.answer.is_ok());
}

#[test]
fn nobody_hears_twice_or_of_what_came_in_time() {
    let house = House::new([Behaviour::default()]);
    let (hear, heard) = mpsc::channel();
    let pending = house.pending(to(&["a"], "x"), PATIENCE);
    pending.hear_late(move |late| hear.send(late).unwrap());
    assert!(pending.wait().answer.is_ok());
    assert!(heard.recv().is_err(), "the one who would have heard is gone");
}

#[test]
fn nobody_is_held_back_by_a_call_that_goes_on_for_nobody() {
    let house = House::with([Behaviour::default()], |config| {
        config.providers[0].linger = PATIENCE;
        config.providers[0].hedge = HedgeConfig { share: Chance::NONE, ..HedgeConfig::default() };
    });
    for nth in 0..20 {
        assert!(house.ask(to(&["a"], &format!("{nth}"))).answer.is_ok());
    }
    house.providers[0].set([Conduct::of(Manner::Hangs), Conduct::default()]);
    assert_eq!(house.pending(to(&["a"], "x"), 300 * MS).wait().answer, Err(Silence::Late));
    let reply = house.ask(to(&["a"], "x"));
    assert_eq!((reply.answer.is_ok(), reply.call.source), (true, Source::Model));
    // The first goes on, and is still somebody's to look after.
    assert_eq!(house.number("forthwith_gateway_calls"), 1.0);
    house.gateway.stop();
    assert!(house.providers[0].wait(|counts| counts.closed_early == 1, PATIENCE));
}

#[test]
fn a_question_that_is_taken_back_closes_its_stream() {
    let house = House::new([hangs()]);
    let pending = house.pending(to(&["a"], "x"), PATIENCE);
    assert!(house.providers[0].wait(|counts| counts.under_way == 1, PATIENCE));
    drop(pending);
    assert!(house.providers[0].wait(|counts| counts.closed_early == 1, PATIENCE));
    assert_eq!(house.number(r#"forthwith_gateway_questions_total{reply="taken_back"}"#), 1.0);
}

#[test]
fn a_gateway_that_is_busy_makes_nobody_late() {
    let house = House::new([Conduct::after(100 * MS).into()]);
    let (block, blocked) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let pending = house.pending(to(&["a"], "first"), 20 * MS);
    pending.hear_late(move |_| {
        begin.send(()).unwrap();
        // The gateway's thread waits here; nobody should do so.
        let _ = blocked.recv();
    });
    assert_eq!(pending.wait().answer, Err(Silence::Late));
    begun.recv_timeout(PATIENCE).unwrap();
    let reply = house.pending(to(&["a"], "second"), 200 * MS).wait();
    assert_eq!(reply.answer, Err(Silence::Late), "the reply came while the thread was held");
    drop(block);
}

#[test]
fn what_hangs_is_learnt_and_no_longer_asked() {
    let house = House::with([hangs()], |config| {
        config.providers[0].linger = MS;
        config.providers[0].probing = no_probes();
    });
    let replies: Vec<_> = (0..12).map(|nth| house.pending(to(&["a"], &format!("{nth}")), 30 * MS).wait()).collect();
    assert_eq!(replies[0].answer, Err(Silence::Late));
    let last = replies.last().unwrap();
    assert_eq!((last.answer.clone(), last.call.requests), (Err(Silence::WouldBeLate), 0));
    assert!(house.number(r#"forthwith_gateway_skipped_total{model="m",provider="a",reason="would_be_late"}"#) >= 1.0);
}

#[test]
fn equal_questions_share_one_request() {
    let house = House::new([Conduct::after(200 * MS).into()]);
    let waiting: Vec<_> = (0..50).map(|_| house.pending(to(&["a"], "same"), PATIENCE)).collect();
    let replies: Vec<_> = waiting.into_iter().map(crate::gateway::Pending::wait).collect();
    assert_eq!(house.providers[0].counts().requests, 1);
    assert!(replies.iter().all(|reply| reply.answer == replies[0].answer && reply.answer.is_ok()));
    let sources = |source| replies.iter().filter(|reply| reply.call.source == source).count();
    assert_eq!((sources(Source::Model), sources(Source::Shared)), (1, 49));
    let paid: Vec<_> = replies.iter().filter(|reply| reply.call.cost > crate::domain::Money::ZERO).collect();
    assert_eq!(paid.len(), 1, "the cost is told once");
}

#[test]
fn each_who_shares_a_call_has_a_deadline_of_its_own() {
    let house = House::new([Conduct::after(300 * MS).into()]);
    let hurried = house.pending(to(&["a"], "same"), 50 * MS);
    let patient = house.pending(to(&["a"], "same"), PATIENCE);
    assert_eq!(hurried.wait().answer, Err(Silence::Late));
    let reply = patient.wait();
    assert_eq!((reply.answer.is_ok(), reply.call.source), (true, Source::Shared));
    assert_eq!(house.providers[0].counts().requests, 1);
    assert_eq!(house.number(r#"forthwith_gateway_late_answers_total{model="m",provider="a"}"#), 0.0);
}

#[test]
fn one_who_leaves_takes_nothing_from_those_who_share() {
    let house = House::new([Conduct::after(200 * MS).into()]);
    let first = house.pending(to(&["a"], "same"), PATIENCE);
    let second = house.pending(to(&["a"], "same"), PATIENCE);
    drop(first);
    assert!(second.wait().answer.is_ok());
    assert_eq!(house.providers[0].counts().requests, 1);
}

/// A slow request after many quick ones: a second is sent beside it.
fn hedged(targets: &[&str], house: &House) {
    for nth in 0..40 {
        for target in targets {
            assert!(house.ask(to(&[*target], &format!("{nth}"))).answer.is_ok());
        }
    }
    let target = targets.last().unwrap();
    let won = format!(r#"forthwith_gateway_hedges_total{{hedge="won",model="m",provider="{target}"}}"#);
    let cancelled = r#"forthwith_gateway_requests_total{ending="cancelled",model="m",provider="a"}"#;
    let before = [&*won, cancelled].map(|series| house.number(series));
    let closed_before = house.providers[0].counts().closed_early;
    house.providers[0].set([Conduct::of(Manner::Hangs), Conduct::default()]);
    let reply = house.pending(to(targets, "slow"), PATIENCE).wait();
    assert!(reply.answer.is_ok(), "{reply:?}\n{}", house.registry.render());
    assert_eq!((reply.call.requests, reply.call.hedges), (2, 1));
    let is_cancelled = house.providers[0].wait(|counts| counts.closed_early == closed_before + 1, PATIENCE);
    assert!(is_cancelled, "the loser is cancelled");
    assert_eq!([&*won, cancelled].map(|series| house.number(series)), before.map(|before| before + 1.0));
    assert!(reply.call.cost > house.ask(to(&[*target], "one")).call.cost, "the loser counts in full");
}

fn hedges_freely(config: &mut crate::gateway::Config) {
    for provider in &mut config.providers {
        provider.timeout = PATIENCE;
        provider.hedge = HedgeConfig { share: Chance::CERTAIN, ..HedgeConfig::default() };
    }
}

#[test]
fn a_second_request_beside_a_slow_one_wins() {
    hedged(&["a"], &House::with([Behaviour::default()], hedges_freely));
}

#[test]
fn a_second_request_goes_to_the_next_provider() {
    hedged(&["a", "b"], &House::with([Behaviour::default(), Behaviour::default()], hedges_freely));
}

#[test]
fn hedges_are_a_share_of_the_calls() {
    let slow = Latency::Bimodal { fast: 2 * MS, slow: 60 * MS, slow_milli: 300, seed: 3 };
    let house = House::with([Conduct::default().latency(slow).into()], |config| {
        config.providers[0].hedge = HedgeConfig { share: Chance::from_milli(50), ..HedgeConfig::default() };
    });
    for nth in 0..100 {
        assert!(house.ask(to(&["a"], &format!("{nth}"))).answer.is_ok());
    }
    let hedges = house.number(r#"forthwith_gateway_hedges_total{hedge="sent",model="m",provider="a"}"#);
    assert!(hedges <= 5.0, "{hedges} of 100");
}

#[test]
fn stopping_tells_everybody_who_waits() {
    let house = House::new([hangs()]);
    let waiting: Vec<_> = (0..5).map(|nth| house.pending(to(&["a"], &format!("{nth}")), PATIENCE)).collect();
    assert!(house.providers[0].wait(|counts| counts.under_way == 5, PATIENCE));
    house.gateway.stop();
    for pending in waiting {
        assert_eq!(pending.wait().answer, Err(Silence::Failed));
    }
    assert!(house.providers[0].wait(|counts| counts.closed_early == 5, PATIENCE));
    assert_eq!(house.ask(to(&["a"], "later")).answer, Err(Silence::Failed));
    house.gateway.stop();
}

#[test]
fn no_more_requests_are_under_way_than_may_be() {
    let house = House::with([Conduct::after(100 * MS).into()], |config| {
        let limit = &mut config.providers[0].limit;
        (limit.min, limit.max, limit.initial) = (3, 3, 3);
    });
    let waiting: Vec<_> = (0..20).map(|nth| house.pending(to(&["a"], &format!("{nth}")), PATIENCE)).collect();
    let replies: Vec<_> = waiting.into_iter().map(crate::gateway::Pending::wait).collect();
    let shed = replies.iter().filter(|reply| reply.answer == Err(Silence::Shed)).count();
    assert_eq!((house.providers[0].counts().under_way_max, shed), (3, 17));
}
