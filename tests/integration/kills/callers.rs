//! Callers of every kind, and what they were told.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Scope;
use std::time::Duration;

use forthwith::domain::FeedbackVerdict;
use serde_json::{Value, json};

use super::CUSTOMERS;
use super::dice::Dice;
use crate::support::Server;

/// Threads that call.
const CALLERS: usize = 5;

/// What is sent, by its number: the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) nth: u64,
    pub(super) customer: String,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A ticket for a playbook.
    Ticket {
        playbook: &'static str,
        amount: u64,
        bytes: u64,
    },
    Cart {
        worth: u64,
    },
    Plan {
        is_pro: bool,
    },
    Consent {
        is_given: bool,
    },
    /// One of the offers that were answered.
    Settlement {
        is_commit: bool,
    },
    /// On one of the decisions that were answered.
    Feedback {
        is_right: bool,
    },
}

pub(super) fn verdict(is_right: bool) -> FeedbackVerdict {
    if is_right { FeedbackVerdict::Accepted } else { FeedbackVerdict::Rejected }
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) sent: Sent,
    pub(super) answer: Value,
}

/// Everything that was sent and answered.
pub(super) struct Told {
    seed: u64,
    sent: AtomicU64,
    answers: Mutex<Vec<Answered>>,
    /// Offers that were granted and not yet settled.
    offers: Mutex<Vec<String>>,
    /// The decision that was durable last.
    decided: Mutex<Option<String>>,
    durable: AtomicU64,
}

impl Sent {
    pub(super) fn of(seed: u64, nth: u64) -> Self {
        let mut dice = Dice::of(seed, nth);
        let customer = format!("c-{}", dice.between(0, CUSTOMERS));
        let what = match dice.between(0, 100) {
            // At times one that takes a good part of a segment.
            0..60 => What::Ticket {
                playbook: if dice.percent(65) { "kept" } else { "quick" },
                amount: dice.between(0, 100),
                bytes: if dice.percent(5) { dice.between(20_000, 65_000) } else { dice.between(0, 4_000) },
            },
            60..76 => What::Cart { worth: dice.between(0, 16) },
            76..83 => What::Plan { is_pro: dice.percent(50) },
            83..90 => What::Consent { is_given: dice.percent(90) },
            90..96 => What::Settlement { is_commit: dice.percent(40) },
            _ => What::Feedback { is_right: dice.percent(80) },
        };
        Self { nth, customer, what }
    }

    pub(super) fn event(&self) -> Value {
        let (kind, data) = match self.what {
            What::Ticket { amount, bytes, .. } => {
                ("ticket.created", json!({ "body": "x".repeat(bytes as usize), "amount": amount }))
            }
            What::Cart { worth } => ("cart.left", json!({ "worth": worth })),
            _ => panic!("{self:?} is no event"),
        };
        json!({ "specversion": "1.0", "id": format!("e-{}", self.nth), "source": "kills", "type": kind,
                "subject": self.customer, "data": data })
    }

    fn source(&self) -> String {
        format!("kills-{}", self.nth)
    }
}

impl Answered {
    pub(super) fn is_durable(&self) -> bool {
        self.answer["durability"] == "disk"
    }

    /// The id of a decision that is on disk.
    pub(super) fn found_by(&self) -> Option<&str> {
        let is_decision = matches!(self.sent.what, What::Ticket { .. } | What::Cart { .. });
        (is_decision && self.is_durable()).then(|| self.answer["decision_id"].as_str().unwrap())
    }

    /// What was answered is what is shown of it now.
    pub(super) fn is_the_same_as(&self, shown: &Value) {
        let members =
            ["decision_id", "playbook", "bundle", "customer", "outcome", "rule", "fallback", "reasons", "settle_by"];
        for member in members {
            assert_eq!(self.answer[member], shown[member], "`{member}` of {:?}\n{shown}", self.sent);
        }
    }
}

impl Told {
    pub(super) fn new(seed: u64) -> Self {
        let (answers, offers, decided) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { seed, sent: AtomicU64::new(0), answers, offers, decided, durable: AtomicU64::new(0) }
    }

    /// What was sent under a number, if anything was.
    pub(super) fn sent(&self, nth: u64) -> Option<Sent> {
        (nth < self.sent.load(Ordering::SeqCst)).then(|| Sent::of(self.seed, nth))
    }

