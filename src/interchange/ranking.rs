//! The importance of outputs, for the hit policies that need one.

use std::str::FromStr;

use super::our_cell;
use super::sheet::{Fault, Sheet};
use super::unary::Test;

/// The values of a field, the most important first: `tier=gold, silver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    field: String,
    values: String,
}

impl FromStr for Ranked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((field, values)) if !field.trim().is_empty() && !values.trim().is_empty() => {
                Ok(Self { field: field.trim().to_owned(), values: values.trim().to_owned() })
            }
            _ => Err(format!("expected FIELD=VALUES such as `tier=gold, silver`, found `{text}`")),
        }
    }
}

/// Gives a table's outputs their importance; a fault where the hit policy needs one and none is given.
pub fn rank_outputs(sheet: &mut Sheet, ranked: &[Ranked]) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for one in ranked {
        let Some(nth) = sheet.outputs.iter().position(|output| output.name == one.field) else {
            faults.push(sheet.fault(format!("the output values are of `{}`, which is no column", one.field)));
            continue;
        };
        match our_cell::read_test(&one.values, sheet.outputs[nth].kind) {
            Ok(Test::OneOf(values)) => sheet.outputs[nth].allowed = values,
            Ok(_) => faults.push(sheet.column_fault(&one.field, "output values are literals such as `gold, silver`")),
            Err(why) => faults.push(sheet.column_fault(&one.field, why)),
        }
    }
    if sheet.hit_policy.is_ranked() && faults.is_empty() && sheet.outputs.iter().all(|output| output.allowed.is_empty())
    {
        let policy = sheet.hit_policy.name();
        faults.push(sheet.fault(format!(
            "the hit policy `{policy}` needs the outputs' importance: give `--output-values FIELD=VALUES`"
        )));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
