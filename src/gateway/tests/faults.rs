//! Whatever a provider does, the question has a reply, and the next provider a chance.

use faulty_provider::{Behaviour, Conduct, Content, KeepAlive, Manner, Says, Usage};

use super::house::{House, PATIENCE, to};
use crate::agents::{Reply, Silence, Source};
use crate::domain::Value;
use crate::gateway::{BreakerConfig, Provider};

fn good() -> Behaviour {
    Behaviour::default()
}

fn body(bytes: &[u8]) -> Conduct {
    let says = Says::Body { status: 200, content_type: "text/html".to_owned(), bytes: bytes.to_vec() };
    Conduct { says, ..Conduct::default() }
}

#[test]
fn answers_with_what_the_model_chose_and_what_it_cost() {
    let usage = Usage::Fixed { prompt: 900, answer: 100 };
    let house = House::new([Conduct::saying(Content::Permitted).usage(usage).into()]);
    let Reply { answer, call } = house.ask(to(&["a"], "Where is my card?"));
    assert!(matches!(*answer.unwrap().values, [Value::Symbol(0..=2)]));
    assert_eq!((call.target.as_deref(), call.source, call.requests, call.hedges), (Some("a/m"), Source::Model, 1, 0));
    assert_eq!((call.prompt_tokens, call.answer_tokens, call.cost.to_string()), (900, 100, "0.001".to_owned()));
    let seen = &house.providers[0].requests()[0];
    let header = |name: &str| seen.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(header("authorization"), Some("Bearer sk-a"));
    assert_eq!(header("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!((body["model"].as_str(), body["max_tokens"].as_u64()), (Some("m-2026"), Some(64)));
    assert_eq!(house.number(r#"forthwith_gateway_requests_total{ending="answered",model="m",provider="a"}"#), 1.0);
    assert_eq!(house.number(r#"forthwith_gateway_tokens_total{kind="prompt",model="m",provider="a"}"#), 900.0);
    assert_eq!(house.number(r#"forthwith_gateway_cost_total{model="m",provider="a"}"#), 0.001);
    assert!(!format!("{:?}{}", house.gateway, house.registry.render()).contains("sk-a"), "no key is shown");
}

#[test]
fn every_fault_is_fallen_back_from() {
    let manner = Conduct::of;
    let saying = Conduct::saying;
    let faults = [
        ("a server's error", Conduct::error(500), "server_error"),
        ("a gateway's error", Conduct::error(502), "server_error"),
        ("overload", Conduct::error(503), "server_error"),
        ("a gateway's timeout", Conduct::error(504), "server_error"),
        ("too many requests", Conduct::error(429), "rate_limited"),
        ("too many requests, for an hour", Conduct::rate_limited("3600"), "rate_limited"),
        ("a wrong key", Conduct::error(401), "unauthorised"),
        ("a key without rights", Conduct::error(403), "unauthorised"),
        ("no such model", Conduct::error(404), "not_found"),
        ("a reset", manner(Manner::ResetsBefore), "broken"),
        ("a reset after the headers", manner(Manner::ResetsAfterHeaders), "broken"),
        ("a reset within the body", manner(Manner::ResetsInBody), "broken"),
        ("an end without a byte", manner(Manner::ClosesBefore), "broken"),
        ("an end within the body", manner(Manner::ClosesInBody), "broken"),
        ("a body without an end", manner(Manner::Endless), "overlong"),
        ("a huge answer", saying(Content::Huge(1 << 20)), "overlong"),
        ("a form that was not asked for", saying(Content::WrongForm), "misfit"),
        ("a choice that was not offered", saying(Content::NotPermitted), "misfit"),
        ("a schema that was dropped", saying(Content::FreeText), "misfit"),
        ("an answer that was cut off", saying(Content::Truncated), "cut_off"),
        ("a refusal", saying(Content::Refusal), "refused_to_say"),
        ("no content", saying(Content::Null), "empty"),
        ("no choices", saying(Content::NoChoices), "empty"),
        ("bytes that are no text", saying(Content::InvalidUtf8), "malformed"),
        ("a page", body(b"<html>It works!</html>"), "malformed"),
    ];
    for (what, fault, ending) in faults {
        let house = House::new([fault.into(), good()]);
        let reply = house.ask(to(&["a", "b"], what));
        assert!(reply.answer.is_ok(), "{what}: {reply:?}");
        assert_eq!((reply.call.target.as_deref(), reply.call.requests), (Some("b/m"), 2), "{what}");
        let series = format!(r#"forthwith_gateway_requests_total{{ending="{ending}",model="m",provider="a"}}"#);
        assert_eq!(house.number(&series), 1.0, "{what}: {}", house.registry.render());
    }
}

#[test]
fn a_provider_that_is_not_there_is_fallen_back_from() {
    let house = House::with([good(), good()], |config| {
        // A port that was free a moment ago, and is again.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        config.providers[0].base_url = format!("http://127.0.0.1:{port}/v1");
    });
    let reply = house.ask(to(&["a", "b"], "x"));
    assert_eq!((reply.call.target.as_deref(), reply.answer.is_ok()), (Some("b/m"), true));
    assert_eq!(house.number(r#"forthwith_gateway_requests_total{ending="unconnected",model="m",provider="a"}"#), 1.0);
    assert_eq!(reply.call.requests, 2);
}

#[test]
fn what_one_refuses_another_may_take_and_it_is_not_held_against_the_provider() {
    for status in [400, 413, 422] {
        let house = House::new([Conduct::error(status).into(), good()]);
        for nth in 0..30 {
            let reply = house.ask(to(&["a", "b"], &format!("{nth}")));
            assert_eq!((reply.answer.is_ok(), reply.call.target.as_deref()), (true, Some("b/m")), "{status}");
        }
        assert!(house.providers[0].counts().requests >= 30, "it is asked first each time");
        assert_eq!(house.number(r#"forthwith_gateway_breaker_state{provider="a"}"#), 0.0);
    }
    // Where there is nobody else, the same is not asked again.
    let house = House::new([Conduct::error(400).into()]);
    let reply = house.ask(to(&["a"], "x"));
    assert_eq!((reply.answer, reply.call.requests), (Err(Silence::Failed), 1));
}

#[test]
fn answers_amid_other_words_are_read() {
    for content in [Content::Fenced, Content::Prose] {
        let house = House::new([Conduct::saying(content).into()]);
        assert!(house.ask(to(&["a"], "x")).answer.is_ok());
    }
    let house = House::new([Conduct::of(Manner::Chunked(7)).into()]);
    assert!(house.ask(to(&["a"], "x")).answer.is_ok());
}

#[test]
fn a_passing_fault_is_tried_again_where_there_is_nobody_else() {
    for fault in [Conduct::error(500), Conduct::of(Manner::ResetsBefore), Conduct::error(429)] {
        let house = House::new([[fault, Conduct::default()].into()]);
        let reply = house.ask(to(&["a"], "x"));
        assert_eq!((reply.answer.is_ok(), reply.call.requests), (true, 2));
        assert_eq!(house.number(r#"forthwith_gateway_retries_total{model="m",provider="a"}"#), 1.0);
    }
}

#[test]
fn retries_are_bounded_per_question_and_by_their_share() {
    let house = House::with([Conduct::error(500).into()], |config| {
        // So that the breaker has no part in it.
        config.providers[0].breaker = BreakerConfig { calls_min: 1_000_000, ..BreakerConfig::default() };
    });
    let first = house.ask(to(&["a"], "first"));
    assert_eq!((first.answer, first.call.requests), (Err(Silence::Failed), 4));
    for nth in 0..50 {
        house.ask(to(&["a"], &format!("{nth}")));
    }
    // Ten were saved up, and each of the 51 questions earned a tenth.
    let retries = house.number(r#"forthwith_gateway_retries_total{model="m",provider="a"}"#);
    assert!((10.0..=16.0).contains(&retries), "{retries}");
}

#[test]
fn a_provider_that_says_when_to_come_again_is_taken_at_its_word() {
    let house = House::new([[Conduct::rate_limited("1"), Conduct::default()].into()]);
    let reply = house.ask(to(&["a"], "x"));
    assert_eq!((reply.answer.is_ok(), reply.call.requests), (true, 2));
    let at: Vec<_> = house.providers[0].requests().iter().map(|seen| seen.at).collect();
    assert!(at[1] - at[0] >= std::time::Duration::from_secs(1));

    let house = House::new([Conduct::rate_limited("30").into()]);
    let reply = house.pending(to(&["a"], "x"), std::time::Duration::from_secs(20)).wait();
    assert_eq!((reply.answer, reply.call.requests), (Err(Silence::RateLimited), 1), "it would be too late");
    let reply = house.ask(to(&["a"], "y"));
    assert_eq!((reply.answer, reply.call.requests), (Err(Silence::RateLimited), 0), "nobody else asks until then");
}

#[test]
fn a_kept_connection_that_turns_out_to_be_closed_is_no_failure() {
    let conduct = Conduct::of(Manner::ClosesIfReused);
    let house = House::new([conduct.into()]);
    for nth in 0..5 {
        let reply = house.ask(to(&["a"], &format!("{nth}")));
        assert_eq!((reply.answer.is_ok(), reply.call.requests), (true, 1), "{nth}");
    }
    // What takes the place of a closed connection is not kept, so the request after it begins with a new one.
    assert_eq!(house.number(r#"forthwith_gateway_stale_connections_total{provider="a"}"#), 2.0);
    assert_eq!(house.number(r#"forthwith_gateway_requests_total{ending="broken",model="m",provider="a"}"#), 0.0);
    assert_eq!(house.number(r#"forthwith_gateway_retries_total{model="m",provider="a"}"#), 0.0);
}

#[test]
fn what_breaks_after_a_while_is_not_sent_again_behind_the_budgets_back() {
    let late = Conduct::of(Manner::ResetsBefore);
    let late = Conduct { latency: Conduct::after(std::time::Duration::from_millis(1_500)).latency, ..late };
    let house = House::with([good()], |config| config.requests_per_call_max = 1);
    assert!(house.ask(to(&["a"], "first")).answer.is_ok(), "its connection is kept");
    house.providers[0].set([late, Conduct::default()]);
    let reply = house.ask(to(&["a"], "x"));
    assert_eq!((reply.answer, reply.call.requests), (Err(Silence::Failed), 1));
    assert_eq!(house.providers[0].requests().len(), 2, "the provider has seen no other");
    assert_eq!(house.number(r#"forthwith_gateway_stale_connections_total{provider="a"}"#), 0.0);
    assert_eq!(house.number(r#"forthwith_gateway_requests_total{ending="broken",model="m",provider="a"}"#), 1.0);
    assert!(reply.call.cost > crate::domain::Money::ZERO, "it may have been worked on");
}

#[test]
fn after_a_request_that_was_overdue_the_next_has_a_connection_of_its_own() {
    let slow = || Conduct::after(std::time::Duration::from_millis(100));
    let house = House::new([slow().into()]);
    let both = ["x", "y"].map(|text| house.pending(to(&["a"], text), PATIENCE));
    assert!(both.into_iter().all(|pending| pending.wait().answer.is_ok()));
    assert_eq!(house.providers[0].counts().connections, 2, "and both are kept");
    house.providers[0].set([Conduct::of(Manner::Hangs), Conduct::default()]);
    // It has one of them; the other may be as dead.
    let reply = house.pending(to(&["a"], "z"), std::time::Duration::from_millis(200)).wait();
    assert_eq!(reply.answer, Err(Silence::Late));
    let lingers = || house.number("forthwith_gateway_lingering") > 0.0;
    while !lingers() && house.providers[0].counts().closed_early == 0 {
        std::thread::yield_now();
    }
    assert!(house.ask(to(&["a"], "w")).answer.is_ok());
    assert_eq!(house.providers[0].counts().connections, 3);
}

#[test]
fn connections_are_kept_and_closed_when_the_provider_says_so() {
    let house = House::new([good()]);
    for nth in 0..10 {
        assert!(house.ask(to(&["a"], &format!("{nth}"))).answer.is_ok());
    }
    assert_eq!(house.providers[0].counts().connections, 1);
    let keep_alive = KeepAlive { requests_max: Some(1), ..KeepAlive::default() };
    house.providers[0].set(Conduct::default().keep_alive(keep_alive));
    for nth in 10..20 {
        let Reply { answer, call } = house.ask(to(&["a"], &format!("{nth}")));
        // Twenty calls earn a hedge, and on a busy machine one of them may be slow enough for it.
        assert_eq!((answer.is_ok(), call.requests - call.hedges), (true, 1), "{nth}");
    }
    assert_eq!(house.number(r#"forthwith_gateway_requests_total{ending="broken",model="m",provider="a"}"#), 0.0);
}

#[test]
fn a_provider_that_fails_too_often_is_left_alone_until_it_is_well() {
    let house = House::with([Conduct::error(500).into()], |config| {
        let breaker = &mut config.providers[0].breaker;
        *breaker = BreakerConfig { calls_min: 5, open_for: std::time::Duration::from_millis(50), ..*breaker };
        config.requests_per_call_max = 1;
    });
    let silences: Vec<_> = (0..8).map(|nth| house.ask(to(&["a"], &format!("{nth}"))).answer.unwrap_err()).collect();
    assert_eq!(silences[..5], [Silence::Failed; 5]);
    assert!(silences.contains(&Silence::Down), "{silences:?}");
    assert!(house.number(r#"forthwith_gateway_breaker_openings_total{provider="a"}"#) >= 1.0);
    house.providers[0].set(good());
    // Until a probe is let through; each question is new.
    let is_well = (8..).take(100_000).any(|nth| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        house.ask(to(&["a"], &format!("{nth}"))).answer.is_ok()
    });
    assert!(is_well);
}

#[test]
fn a_page_in_place_of_a_completion_opens_the_breaker_and_teaches_no_time() {
    let house = House::with([body(b"<html>Log in</html>").into()], |config| {
        config.providers[0].breaker = BreakerConfig { calls_min: 5, ..BreakerConfig::default() };
    });
    let silences: Vec<_> = (0..8).map(|nth| house.ask(to(&["a"], &format!("{nth}"))).answer.unwrap_err()).collect();
    assert_eq!(silences[0], Silence::Unusable);
    assert_eq!(silences.last(), Some(&Silence::Down), "{silences:?}");
    let observed = house.number(r#"forthwith_gateway_request_seconds_count{model="m",provider="a"}"#);
    assert_eq!(observed, 0.0, "{}", house.registry.render());
}

#[test]
fn a_request_has_a_time_of_its_own() {
    for manner in [Manner::Hangs, Manner::HangsAfterHeaders, Manner::HangsInBody] {
        let house = House::with([Conduct::of(manner.clone()).into(), good()], |config| {
            config.providers[0].timeout = std::time::Duration::from_millis(100);
        });
        let reply = house.ask(to(&["a", "b"], "x"));
        assert_eq!((reply.call.target.as_deref(), reply.answer.is_ok()), (Some("b/m"), true), "{manner:?}");
        assert!(house.providers[0].wait(|counts| counts.closed_early == 1, PATIENCE), "{manner:?}: it is let go");
        let series = r#"forthwith_gateway_requests_total{ending="timed_out",model="m",provider="a"}"#;
        assert_eq!(house.number(series), 1.0);
    }
}

#[test]
fn a_gateway_without_providers_serves_nobody() {
    let house = House::new([]);
    assert!(!house.gateway.serves(&to(&["a"], "x").targets));
    assert_eq!(house.ask(to(&["a"], "x")).answer, Err(Silence::Failed));
    let house = House::new([good()]);
    assert!(house.gateway.serves(&to(&["z", "a"], "x").targets));
    assert_eq!(house.ask(to(&["z", "a"], "x")).call.target.as_deref(), Some("a/m"));
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    use crate::gateway::{Config, Gateway, StartError};
    use crate::telemetry::Registry;
    use crate::time::{Clock, Timer};
    let refused = |providers: Vec<Provider>| {
        let (folder, clock) = (tempfile::TempDir::new().unwrap(), Clock::system());
        let timer = Timer::start(clock.clone()).unwrap();
        let config = Config { providers, ..Config::default() };
        let started = Gateway::start(config, folder.path(), (clock, timer), &Registry::default());
        match started.unwrap_err() {
            e @ StartError::Provider { .. } => e.to_string(),
            e => panic!("{e}"),
        }
    };
    let sound = super::house::provider("a", "http://127.0.0.1:9/v1");
    insta::assert_snapshot!(refused(vec![Provider { models: Vec::new(), ..sound.clone() }]), @"provider `a`: it has no models");
    insta::assert_snapshot!(refused(vec![sound.clone(), sound.clone()]), @"provider `a`: there are two of this name");
    insta::assert_snapshot!(refused(vec![Provider { name: "a/b".to_owned(), ..sound.clone() }]), @"provider `a/b`: expected a name that is not empty and has no `/`");
    insta::assert_snapshot!(refused(vec![Provider { base_url: "localhost".to_owned(), ..sound }]), @"provider `a`: `base_url` is `localhost`: expected a URL (relative URL without a base), as in `https://api.example.com/v1`");
}
