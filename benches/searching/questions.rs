//! What is searched for.

use forthwith::domain::Timestamp;

use super::decisions::{Decided, RARE, REGULARS, What, mixed};

/// A kind of search.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// What is asked in a round, of so many decisions.
    pub(crate) ask: fn(u64, u64) -> Asked,
}

/// One search.
pub(crate) struct Asked {
    pub(crate) terms: Vec<What>,
    pub(crate) arrived: (Timestamp, Timestamp),
}

fn of(terms: &[What]) -> Asked {
    Asked { terms: terms.to_vec(), arrived: (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX)) }
}

/// Any decision, another in every round.
fn any(round: u64, decisions: u64) -> Decided {
    Decided::of(&(mixed(round, 9) % decisions).to_le_bytes(), decisions)
}

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "a rule that makes three in ten", ask: |_, _| of(&[What::Rule(0)]) },
    Question { name: "a rule that made ten in all", ask: |_, _| of(&[What::Rule(RARE)]) },
    Question { name: "a rule that made none", ask: |round, _| of(&[What::Rule(1_000 + round)]) },
    Question { name: "a customer who comes again", ask: |round, _| of(&[What::Customer(mixed(round, 8) % REGULARS)]) },
    Question {
        name: "a customer who came once",
        ask: |round, decisions| {
            let nth = mixed(round, 7) % decisions / 2 * 2;
            of(&[What::Customer(Decided::of(&nth.to_le_bytes(), decisions).customer())])
        },
    },
    Question { name: "a customer who never came", ask: |round, _| of(&[What::Customer(1 << 60 | round)]) },
    Question {
        name: "a customer and a rule",
        ask: |round, _| of(&[What::Customer(mixed(round, 8) % REGULARS), What::Rule(round % 5)]),
    },
    Question {
        name: "a queue, a priority and a fallback",
        ask: |round, _| of(&[What::Queue(round % 8), What::Priority(round % 4), What::Fallback(1)]),
    },
    Question { name: "two that are frequent and never together", ask: |_, _| of(&[What::Rule(3), What::Queue(4)]) },
    Question {
        name: "a rule within ten minutes, any time back",
        ask: |round, decisions| {
            let from = any(round, decisions).arrival().micros();
            let arrived = (Timestamp::from_micros(from), Timestamp::from_micros(from + 600_000_000));
            Asked { arrived, ..of(&[What::Rule(9)]) }
        },
    },
];
