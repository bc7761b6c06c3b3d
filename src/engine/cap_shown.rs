//! How a playbook's caps stood to a decision, as an explanation shows them.

use serde::Serialize;

use crate::bundle::{Cap, CapScope, Measure, Playbook};
use crate::domain::{Datum, Type, Value};
use crate::turn::RecordedDecision;

/// How a cap stood to a decision.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CapShown {
    /// Its id.
    pub cap: String,
    /// The action that counts against it.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub action: Datum,
    /// For whom it holds: `customer` or `global`.
    pub scope: &'static str,
    /// The field whose sum is limited; `None` where decisions are counted.
    pub amount: Option<String>,
    /// How much there may be.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub max: Datum,
    /// Within which time; `None` for ever.
    pub over: Option<String>,
    /// What it left before the decision; of a global cap, what the turn was lent.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub left: Datum,
    /// When it left more, if nothing else was decided until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub more_from: Option<String>,
    /// What the decision took of it.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub taken: Datum,
}

impl CapShown {
    /// The caps of a decision's playbook, in their order; none for a decision that did not look at them.
    pub(super) fn of(recorded: &RecordedDecision, playbook: &Playbook) -> Vec<Self> {
        let looked_at = playbook.caps.iter().enumerate().take(recorded.circumstances.room.len());
        looked_at.map(|(number, cap)| shown(number, cap, recorded, playbook)).collect()
    }
}

fn shown(number: usize, cap: &Cap, recorded: &RecordedDecision, playbook: &Playbook) -> CapShown {
    let fields = playbook.outcome.fields();
    let counted = &fields[cap.counted_field()];
    let datum = |amount: i64| datum(cap, playbook, amount);
    let room = recorded.circumstances.room(number);
    CapShown {
        cap: cap.id.to_string(),
        action: Datum::new(&fields[cap.field].ty, cap.action.clone()),
        scope: match cap.scope {
            CapScope::Customer => "customer",
            CapScope::Global => "global",
        },
        amount: match cap.measure {
            Measure::Count => None,
            Measure::Amount(_) => Some(counted.name.to_string()),
        },
        max: datum(cap.max),
        over: cap.over.map(|over| over.to_string()),
        left: datum(room.left.max(0)),
        more_from: room.again.map(|again| again.to_string()),
        taken: datum(cap.takes(&recorded.outcome).unwrap_or(0)),
    }
}

/// So much of what a cap counts, in the type of what it counts.
pub(super) fn datum(cap: &Cap, playbook: &Playbook, amount: i64) -> Datum {
    let ty = match cap.measure {
        Measure::Count => &Type::Int,
        Measure::Amount(field) => &playbook.outcome.fields()[field].ty,
    };
    Datum::new(ty, amount_of(cap, playbook, amount))
}

/// So much of what a cap counts.
pub(super) fn amount_of(cap: &Cap, playbook: &Playbook, amount: i64) -> Value {
    match cap.measure {
        Measure::Count => Value::Int(amount),
        Measure::Amount(field) => playbook.outcome.fields()[field].at_ordinal(amount),
    }
}
