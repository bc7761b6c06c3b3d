//! How many of the sample tickets go where a support lead would send them: by the rules, by the model, by both.
//!
//! Each ticket is decided once, in the order of the file and as of its own time, with the facts about its customer: what
//! `forthwith decide ticket_routing --input config/samples/tickets.jsonl --facts config/samples/customers.jsonl` does.

use std::collections::{BTreeMap, HashMap};

use forthwith::engine::Config;
use forthwith::{Budget, Engine, Event, Facts, Options, Raw, Tier, Timing};

use crate::engine::Asked;
use crate::tickets::{bundle_with, sample, tickets};

/// Who decides, beside the name that is shown.
const ASKED: [(Asked, &str); 3] = [
    (Asked::Rules, "the shipped rules alone"),
    (Asked::Model, "the model alone"),
    (Asked::RulesAndModel, "the rules, and the model where they permit it and it is sure"),
];

/// What came of all tickets.
#[derive(Default)]
struct Came {
    rightly: u32,
    by_model: u32,
    by_model_rightly: u32,
}

pub(crate) fn run() {
    let (tickets, queues) = (tickets(), queues());
    assert_eq!(tickets.len(), queues.len(), "a label for each ticket");
    println!("\n{} sample tickets, with the facts about their customers, each as of its own time", tickets.len());
    println!("| who decides | right | by the model | right of these |");
    println!("|---|--:|--:|--:|");
    for (asked, name) in ASKED {
        let Came { rightly, by_model, by_model_rightly } = come(asked, &tickets, &queues);
        let right = percent(rightly, tickets.len() as u32);
        println!("| {name} | {right} | {by_model} | {} |", percent(by_model_rightly, by_model));
    }
}

fn percent(part: u32, of: u32) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * f64::from(part) / f64::from(of)) }
}

fn come(asked: Asked, tickets: &[Event], queues: &[String]) -> Came {
    let engine = Engine::start(Config::new(bundle_with(|shipped| asked.playbook(shipped)))).unwrap();
    let options = Options { budget: Budget::Unlimited, timing: Timing::EventTime, ..Options::default() };
    let mut facts = facts();
    let mut came = Came::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (ticket, queue) in tickets.iter().zip(queues) {
            if let Some(facts) = facts.remove(&ticket.customer) {
                let at = ticket.time.unwrap();
                engine.put_facts_as_of(&ticket.customer, facts, at).await.unwrap().into_result().unwrap();
            }
            let answer = engine.decide_with("ticket_routing", ticket.clone(), &options).await.unwrap();
            let decision = answer.into_result().unwrap();
            let is_right = u32::from(decision.outcome().text("queue") == Some(queue));
            let is_by_model = u32::from(decision.tier == Tier::SmallModel);
            came.rightly += is_right;
            came.by_model += is_by_model;
            came.by_model_rightly += is_right * is_by_model;
        }
    });
    engine.shutdown().unwrap();
    came
}

/// The queue of each ticket as a support lead would choose it, in the order of the tickets.
fn queues() -> Vec<String> {
    let queue = |line: &str| line.split(',').nth(1).expect("a row has a queue").to_owned();
    sample("labels.csv").lines().skip(1).map(queue).collect()
}

/// What is known of each customer.
fn facts() -> HashMap<String, Facts> {
    let read = |line: &str| {
        let mut told: serde_json::Value = serde_json::from_str(line).expect("a sample is JSON");
        let values: BTreeMap<String, Raw> =
            serde_json::from_value(told["facts"].take()).expect("the facts are an object");
        let text = |name: &str| told[name].as_str().expect("a text").to_owned();
        (text("customer"), Facts { source: text("source"), observed_at: None, values: values.into_iter().collect() })
    };
    sample("customers.jsonl").lines().map(read).collect()
}