    /// What was answered since the last look.
    pub(super) fn take_answers(&self) -> Vec<Answered> {
        std::mem::take(&mut *self.answers.lock().unwrap())
    }

    pub(super) fn was_a_load(&self, kills: u64) {
        let durable = self.durable.load(Ordering::SeqCst);
        assert!(durable > kills * 10, "{durable} answers were durable in {kills} lives: that is no load");
    }

    fn next(&self) -> Sent {
        Sent::of(self.seed, self.sent.fetch_add(1, Ordering::SeqCst))
    }

    fn is_answered(&self, sent: Sent, answer: Value) {
        let answered = Answered { sent, answer };
        if answered.is_durable() {
            self.durable.fetch_add(1, Ordering::SeqCst);
            if let Some(id) = answered.found_by() {
                *self.decided.lock().unwrap() = Some(id.to_owned());
            }
            if answered.answer["outcome"]["action"] == "discount" {
                self.offers.lock().unwrap().push(answered.answer["decision_id"].as_str().unwrap().to_owned());
            }
        }
        self.answers.lock().unwrap().push(answered);
    }
}

/// Those who call a server until it is gone.
#[derive(Clone, Copy)]
pub(super) struct Callers<'a> {
    pub(super) server: &'a Server,
    pub(super) told: &'a Told,
    pub(super) config: &'a Path,
}

impl<'a> Callers<'a> {
    pub(super) fn call<'scope>(self, scope: &'scope Scope<'scope, 'a>, life: u64) {
        for _ in 0..CALLERS {
            scope.spawn(move || while self.call_once() {});
        }
        // Another bundle now and then; whether its record is the last thing that is written or the first that is lost.
        scope.spawn(move || {
            for nth in 0.. {
                std::thread::sleep(Duration::from_millis(60));
                if !self.reload(life * 100 + nth) {
                    return;
                }
            }
        });
    }

    /// False: the server is gone.
    fn call_once(self) -> bool {
        let sent = self.told.next();
        let (path, body) = match sent.what {
            What::Ticket { playbook, .. } => (format!("/v1/decide/{playbook}"), sent.event()),
            What::Cart { .. } => ("/v1/decide/offers".to_owned(), sent.event()),
            What::Plan { is_pro } => {
                let plan = if is_pro { "pro" } else { "free" };
                let body = json!({ "source": sent.source(), "facts": { "plan": plan } });
                return self.put(&format!("/v1/customers/{}/facts", sent.customer), &body, sent);
            }
            What::Consent { is_given } => {
                let body = json!({ "source": sent.source(), "consents": { "marketing": is_given } });
                return self.put(&format!("/v1/customers/{}/consents", sent.customer), &body, sent);
            }
            What::Settlement { is_commit } => {
                let Some(id) = self.told.offers.lock().unwrap().pop() else { return true };
                let body = json!({ "settlement": if is_commit { "commit" } else { "release" } });
                (format!("/v1/decisions/{id}/feedback"), body)
            }
            What::Feedback { is_right } => {
                let Some(id) = self.told.decided.lock().unwrap().clone() else { return true };
                let body = json!({ "verdict": verdict(is_right).as_str(), "id": format!("f-{}", sent.nth) });
                (format!("/v1/decisions/{id}/feedback"), body)
            }
        };
        self.took(
            self.server.try_post(&path, &[("content-type", "application/json")], body.to_string().as_bytes()),
            sent,
        )
    }

    fn put(self, path: &str, body: &Value, sent: Sent) -> bool {
        self.took(self.server.try_put(path, body), sent)
    }

    fn took(self, answer: Result<crate::support::Answer, ureq::Error>, sent: Sent) -> bool {
        let Ok(answer) = answer else { return false };
        match answer.status {
            200 => self.told.is_answered(sent, answer.json()),
            // Shed, or settled before by a call that was not answered.
            409 | 429 | 503 => {}
            _ => panic!("{sent:?}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        }
        true
    }

    fn reload(self, nth: u64) -> bool {
        let path = self.config.join("playbooks/quick.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("description")).collect();
        let playbook = lines.join("\n").replacen("[outcome]", &format!("description = \"{}\"\n[outcome]", nth % 5), 1);
        // In one step: the next server may start at any moment.
        let beside = path.with_extension("new");
        std::fs::write(&beside, playbook).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        self.server.try_post("/v1/bundle/reload", &[], &[]).is_ok()
    }
}
