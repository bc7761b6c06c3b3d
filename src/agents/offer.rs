//! What may be chosen, in the words of a prompt: the candidates that earlier tiers have left, and the form of the answer.

use super::format::{AnswerField, AnswerFormat};
use crate::domain::{Limits, Type, Value};

/// What each field may be, a line for each.
pub(super) fn choices(format: &AnswerFormat) -> String {
    let line = |known: &AnswerField| format!("- \"{}\": {}", known.field.name, choice(known));
    format.fields().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How the answer is to be given, with everything that it may be.
pub(super) fn form(format: &AnswerFormat) -> String {
    let reason = format.reason().map(|(name, bytes)| format!("- \"{name}\": why, in at most {bytes} characters"));
    let members: Vec<String> = reason.into_iter().chain([choices(format)]).collect();
    let members = members.join("\n");
    format!("Answer with one JSON object and nothing else. Its members, all of them and no others:\n{members}")
}

fn choice(AnswerField { field, choices }: &AnswerField) -> String {
    match (&field.ty, choices) {
        (Type::List(of), choices) => {
            let items = choices.as_ref().map_or_else(|| kind(of, None), |choices| listed(of, choices));
            format!("a list of at most {}, each of them {items}", field.limits.length_max)
        }
        (ty, Some(choices)) => listed(ty, choices),
        (ty, None) => kind(ty, Some(&field.limits)),
    }
}

fn listed(ty: &Type, choices: &[Value]) -> String {
    let shown: Vec<String> = choices.iter().map(|choice| ty.show(choice).to_string()).collect();
    shown.join(", ")
}

/// The values of a type within limits.
fn kind(ty: &Type, limits: Option<&Limits>) -> String {
    let end = |ordinal: i64| {
        let value = match ty {
            Type::Decimal => Value::Decimal(crate::domain::Decimal::from_units(ordinal)),
            Type::Time => Value::Time(crate::domain::Timestamp::from_micros(ordinal)),
            Type::Duration => Value::Duration(crate::domain::TimeDelta::from_micros(ordinal)),
            _ => Value::Int(ordinal),
        };
        ty.show(&value).to_string()
    };
    match (ty, limits) {
        (Type::OneOf(of), _) => of.names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
        (Type::Text, Some(limits)) => format!("a text of at most {} bytes", limits.length_max),
        (Type::Int | Type::Decimal | Type::Time | Type::Duration, Some(&Limits { min, max, .. })) => {
            let from = if min == i64::MIN { String::new() } else { format!(", at least {}", end(min)) };
            let to = if max == i64::MAX { String::new() } else { format!(", at most {}", end(max)) };
            format!("{}{from}{to}", ty.describe())
        }
        _ => ty.describe(),
    }
}
