//! The book of what was spent, by days and budgets, and the file that it is kept in.
//!
//! ```text
//! spending.json   {"form":1,"earliest":"2026-11-15","days":{"2026-11-22":{"agent:ticket_router":"0.0125"}}}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{Money, TimeDelta, Timestamp};

/// A day in UTC: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

/// What the file says was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spending {
    /// Nothing is known of days before this one.
    pub(super) earliest: Day,
    /// By day and budget.
    pub(super) days: BTreeMap<Day, BTreeMap<Arc<str>, Money>>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    form: u32,
    earliest: String,
    days: BTreeMap<String, BTreeMap<String, String>>,
}

/// The form that is written, and the only one there has been.
const FORM: u32 = 1;

// === impl Day ===

impl Day {
    /// Before all others that there are.
    pub(super) const FIRST: Self = Self(i64::MIN / TimeDelta::DAY.micros());

    /// The day of a moment.
    pub(super) const fn of(wall: Timestamp) -> Self {
        Self(wall.micros().div_euclid(TimeDelta::DAY.micros()))
    }

    /// The day after.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let midnight: Result<Timestamp, _> = format!("{text}T00:00:00Z").parse();
        midnight.map(Self::of).map_err(|_| format!("`{text}` is not a day such as `2026-11-22`"))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let midnight = Timestamp::from_micros(self.0.saturating_mul(TimeDelta::DAY.micros())).to_string();
        f.write_str(midnight.split_once('T').map_or(midnight.as_str(), |(day, _)| day))
    }
}

// === impl Spending ===

impl Spending {
    /// Reads the file. The message says what is wrong with it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if raw.form != FORM {
            return Err(format!("`form` is {}, this version reads {FORM}", raw.form));
        }
        let mut days = BTreeMap::new();
        for (day, budgets) in raw.days {
            let mut spent = BTreeMap::new();
            for (name, amount) in budgets {
                let money = amount.parse::<Money>().map_err(|e| format!("`{name}` on {day} is `{amount}`: {e}"))?;
                spent.insert(Arc::from(name), money);
            }
            days.insert(Day::from_text(&day)?, spent);
        }
        let earliest = if raw.earliest.is_empty() { Day::FIRST } else { Day::from_text(&raw.earliest)? };
        Ok(Self { earliest, days })
    }

    /// The bytes of the file.
    pub(super) fn write(&self) -> Result<Vec<u8>, String> {
        let budgets = |spent: &BTreeMap<Arc<str>, Money>| {
            spent.iter().map(|(name, money)| (name.to_string(), money.to_string())).collect()
        };
        let raw = Raw {
            form: FORM,
            earliest: if self.earliest == Day::FIRST { String::new() } else { self.earliest.to_string() },
            days: self.days.iter().map(|(day, spent)| (day.to_string(), budgets(spent))).collect(),
        };
        serde_json::to_vec_pretty(&raw).map_err(|e| e.to_string())
    }
}
