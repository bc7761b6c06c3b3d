//! The journal as it is found after a kill, and what must hold of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use forthwith::bundle::Bundle;
use forthwith::domain::{Settlement, Value};
use forthwith::journal::{Kind, Reader};
use forthwith::turn::{Input, Record, decode_bundle};

use super::callers::{Answered, Sent, Told, What, verdict};
use super::{OF_ALL_MAX, OF_EACH_MAX};

/// Everything that was read so far.
#[derive(Default)]
pub(super) struct Book {
    last_seq: u64,
    bundles: HashMap<u64, Arc<Bundle>>,
    /// What each record was about, by its sequence.
    records: BTreeMap<u64, String>,
    /// Decisions by the number of what was sent.
    decisions: BTreeMap<u64, Decided>,
    /// Facts and consents by the number of what was sent.
    said: HashMap<u64, u64>,
    /// What became of granted offers.
    settled: HashMap<String, Settlement>,
    /// Decisions that feedback is on, by the number of what was sent.
    judged: HashMap<u64, String>,
    /// Offers that hold something of the caps, by decision: whose, and how much.
    granted: HashMap<String, (String, i64)>,
}

#[derive(Debug)]
struct Decided {
    id: String,
    outcome: Vec<Value>,
}

impl Book {
    /// Reads what was not read yet; every record is one of something that was sent, and the first of it.
    pub(super) fn read_on(&mut self, journal: &Path, told: &Told) {
        let mut reader = Reader::new(journal, self.last_seq + 1).unwrap();
        let mut found = Vec::new();
        while reader.next_batch(|read| found.push((read.seq, read.frame.kind, read.frame.payload.to_vec()))).unwrap() {}
        let known = self.last_seq;
        for (seq, kind, payload) in found.into_iter().filter(|(seq, ..)| *seq > known) {
            assert_eq!(seq, self.last_seq + 1, "records follow one another");
            self.last_seq = seq;
            match kind {
                Kind::Bundle => _ = self.bundles.insert(seq, Arc::new(decode_bundle(&payload).unwrap())),
                Kind::Turn => self.turn(seq, &payload, told),
                other => panic!("record {seq} is {other:?}, which nobody sent"),
            }
        }
    }

    fn turn(&mut self, seq: u64, payload: &[u8], told: &Told) {
        let (record, bundle) = Record::decode(payload, |seq| self.bundles.get(&seq).cloned()).unwrap();
        let about = match &record.input {
            Input::Event(input) => {
                assert_eq!(input.event.key.source(), "kills");
                let sent = of_number(input.event.key.id(), "e-", told);
                is_what_was_sent(&sent, &input.event.attributes);
                assert_eq!(record.input.customer().as_str(), sent.customer, "{sent:?}");
                self.decided(&sent, &record, &bundle);
                format!("e-{}", sent.nth)
            }
            Input::Facts(input) => self.was_said(seq, &of_number(&input.source, "kills-", told)),
            Input::Consents(input) => self.was_said(seq, &of_number(&input.source, "kills-", told)),
            Input::Settlement(input) => {
                let id = input.decision.to_string();
                let before = self.settled.insert(id.clone(), input.settlement);
                assert_eq!(before, None, "decision {id} is settled twice");
                let granted = self.granted.get(&id).unwrap_or_else(|| panic!("decision {id} was never granted"));
                assert_eq!(granted.0, input.customer.as_str());
                if input.settlement == Settlement::Release {
                    self.granted.remove(&id);
                }
                format!("settlement of {id}")
            }
            Input::LateAnswer(_) => panic!("record {seq} is a late answer, which nobody waited for"),
            Input::Feedback(input) => {
                let sent = of_number(&input.id, "f-", told);
                assert!(matches!(sent.what, What::Feedback { is_right } if input.verdict == Some(verdict(is_right))));
                let id = input.decision.to_string();
                let decided = self.decisions.values().find(|decided| decided.id == id);
                assert!(decided.is_some(), "feedback on decision {id}, which nobody made");
                let before = self.judged.insert(sent.nth, id);
                assert_eq!(before, None, "{sent:?} stands twice");
                format!("feedback {}", sent.nth)
            }
        };
        self.records.insert(seq, about);
    }

