//! A value that a JSON Schema permits.

use serde_json::{Map, Value, json};

use crate::mixed;

/// Schemas may refer to themselves; deeper than this nothing more is filled in.
const DEPTH_MAX: usize = 16;

/// A value that `schema` permits, so far as its common words say: one of its choices wherever it has some, picked by `pick`.
pub(crate) fn permitted(schema: &Value, pick: u64) -> Value {
    Permits { root: schema, pick, depth: 0 }.of(schema)
}

/// The same with another value wherever there is a choice.
pub(crate) fn forbidden(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), forbidden(value))).collect())
        }
        Value::String(_) => json!("something that nobody permitted"),
        Value::Number(_) => json!(i64::MAX),
        other => other.clone(),
    }
}

struct Permits<'a> {
    root: &'a Value,
    pick: u64,
    depth: usize,
}

impl Permits<'_> {
    fn of(&mut self, schema: &Value) -> Value {
        self.depth += 1;
        let value = if self.depth > DEPTH_MAX { Value::Null } else { self.filled(schema) };
        self.depth -= 1;
        value
    }

    fn filled(&mut self, schema: &Value) -> Value {
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(Value::Array(choices)) = schema.get("enum") {
            return self.one_of(choices).cloned().unwrap_or_default();
        }
        if let Some(Value::Array(ways)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            return self.one_of(ways).map_or(Value::Null, |way| self.of(way));
        }
        if let Some(Value::String(place)) = schema.get("$ref") {
            let root = self.root;
            return place.strip_prefix('#').and_then(|at| root.pointer(at)).map_or(Value::Null, |there| self.of(there));
        }
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
            kind => kind.and_then(Value::as_str),
        };
        match kind {
            Some("object") => self.object(schema),
            Some("array") => self.array(schema),
            Some("string") => text(schema),
            Some("integer") => json!(self.integer(schema)),
            Some("number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
            Some("boolean") => json!(self.pick.is_multiple_of(2)),
            _ => Value::Null,
        }
    }

    /// One by the pick; each further choice goes by other bits of it.
    fn one_of<'v>(&mut self, choices: &'v [Value]) -> Option<&'v Value> {
        let count = u64::try_from(choices.len()).ok()?;
        self.pick = mixed(self.pick, count);
        let at = self.pick.checked_rem(count)?;
        choices.get(usize::try_from(at).ok()?)
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut members = Map::new();
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, schema) in properties {
                members.insert(name.clone(), self.of(schema));
            }
        }
        Value::Object(members)
    }

    fn array(&mut self, schema: &Value) -> Value {
        let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(100);
        let items = schema.get("items").unwrap_or(&Value::Null);
        Value::Array((0..count).map(|_| self.of(items)).collect())
    }

    fn integer(&mut self, schema: &Value) -> i64 {
        let least = schema.get("minimum").and_then(Value::as_i64).unwrap_or(0);
        let most = schema.get("maximum").and_then(Value::as_i64).unwrap_or(least);
        let count = u64::try_from(most.saturating_sub(least)).unwrap_or(0).saturating_add(1);
        self.pick = mixed(self.pick, count);
        least.saturating_add(i64::try_from(self.pick % count).unwrap_or(0))
    }
}

fn text(schema: &Value) -> Value {
    let longest = schema.get("maxLength").and_then(Value::as_u64).and_then(|longest| usize::try_from(longest).ok());
    let words: String = "because it was asked".chars().take(longest.unwrap_or(usize::MAX)).collect();
    Value::String(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_member_with_a_value_that_is_permitted() {
        let queues = ["general", "billing", "cards"];
        let schema = json!({
            "type": "object",
            "properties": {
                "queue": {"type": "string", "enum": queues},
                "priority": {"type": "integer", "minimum": 2, "maximum": 3},
                "reason": {"type": "string", "maxLength": 7},
                "urgent": {"type": "boolean"},
                "kind": {"const": "ticket"},
                "either": {"anyOf": [{"enum": [1]}, {"$ref": "#/$defs/two"}]},
                "tags": {"type": "array", "items": {"enum": ["a"]}, "minItems": 2},
            },
            "$defs": {"two": {"const": 2}},
        });
        let mut chosen = std::collections::BTreeSet::new();
        for pick in 0..100 {
            let value = permitted(&schema, pick);
            assert_eq!(value, permitted(&schema, pick));
            assert_eq!(value.as_object().unwrap().len(), 7);
            let queue = value["queue"].as_str().unwrap();
            assert!(queues.contains(&queue));
            chosen.insert(queue.to_owned());
            assert!((2..=3).contains(&value["priority"].as_i64().unwrap()));
            assert_eq!(value["reason"], "because");
            assert_eq!(value["kind"], "ticket");
            assert!([1, 2].contains(&value["either"].as_i64().unwrap()));
            assert_eq!(value["tags"], json!(["a", "a"]));
            assert!(!queues.contains(&forbidden(&value)["queue"].as_str().unwrap()));
        }
        assert_eq!(chosen.len(), 3, "each choice is picked by some request");
    }

    #[test]
    fn a_schema_that_never_ends_is_cut() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(permitted(&schema, 0).to_string().len() < 1_000);
        assert_eq!(permitted(&json!("not a schema"), 0), Value::Null);
    }
}
