//! From a row's columns to an event's fields.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::context::EventType;
use crate::domain::{Event, Raw, RawMap, Timestamp, suggestion};

/// `--map COLUMN=FIELD`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) column: String,
    pub(super) field: String,
}

/// `--set FIELD=VALUE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constant {
    pub(super) field: String,
    pub(super) value: String,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((column, field)) if !column.is_empty() && !field.is_empty() => {
                Ok(Self { column: column.to_owned(), field: field.to_owned() })
            }
            _ => Err("expected COLUMN=FIELD, such as text=body".to_owned()),
        }
    }
}

impl FromStr for Constant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((field, value)) if !field.is_empty() => Ok(Self { field: field.to_owned(), value: value.to_owned() }),
            _ => Err("expected FIELD=VALUE, such as channel=email".to_owned()),
        }
    }
}

/// The fields of an event that are not attributes.
const OWN_FIELDS: [&str; 5] = ["id", "customer", "time", "type", "source"];

/// Turns rows into events of one type.
#[derive(Debug)]
pub(super) struct RowMapper<'a> {
    event: &'a EventType,
    mappings: &'a [Mapping],
    constants: &'a [Constant],
    /// The source of events that do not bring one.
    source: String,
}

/// A row: columns and their values.
pub(super) type Row = Vec<(String, Raw)>;

impl<'a> RowMapper<'a> {
    /// A mapper onto an event type; or what is wrong with the mappings.
    pub(super) fn new(
        event: &'a EventType,
        mappings: &'a [Mapping],
        constants: &'a [Constant],
        source: &str,
    ) -> Result<Self, String> {
        let fields = mappings.iter().map(|m| &m.field).chain(constants.iter().map(|c| &c.field));
        for field in fields {
            if !Self::is_field(event, field) {
                let known = OWN_FIELDS.into_iter().chain(event.attributes.iter().map(|a| &*a.name));
                let known: Vec<&str> = known.collect();
                let hint = suggestion(field, known.iter().copied());
                return Err(format!("`{}` has no field `{field}`{hint}; it has {}", event.name, known.join(", ")));
            }
        }
        Ok(Self { event, mappings, constants, source: source.to_owned() })
    }

    fn is_field(event: &EventType, name: &str) -> bool {
        OWN_FIELDS.contains(&name) || event.attribute_number(name).is_some()
    }

    /// The field that a column holds, if any.
    fn field_of<'b>(&'b self, column: &'b str) -> Option<&'b str> {
        match self.mappings.iter().find(|mapping| mapping.column == column) {
            Some(mapping) => Some(&mapping.field),
            // A column may not take the place of a field that --map fills from another.
            None if self.mappings.iter().any(|mapping| mapping.field == column) => None,
            None => Self::is_field(self.event, column).then_some(column),
        }
    }

