//! The labelled tickets that a model is trained on, beside those that it is tried on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use serde_json::Value;

use crate::support::root;

/// Three words that follow each other.
type Trigram = [String; 3];

/// From this share of common trigrams on two tickets are the same one in other words.
const COMMON_MAX: f64 = 0.5;

fn trigrams(text: &str) -> BTreeSet<Trigram> {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.windows(3).map(|three| [three[0].clone(), three[1].clone(), three[2].clone()]).collect()
}

fn training() -> Vec<[String; 5]> {
    let mut reader = csv::Reader::from_path(root().join("config/samples/training.csv")).unwrap();
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), ["id", "subject", "body", "language", "queue"]);
    reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>().try_into().unwrap())
        .collect()
}

#[test]
fn every_queue_has_tickets_to_learn_from() {
    let rows = training();
    let ids: BTreeSet<&String> = rows.iter().map(|[id, ..]| id).collect();
    assert_eq!(ids.len(), rows.len(), "an id comes twice");
    assert!(rows.iter().all(|[_, _, body, _, _]| !body.trim().is_empty()));
    let mut queues: BTreeMap<&str, usize> = BTreeMap::new();
    for [.., queue] in &rows {
        *queues.entry(queue).or_default() += 1;
    }
    let labels = fs::read_to_string(root().join("config/samples/labels.csv")).unwrap();
    let labelled: BTreeSet<&str> = labels.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(queues.keys().copied().collect::<BTreeSet<_>>(), labelled);
    assert!(queues.values().all(|count| *count >= 80), "{queues:?}");
}

/// Otherwise the accuracy on the sample tickets would be that of memory.
#[test]
fn no_ticket_to_learn_from_is_one_to_be_tried_on() {
    let tickets = fs::read_to_string(root().join("config/samples/tickets.jsonl")).unwrap();
    let tickets: Vec<BTreeSet<Trigram>> = tickets
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| trigrams(&format!("{} {}", event["data"]["subject"], event["data"]["body"])))
        .collect();
    let mut holding: HashMap<&Trigram, Vec<usize>> = HashMap::new();
    for (nth, ticket) in tickets.iter().enumerate() {
        for trigram in ticket {
            holding.entry(trigram).or_default().push(nth);
        }
    }
    for [id, subject, body, ..] in training() {
        let own = trigrams(&format!("{subject} {body}"));
        let mut common: HashMap<usize, usize> = HashMap::new();
        for nth in own.iter().filter_map(|trigram| holding.get(trigram)).flatten() {
            *common.entry(*nth).or_default() += 1;
        }
        for (nth, count) in common {
            let shorter = own.len().min(tickets[nth].len());
            // Of very short ones three words in common say nothing.
            let is_same = shorter >= 6 && count as f64 >= COMMON_MAX * shorter as f64;
            assert!(!is_same, "{id} `{subject}` is the ticket of line {}", nth + 1);
        }
    }
}
