//! Stories of turns in which agents have their say.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::Story;
use super::*;
use crate::agents::{Answer, Call, Question, Reply, Sharing, Silence, Source};
use crate::bundle::agent_tests::{CONTEXT, USE, files, with_agents};
use crate::bundle::{Bundle, CONTEXT_FILE};
use crate::decider::{AgentReply, AgentWord};
use crate::domain::{CustomerId, Event, Money, Timestamp, Value};

fn ticket(id: &str, customer: &str, subject: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", customer).with("channel", "chat").with("subject", subject)
}

/// A story whose playbook needs the customer's consent.
fn consenting() -> Story {
    let mut sources = files(USE);
    sources.insert(
        CONTEXT_FILE,
        CONTEXT.replace("service   = { needs_consent = false }", "service   = { needs_consent = true }"),
    );
    Story::with(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")))
}

fn input(story: &Story, event: Event) -> Input {
    let event = story.bundle.layout().accept(event).unwrap();
    Input::Event(EventInput { event, run: Run::Playbook(0), trace: None })
}

/// Readings in which every agent can be asked and these have replied.
fn readings(story: &Story, replies: Vec<AgentReply>, is_last: bool) -> Readings {
    let served = Arc::new(Served::by(&story.bundle, |_| true));
    let models = ModelReadings::Live { slow: Vec::new(), replies, served, is_last };
    Readings { models, ..Readings::at(story.now) }
}

/// What is asked; nothing if nobody is.
fn asked(story: &mut Story, event: Event) -> Option<Arc<Question>> {
    let (input, readings) = (input(story, event), readings(story, Vec::new(), false));
    match story.take_with(&input, &readings) {
        Taken::Asks(wanted) => match &wanted[..] {
            [Wanted::Agent { question, .. }] => Some(Arc::clone(question)),
            other => panic!("{other:?}"),
        },
        _ => None,
    }
}

fn consent(story: &mut Story, customer: &str, is_given: bool, at: Timestamp) {
    let input = ConsentsInput {
        customer: CustomerId::new(customer).unwrap(),
        source: "app".into(),
        observed_at: at,
        consents: vec![(story.bundle.layout().purpose_number("service").unwrap(), is_given)],
    };
    let readings = Readings::at(story.now);
    story.take_with(&Input::Consents(input), &readings);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What was answered for one customer is never given to another, nor to the same under other consents.
    #[test]
    fn a_kept_answer_crosses_no_customer_and_no_consent(
        customers in prop::array::uniform2("[a-c]{1,2}"),
        given_at in prop::array::uniform2(1_i64..4),
        is_given in prop::array::uniform2(any::<bool>()),
    ) {
        let sharing = |nth: usize| {
            let mut story = consenting();
            let at = Timestamp::from_micros(story.now.micros() - given_at[nth] * 1_000_000);
            consent(&mut story, &customers[nth], is_given[nth], at);
            asked(&mut story, ticket("1", &customers[nth], "the same words")).map(|question| question.sharing)
        };
        let both = [sharing(0), sharing(1)];
        for (sharing, is_given) in both.iter().zip(is_given) {
            prop_assert_eq!(sharing.is_some(), is_given, "without consent nobody is asked");
        }
        if let [Some(Sharing::Customer(first)), Some(Sharing::Customer(second))] = both {
            let is_same = customers[0] == customers[1] && given_at[0] == given_at[1];
            prop_assert_eq!(first == second, is_same);
        }
    }

    /// Whatever a model replies, the record tells the same decision again, and nothing is decided that the permit does not open.
    #[test]
    fn a_decision_with_an_agent_is_made_again_from_its_record(
        subject in prop::sample::select(vec!["my card", "urgent"]),
        is_free in any::<bool>(),
        queue in 0_u16..4,
        silence in prop::option::of(prop::sample::select(Silence::ALL.to_vec())),
        source in 0_u8..4,
        (requests, cost) in (0_u8..4, 0_i64..1_000_000),
        reason in prop::option::of("\\PC{0,20}"),
    ) {
        let mut story = Story::with(with_agents(USE));
        if is_free {
            let plan = story.bundle.layout().facts().iter().position(|fact| &*fact.field.name == "plan").unwrap();
            let facts = FactsInput {
                customer: CustomerId::new("c-1").unwrap(),
                source: "crm".into(),
                observed_at: story.now,
                facts: vec![(plan, Some(Value::Symbol(0)))],
            };
            let readings = Readings::at(story.now);
            story.take_with(&Input::Facts(facts), &readings);
        }
        let call = Call {
            target: (requests > 0).then(|| "openai/small".into()),
            source: Source::from_code(source).unwrap(),
            requests,
            hedges: requests / 2,
            prompt_tokens: 100,
            answer_tokens: 9,
            cost: Money::from_nanos(cost),
            took: Duration::from_micros(1_234),
        };
        let answer = Answer { values: [Value::Symbol(queue)].into(), reason: reason.map(String::into_boxed_str) };
        let reply = Reply { answer: silence.map_or(Ok(answer), Err), call };
        let replies = vec![AgentReply { playbook: 0, agent: 0, reply }];
        let (input, readings) = (input(&story, ticket("1", "c-1", subject)), readings(&story, replies, false));
        let Taken::Turn(turn) = story.take_with(&input, &readings) else { panic!("no turn") };
        let made = &turn.decisions[0];
        let (record, bundle) = story.read_last();
        prop_assert_eq!(&record.remake(&record.decisions[0], &bundle).unwrap(), made);
        prop_assert_eq!(made.decided.agents[0].call.cost, Money::from_nanos(cost), "what was paid is told");

        let word = made.decided.agents[0].word(&story.bundle.playbooks()[0].agents[0]);
        // general, cards, billing, incident: the guardrail lets the last never out, a free plan permits billing alone.
        let is_permitted = match (subject, is_free) {
            ("urgent", false) => None,
            (_, true) => Some(queue == 2),
            _ => Some(queue < 3),
        };
        let expected = match (is_permitted, silence) {
            (None, _) => AgentWord::Unneeded,
            (Some(_), Some(silence)) => AgentWord::Silent(silence),
            (Some(true), None) => AgentWord::Accepted,
            (Some(false), None) => AgentWord::NotPermitted,
        };
        prop_assert_eq!(word, expected);
        prop_assert_eq!(made.decided.agent.is_some(), expected == AgentWord::Accepted);
    }
}

#[test]
fn an_agent_to_which_nothing_can_be_given_is_not_asked() {
    let mut sources = files(USE);
    let agent = sources.get("agents/router.toml").unwrap();
    let (head, _) = agent.split_once("prompt         =").unwrap();
    let agent = format!(
        "{head}prompt = \"{{{{subject}}}}\"\n[inputs]\nsubject = {{ from = \"event.subject\" }}\n[budget]\nper_day = 1\n"
    );
    sources.insert("agents/router.toml", agent);
    let mut story = Story::with(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")));
    let silent = Event::new("1", "helpdesk", "ticket.created", "c-1").with("channel", "chat");
    let (input, readings) = (input(&story, silent), readings(&story, Vec::new(), false));
    let Taken::Turn(turn) = story.take_with(&input, &readings) else { panic!("somebody is asked") };
    let decided = &turn.decisions[0].decided;
    assert_eq!(decided.fallback, Some(crate::domain::FallbackReason::InputUnavailable));
    let (record, bundle) = story.read_last();
    assert_eq!(&record.remake(&record.decisions[0], &bundle).unwrap(), &turn.decisions[0]);
}