    fn decided(&mut self, sent: &Sent, record: &Record, bundle: &Bundle) {
        let [decision] = &record.decisions[..] else { panic!("{sent:?} has {} decisions", record.decisions.len()) };
        let id = record.id_of(decision, bundle).unwrap().to_string();
        let playbook = &bundle.playbooks()[decision.playbook];
        let asked = match sent.what {
            What::Ticket { playbook, .. } => playbook,
            _ => "offers",
        };
        assert_eq!(&*playbook.name, asked, "{sent:?}");
        let decided = Decided { id: id.clone(), outcome: decision.outcome.clone() };
        let before = self.decisions.insert(sent.nth, decided);
        assert!(before.is_none(), "{sent:?} is decided twice: {before:?}");
        if let ("offers", [Value::Symbol(1), Value::Int(amount)]) = (asked, &decision.outcome[..]) {
            let before = self.granted.insert(id, (sent.customer.clone(), *amount));
            assert!(before.is_none(), "one id stands for two decisions");
            self.caps_are_kept();
        }
    }

    fn caps_are_kept(&self) {
        let of_all: i64 = self.granted.values().map(|(_, amount)| amount).sum();
        assert!(of_all <= OF_ALL_MAX, "{of_all} were granted to all together");
        let mut of_each: HashMap<&str, i64> = HashMap::new();
        self.granted.values().for_each(|(customer, _)| *of_each.entry(customer).or_default() += 1);
        assert!(of_each.values().all(|granted| *granted <= OF_EACH_MAX), "{of_each:?}");
    }

    fn was_said(&mut self, seq: u64, sent: &Sent) -> String {
        let before = self.said.insert(sent.nth, seq);
        assert_eq!(before, None, "{sent:?} stands twice");
        format!("said {}", sent.nth)
    }

    /// What was acknowledged as durable is there, as it was told; what was not is there as it was told, or not at all.
    pub(super) fn accounts_for(&self, answered: &Answered) {
        let Answered { sent, answer } = answered;
        match sent.what {
            What::Ticket { .. } | What::Cart { .. } => {
                let decided = self.decisions.get(&sent.nth);
                assert!(decided.is_some() || !answered.is_durable(), "{sent:?} was acknowledged and is lost: {answer}");
                let Some(decided) = decided else { return };
                assert_eq!(answer["decision_id"], decided.id, "{sent:?}");
                let action = answer["outcome"]["action"].as_str();
                if let (Some(action), true) = (action, answered.is_durable()) {
                    let is_granted = decided.outcome[0] == Value::Symbol(1);
                    assert_eq!(action == "discount", is_granted, "{sent:?}");
                }
            }
            What::Plan { .. } | What::Consent { .. } => {
                assert!(self.said.contains_key(&sent.nth) || !answered.is_durable(), "{sent:?} is lost: {answer}");
            }
            What::Settlement { .. } => {
                let settled = self.settled.get(answer["decision_id"].as_str().unwrap()).map(|of| of.as_str());
                assert!(settled.is_some() || !answered.is_durable(), "{sent:?} is lost: {answer}");
                assert!(settled.is_none_or(|settled| answer["settlement"] == settled), "{sent:?} became {settled:?}");
            }
            What::Feedback { .. } => {
                let judged = self.judged.get(&sent.nth);
                assert!(judged.is_some() || !answered.is_durable(), "{sent:?} is lost: {answer}");
                assert!(judged.is_none_or(|judged| answer["decision_id"] == *judged), "{sent:?} is on {judged:?}");
            }
        }
    }

    /// The number of what was decided last, and the decision.
    pub(super) fn last_decision(&self) -> Option<(u64, String)> {
        self.decisions.iter().next_back().map(|(nth, decided)| (*nth, decided.id.clone()))
    }

    /// What was read before, piece by piece and between kills, is there as it was.
    pub(super) fn begins_with(&self, before: &Self) {
        assert!(self.last_seq >= before.last_seq);
        for (seq, about) in &before.records {
            assert_eq!(self.records.get(seq), Some(about), "record {seq}");
        }
    }
}

/// What was sent under the number that a text ends with.
fn of_number(text: &str, prefix: &str, told: &Told) -> Sent {
    let nth = text.strip_prefix(prefix).and_then(|nth| nth.parse().ok());
    nth.and_then(|nth| told.sent(nth)).unwrap_or_else(|| panic!("nobody sent `{text}`"))
}

fn is_what_was_sent(sent: &Sent, attributes: &[Option<Value>]) {
    let is_same = match (sent.what, attributes) {
        (What::Ticket { amount, bytes, .. }, [Some(Value::Text(body)), Some(Value::Int(found))])
        | (What::Ticket { amount, bytes, .. }, [Some(Value::Int(found)), Some(Value::Text(body))]) => {
            *found == amount as i64 && body.len() as u64 == bytes && body.bytes().all(|byte| byte == b'x')
        }
        (What::Cart { worth }, [Some(Value::Int(found))]) => *found == worth as i64,
        _ => false,
    };
    assert!(is_same, "{sent:?} became {attributes:?}");
}
