//! Decisions that are made up: everything about one follows from its number.

use forthwith::domain::{Term, Timestamp};
use forthwith::journal::{Described, Frame, JournalError, Terms};

/// Customers who come again.
pub(crate) const REGULARS: u64 = 1_000_000;

/// How many of a thousand decisions each rule makes; the rare one makes ten in all.
const SHARES: [u64; 10] = [300, 200, 150, 100, 80, 60, 50, 30, 20, 10];
pub(crate) const RARE: u64 = SHARES.len() as u64;

/// Something that decisions are searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Decision,
    Customer(u64),
    Playbook(u64),
    Rule(u64),
    Tier,
    Fallback(u64),
    Queue(u64),
    Priority(u64),
}

impl What {
    pub(crate) fn term(self) -> Term {
        let of = |name: &str, number: u64| Term::of(&[name, &number.to_string()]);
        match self {
            Self::Decision => of("decision", 0),
            Self::Customer(number) => of("customer", number),
            Self::Playbook(number) => of("playbook", number),
            Self::Rule(number) => of("rule", number),
            Self::Tier => of("tier", 0),
            Self::Fallback(number) => of("fallback", number),
            Self::Queue(number) => of("queue", number),
            Self::Priority(number) => of("priority", number),
        }
    }
}

/// A decision.
pub(crate) struct Decided {
    number: u64,
    decisions: u64,
}

impl Decided {
    pub(crate) fn of(payload: &[u8], decisions: u64) -> Self {
        let number = payload.try_into().map_or(0, u64::from_le_bytes);
        Self { number, decisions }
    }

    /// Half of the decisions are about regulars, half about customers who come once.
    pub(crate) fn customer(&self) -> u64 {
        if self.number % 2 == 1 { mixed(self.number, 1) % REGULARS } else { REGULARS + self.number }
    }

    fn rule(&self) -> u64 {
        if self.number % (self.decisions / 10).max(1) == 7 {
            return RARE;
        }
        let mut at = mixed(self.number, 2) % 1_000;
        let mut rule = 0;
        while at >= SHARES[rule] {
            at -= SHARES[rule];
            rule += 1;
        }
        rule as u64
    }

    pub(crate) fn whats(&self) -> [What; 8] {
        let rule = self.rule();
        let fallback = match mixed(self.number, 3) % 100 {
            0 => 1,
            1 | 2 => 2,
            _ => 0,
        };
        [
            What::Decision,
            What::Customer(self.customer()),
            What::Playbook([0, 0, 0, 0, 0, 0, 0, 1, 1, 2][(self.number % 10) as usize]),
            What::Rule(rule),
            What::Tier,
            What::Fallback(fallback),
            // Each rule has its queue.
            What::Queue(rule % 8),
            What::Priority(mixed(self.number, 4) % 4),
        ]
    }

    pub(crate) fn arrival(&self) -> Timestamp {
        Timestamp::from_micros(self.number as i64 * 1_000)
    }
}

/// Spreads numbers evenly (splitmix64).
pub(crate) fn mixed(number: u64, salt: u64) -> u64 {
    let mut mixed = number.wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Tells the terms of decisions that are made up.
#[derive(Debug)]
pub(crate) struct MadeUp {
    pub(crate) decisions: u64,
}

impl Terms for MadeUp {
    fn version(&self) -> u32 {
        1
    }

    fn describe(&self, _: u64, frame: &Frame<'_>, each: &mut dyn FnMut(Term)) -> Result<Described, JournalError> {
        let decided = Decided::of(frame.payload, self.decisions);
        decided.whats().iter().for_each(|what| each(what.term()));
        Ok(Described::Arrived(decided.arrival()))
    }
}
