//! Tests of questions: only what may be seen is in them, the same values give the same bytes, and what customers write changes
//! nothing but what stands in their own marks.

use proptest::prelude::*;

use super::{QuestionFor, Seen, Sight, question};
use crate::agents::injection_tests::injections;
use crate::agents::{AnswerField, Question, Role, Sharing};
use crate::bundle::agent_tests::{AGENT, USE, files, with_agents};
use crate::bundle::{Bundle, ContextSource};
use crate::context::TypedEvent;
use crate::domain::{Event, Raw, Timestamp, Unavailable, Value};

const MADE_FOR: QuestionFor = QuestionFor { decision: 7, customer: 42, bundle: [9; 32] };

fn event(bundle: &Bundle, attributes: Vec<(&str, Raw)>) -> TypedEvent {
    let mut event = Event::new("t-1", "helpdesk", "ticket.created", "customer-42").with("channel", "email");
    for (name, value) in attributes {
        event = event.with(name, value);
    }
    bundle.layout().accept(event).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// Everything that a playbook looks at, with a value of its type.
fn seen(bundle: &Bundle) -> Vec<Seen> {
    let value = |source: &ContextSource| match source {
        ContextSource::Fact(number) => match &*bundle.layout().facts()[*number].field.name {
            "plan" => Value::Symbol(1),
            "since" => Value::Time("2019-03-01T00:00:00Z".parse().unwrap()),
            "taste" => Value::Text("TASTE".into()),
            other => panic!("the fact {other}"),
        },
        ContextSource::Signal(_) | ContextSource::Decisions => Value::Int(3),
        ContextSource::LastDecided => Value::Time(Timestamp::from_micros(0)),
    };
    bundle.playbooks()[0].sights.iter().map(|source| Ok(value(source))).collect()
}

fn cards() -> Vec<Option<Vec<Value>>> {
    vec![Some(vec![Value::Symbol(1), Value::Symbol(0)])]
}

fn asked(bundle: &Bundle, event: &TypedEvent, seen: &[Seen]) -> Question {
    let playbook = &bundle.playbooks()[0];
    let sight = Sight::new(playbook, event, Timestamp::from_micros(0), seen).unwrap();
    question(playbook, &playbook.agents[0], &sight, &cards(), MADE_FOR)
}

fn shown(question: &Question) -> String {
    let message = |message: &crate::agents::Message| format!("[{}]\n{}\n", message.role.as_str(), message.text);
    question.messages.iter().map(message).collect()
}

fn everything() -> Vec<(&'static str, Raw)> {
    vec![
        ("subject", "Card stuck".into()),
        ("body", "The <machine> kept it.\nHelp!".into()),
        ("amount", Raw::Float(20.5)),
        ("labels", Raw::List(vec!["vip".into(), "</data>".into()])),
        ("secret", "SECRET".into()),
    ]
}

#[test]
fn a_question_holds_what_the_purpose_may_see_and_nothing_else() {
    let bundle = with_agents(USE);
    let question = asked(&bundle, &event(&bundle, everything()), &seen(&bundle));
    let text = shown(&question);
    assert!(!text.contains("SECRET") && !text.contains("TASTE") && !text.contains("They like"), "{text}");
    insta::assert_snapshot!(text);
    assert_eq!((&*question.agent, &*question.playbook, question.spread), ("router@1", "routing", 7));
    assert_eq!((question.targets.len(), question.answer_tokens, question.temperature_milli), (2, 64, 200));
    assert_eq!(question.budgets.len(), 2);
    assert_eq!(question.sharing, Sharing::Customer(42));
    let [AnswerField { field, choices }] = question.format.fields() else { panic!("one field") };
    assert_eq!((&*field.name, choices.as_deref()), ("queue", Some(&[Value::Symbol(1), Value::Symbol(0)][..])));
}

#[test]
fn what_is_not_known_and_what_is_withheld_are_absent_alike() {
    let bundle = with_agents(USE);
    let event = event(&bundle, vec![("body", "My card.".into())]);
    let known = seen(&bundle);
    let of = |reason| asked(&bundle, &event, &vec![Err(reason); known.len()]);
    let absent = of(Unavailable::Unknown);
    for reason in [Unavailable::Withheld, Unavailable::Stale, Unavailable::Expired, Unavailable::Warming] {
        assert_eq!(of(reason), absent, "why something is absent is not told");
    }
    let last = &absent.messages.last().unwrap().text;
    assert!(!last.contains("Plan") && !last.contains("tickets") && !last.contains("Money"), "{last}");
    // A customer who has not consented: not even the event is seen.
    let playbook = &bundle.playbooks()[0];
    let withheld = Sight::withheld(playbook);
    let sight = Sight::new(playbook, &event, Timestamp::from_micros(0), &withheld).unwrap().withholding();
    let question = question(playbook, &playbook.agents[0], &sight, &cards(), MADE_FOR);
    assert_eq!(
        &*question.messages.last().unwrap().text,
        "Choose among these alone:\n- \"queue\": \"cards\", \"general\"\n\n"
    );
}

#[test]
fn answers_that_are_shared_belong_to_no_customer() {
    let mut sources = files(USE);
    let (from, to) = (AGENT.find("prompt  ").unwrap(), AGENT.find("[budget]").unwrap());
    let inputs = "[inputs]\nchannel = { from = \"event.channel\", personal = false }\n";
    sources.insert("agents/router.toml", format!("{}{inputs}{}share = \"everyone\"\n", &AGENT[..from], &AGENT[to..]));
    let bundle = Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"));
    let question = asked(&bundle, &event(&bundle, everything()), &seen(&bundle));
    assert_eq!(question.sharing, Sharing::Everyone);
    let others = asked(&bundle, &event(&bundle, Vec::new()), &seen(&bundle));
    assert_eq!(others.messages, question.messages, "nothing in it is anybody's own");
}

#[test]
fn injected_orders_change_nothing_but_what_stands_in_their_marks() {
    let bundle = with_agents(USE);
    let seen = seen(&bundle);
    let plain = asked(&bundle, &event(&bundle, everything()), &seen);
    for injection in injections() {
        // What an event may hold at all.
        if injection.len() > 60_000 {
            continue;
        }
        let mut attributes = everything();
        attributes[0].1 = injection.as_str().into();
        attributes[1].1 = injection.as_str().into();
        attributes[3].1 = Raw::List(vec![injection.as_str().into()]);
        let question = asked(&bundle, &event(&bundle, attributes), &seen);
        let (last, others) = question.messages.split_last().unwrap();
        assert_eq!(others, &plain.messages[..plain.messages.len() - 1], "{injection}");
        assert_eq!(last.role, Role::User);
        let marks = |mark: &str| last.text.matches(mark).count();
        assert_eq!((marks("<data "), marks("</data "), marks("<")), (3, 3, 6), "{}", last.text);
        assert!(last.text.starts_with("Choose among these alone:\n- \"queue\": \"cards\", \"general\"\n\n"));
        assert_eq!(
            (&question.format, &question.targets, &question.budgets),
            (&plain.format, &plain.targets, &plain.budgets)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_same_values_give_the_same_question_and_it_keeps_within_its_tokens(
        subject in any::<String>(), body in "[a-z <>\n]{0,9000}", is_known in any::<bool>(),
    ) {
        let bundle = with_agents(USE);
        let event = event(&bundle, vec![("subject", subject.as_str().into()), ("body", body.as_str().into())]);
        let mut seen = seen(&bundle);
        if !is_known {
            seen.iter_mut().for_each(|seen| *seen = Err(Unavailable::Unknown));
        }
        let question = asked(&bundle, &event, &seen);
        prop_assert_eq!(&question, &asked(&with_agents(USE), &event, &seen));
        let bytes: usize = question.messages.iter().map(|message| message.text.len()).sum();
        prop_assert!(bytes <= 3 * bundle.playbooks()[0].agents[0].prompt.tokens_max());
    }
}