    /// Columns that no mapping and no field takes.
    pub(super) fn ignored<'b>(&self, columns: impl Iterator<Item = &'b str>) -> BTreeSet<String> {
        columns.filter(|column| self.field_of(column).is_none()).map(str::to_owned).collect()
    }

    /// Columns that are mapped but that the input does not have.
    pub(super) fn missing<'b>(&self, columns: impl Iterator<Item = &'b str>) -> Vec<&str> {
        let columns: BTreeSet<&str> = columns.collect();
        self.mappings.iter().map(|m| m.column.as_str()).filter(|column| !columns.contains(column)).collect()
    }

    /// Fields that every event needs and that neither a column nor a constant gives: no row could be good.
    pub(super) fn unfilled(&self, columns: &[String]) -> Vec<&str> {
        let given = |field: &str| {
            columns.iter().any(|column| self.field_of(column) == Some(field))
                || self.constants.iter().any(|constant| constant.field == field)
        };
        let needed = self.event.attributes.iter().filter(|field| field.required && field.default.is_none());
        let needed = std::iter::once("customer").chain(needed.map(|field| &*field.name));
        needed.filter(|field| !given(field)).collect()
    }

    /// The event of a row; or what is wrong with it.
    pub(super) fn event(&self, row: Row, line: u64) -> Result<Event, String> {
        let mut event = Event::new("", &self.source, &*self.event.name, "");
        let mut time = None;
        let mut filled = BTreeSet::new();
        for (column, value) in row {
            let Some(field) = self.field_of(&column) else { continue };
            if value == Raw::Null {
                continue;
            }
            filled.insert(field.to_owned());
            self.put(&mut event, &mut time, field, value)?;
        }
        for Constant { field, value } in self.constants {
            if !filled.contains(field) {
                let value = value.replace("{line}", &line.to_string());
                self.put(&mut event, &mut time, field, Raw::Text(value))?;
            }
        }
        if event.id.is_empty() {
            event.id = line.to_string();
        }
        if event.customer.is_empty() {
            return Err("no column gives the customer; name one with `--map COLUMN=customer`, or make one up with \
                        `--set 'customer=row-{line}'`"
                .to_owned());
        }
        event.time = time;
        Ok(event)
    }

    fn put(&self, event: &mut Event, time: &mut Option<Timestamp>, field: &str, value: Raw) -> Result<(), String> {
        let text = |value: &Raw| match value {
            Raw::Text(text) => text.clone(),
            other => other.to_string(),
        };
        match field {
            "id" => event.id = text(&value),
            "customer" => event.customer = text(&value),
            "source" => event.source = text(&value),
            "type" => event.kind = text(&value),
            "time" => {
                let text = text(&value);
                *time = Some(text.parse().map_err(|e| format!("`time` `{text}` is {e}"))?);
            }
            attribute => set(&mut event.data, attribute, self.typed(attribute, value)?),
        }
        Ok(())
    }

    /// A text for an attribute that is not one: what a CSV cell can say.
    fn typed(&self, attribute: &str, value: Raw) -> Result<Raw, String> {
        use crate::domain::{Type, Value};
        let (Some(number), Raw::Text(text)) = (self.event.attribute_number(attribute), &value) else {
            return Ok(value);
        };
        let ty = &self.event.attributes[number].ty;
        let parsed = match ty {
            Type::Bool | Type::Int | Type::List(_) => ty.parse(text).map_err(|e| format!("`{attribute}` {e}"))?,
            _ => return Ok(value),
        };
        Ok(match parsed {
            Value::Bool(v) => Raw::Bool(v),
            Value::Int(v) => Raw::Int(v),
            Value::List(_) => Raw::List(text.split(',').map(|item| Raw::Text(item.trim().to_owned())).collect()),
            _ => value,
        })
    }
}

fn set(data: &mut RawMap, name: &str, value: Raw) {
    match data.iter_mut().find(|(known, _)| known == name) {
        Some((_, held)) => *held = value,
        None => data.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::bundle;

    fn map(mappings: &[&str], constants: &[&str], row: &[(&str, &str)]) -> Result<Event, String> {
        let bundle = bundle();
        let mappings: Vec<Mapping> = mappings.iter().map(|m| m.parse().unwrap()).collect();
        let constants: Vec<Constant> = constants.iter().map(|c| c.parse().unwrap()).collect();
        let mapper = RowMapper::new(&bundle.layout().events()[0], &mappings, &constants, "file")?;
        mapper.event(row.iter().map(|(c, v)| ((*c).to_owned(), Raw::from(*v))).collect(), 7)
    }

    #[test]
    fn columns_become_fields_by_name_by_mapping_or_by_constant() {
        let event = map(
            &["text=body", "when=time"],
            &["channel=chat", "customer=row-{line}", "subject="],
            &[
                ("text", "hello"),
                ("when", "2026-01-01T00:00:00Z"),
                ("amount", "5.50"),
                ("body", "not this"),
                ("other", "x"),
            ],
        )
        .unwrap();
        let expected = Event::new("7", "file", "ticket.created", "row-7")
            .at("2026-01-01T00:00:00Z".parse().unwrap())
            .with("body", "hello")
            .with("amount", "5.50")
            .with("channel", "chat")
            .with("subject", "");
        assert_eq!(event, expected);
    }

    #[test]
    fn says_what_a_mapping_or_row_lacks() {
        assert!(map(&["a=bdoy"], &[], &[]).unwrap_err().contains("no field `bdoy` (did you mean `body`?)"));
        assert!(map(&[], &[], &[("body", "x")]).unwrap_err().contains("--set 'customer=row-{line}'"));
        assert!(
            map(&[], &[], &[("time", "now"), ("customer", "c")]).unwrap_err().starts_with("`time` `now` is not a date")
        );
        assert!("x".parse::<Mapping>().is_err() && "=x".parse::<Constant>().is_err());
    }
}
