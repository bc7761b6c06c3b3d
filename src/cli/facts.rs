//! Facts about customers and their consents from a file, told when a customer first appears.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::Format;
use super::mapping::Row;
use super::rows::{Content, Lines};
use crate::context::Layout;
use crate::domain::{Raw, RawMap, Timestamp, Type, suggestion};
use crate::engine::{Consents, Facts};

/// Facts and consents by customer, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct FactsFile {
    by_customer: BTreeMap<String, Vec<Told>>,
}

/// What one line says of a customer.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) facts: Facts,
    pub(super) consents: Consents,
}

impl FactsFile {
    /// Reads a file: JSON lines of `{"customer", "facts", "consents", "source", "observed_at"}`, or CSV with a column `customer` and
    /// one for each fact. Every line that is wrong is named.
    pub(super) fn read(path: &Path, layout: &Layout) -> Result<Self, Vec<String>> {
        let name = path.display();
        let (mut lines, _) = Lines::open(&path.to_string_lossy(), None::<Format>).map_err(|e| vec![e])?;
        let (mut file, mut faults) = (Self::default(), Vec::new());
        loop {
            match lines.next() {
                Ok(None) => break,
                Err(e) => {
                    faults.push(format!("{name}: {e}"));
                    break;
                }
                Ok(Some(line)) => {
                    let row = line.content.and_then(|content| match content {
                        Content::Row(row) => Ok(row),
                        Content::Event(_) => Err("this is an event, expected facts about a customer".to_owned()),
                    });
                    match row.and_then(|row| read_row(row, layout)) {
                        Ok((customer, told)) => file.by_customer.entry(customer).or_default().push(told),
                        Err(fault) => faults.push(format!("{name}:{}: {fault}", line.number)),
                    }
                }
            }
        }
        if faults.is_empty() { Ok(file) } else { Err(faults) }
    }

    /// Takes out what is said of a customer.
    pub(super) fn take(&mut self, customer: &str) -> Vec<Told> {
        self.by_customer.remove(customer).unwrap_or_default()
    }

    /// Customers whose facts were not taken.
    pub(super) fn left(&self) -> usize {
        self.by_customer.len()
    }
}

fn read_row(row: Row, layout: &Layout) -> Result<(String, Told), String> {
    let mut customer = None;
    let mut facts = Facts { source: "facts file".to_owned(), ..Facts::default() };
    let (mut values, mut consents) = (RawMap::new(), Vec::new());
    for (key, value) in row {
        match (key.as_str(), value) {
            (_, Raw::Null) => {}
            ("customer", Raw::Text(text)) => customer = Some(text),
            ("source", Raw::Text(text)) => facts.source = text,
            ("observed_at", Raw::Text(text)) => {
                let time: Timestamp = text.parse().map_err(|e| format!("`observed_at` `{text}` is {e}"))?;
                facts.observed_at = Some(time);
            }
            ("facts", Raw::Map(entries)) => values.extend(entries),
            ("consents", Raw::Map(entries)) => consents.extend(entries),
            (_, value) => values.push((key, value)),
        }
    }
    let customer = customer.ok_or("`customer` is required: a text")?;
    facts.values = values.into_iter().map(|(name, raw)| typed(name, raw, layout)).collect::<Result<_, _>>()?;
    let consents = consents.into_iter().map(|(name, raw)| consent(name, &raw, layout)).collect::<Result<_, _>>()?;
    let consents = Consents { source: facts.source.clone(), observed_at: facts.observed_at, values: consents };
    Ok((customer, Told { facts, consents }))
}

/// Checks a consent; nothing but `true` gives one.
fn consent(name: String, raw: &Raw, layout: &Layout) -> Result<(String, bool), String> {
    let names = || layout.purposes().iter().filter(|purpose| purpose.needs_consent).map(|purpose| &*purpose.name);
    match (layout.purpose_number(&name), raw) {
        (None, _) => Err(format!("no purpose `{name}` is declared in context.toml{}", suggestion(&name, names()))),
        (Some(_), _) if !names().any(|known| known == name) => Err(format!("purpose `{name}` needs no consent")),
        (Some(_), Raw::Bool(is_given)) => Ok((name, *is_given)),
        (Some(_), other) => {
            Err(format!("`consents.{name}` expected true (given) or false (withdrawn), found `{other}`"))
        }
    }
}

/// Checks a fact; a text for one that is not a text is what a CSV cell can say.
fn typed(name: String, raw: Raw, layout: &Layout) -> Result<(String, Raw), String> {
    let Some(number) = layout.fact_number(&name) else {
        let names = layout.facts().iter().map(|fact| &*fact.field.name);
        return Err(format!("no fact `{name}` is declared in context.toml{}", suggestion(&name, names)));
    };
    let field = &layout.facts()[number].field;
    let raw = match (&field.ty, raw) {
        (Type::Bool, Raw::Text(text)) if text == "true" || text == "false" => Raw::Bool(text == "true"),
        (Type::Int, Raw::Text(text)) => text.parse().map_or(Raw::Text(text), Raw::Int),
        (_, raw) => raw,
    };
    field.accept(raw.clone()).map_err(|fault| format!("`{name}` {fault}"))?;
    Ok((name, raw))
}
