//! A TOML file as sections and nodes that know their places.

use std::cell::RefCell;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Fault, Faults, Place};
use crate::domain::{Decimal, Money, Raw, TimeDelta, suggestion};

/// Gathers the faults of one or more documents.
#[derive(Debug, Default)]
pub struct FaultSink(RefCell<Vec<Fault>>);

/// A parsed TOML file.
#[derive(Debug)]
pub struct Document<'t> {
    file: Arc<str>,
    text: &'t str,
    /// Byte offsets at which lines start.
    lines: Vec<usize>,
    root: Spanned<DeTable<'t>>,
    sink: &'t FaultSink,
    /// Whether places within the text mean anything to its author.
    has_places: bool,
}

/// A table of a document: hands out its entries by key and knows afterwards which keys nobody asked for.
#[derive(Debug)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    key: String,
    start: usize,
    asked: RefCell<Vec<&'static str>>,
}

/// A value of a document.
#[derive(Debug, Clone)]
pub struct Node<'d> {
    document: &'d Document<'d>,
    value: &'d Spanned<DeValue<'d>>,
    key: String,
}

// === impl FaultSink ===

impl FaultSink {
    /// Notes a fault.
    pub fn add(&self, place: Place, key: &str, message: impl Into<String>) {
        self.0.borrow_mut().push(Fault { place, key: key.to_owned(), message: message.into() });
    }

    /// How many faults were noted so far.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether none was noted so far.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All faults noted.
    pub fn into_faults(self) -> Faults {
        Faults::new(self.0.into_inner())
    }
}

// === impl Document ===

impl<'t> Document<'t> {
    /// Parses a file; syntax faults go to the sink, and what could be read is returned all the same.
    pub fn parse(file: &str, text: &'t str, sink: &'t FaultSink) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let document = Self { file: file.into(), text, lines, root, sink, has_places: true };
        // One slip makes the parser stumble several times; the first of a line is the one to mend.
        let mut last_line = 0;
        for error in errors {
            let place = document.place(error.span().map_or(0, |span| span.start));
            if place.line != last_line {
                last_line = place.line;
                sink.add(place, "", format!("not readable as TOML: {}", error.message()));
            }
        }
        document
    }

    /// Parses a text that its author never saw, such as the TOML that an environment variable stands for: faults name only
    /// where it comes from.
    pub fn parse_derived(origin: &str, text: &'t str, sink: &'t FaultSink) -> Self {
        let mut document = Self::parse(origin, text, sink);
        document.has_places = false;
        document
    }

    /// The file's top-level table.
    pub fn root(&self) -> Section<'_> {
        Section::new(self, self.root.get_ref(), String::new(), 0)
    }

    /// Line and column of a byte offset.
    fn place(&self, offset: usize) -> Place {
        if !self.has_places {
            return Place::file(&self.file);
        }
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Place { file: Arc::clone(&self.file), line: line as u32, column: before.chars().count() as u32 + 1 }
    }
}

// === impl Section ===

impl<'d> Section<'d> {
    fn new(document: &'d Document<'d>, table: &'d DeTable<'d>, key: String, start: usize) -> Self {
        Self { document, table, key, start, asked: RefCell::default() }
    }

    /// The value under a key, if it is there.
    pub fn get(&self, key: &'static str) -> Option<Node<'d>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table.get_key_value(key).map(|(_, value)| self.node(key, value))
    }

    /// Names keys that may stand here, whether or not they are asked for.
    pub fn allow(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// The value under a key that must be there.
    pub fn require(&self, key: &'static str, expected: &str) -> Option<Node<'d>> {
        let node = self.get(key);
        if node.is_none() {
            self.fault(format!("the key `{key}` is missing: {expected}"));
        }
        node
    }

    /// Every entry, for tables whose keys are names of the author's choice.
    pub fn entries(&self) -> Vec<(String, Node<'d>)> {
        let entry = |(key, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), self.node(key, value))
        };
        self.table.iter().map(entry).collect()
    }

    /// Notes every key that was not asked for, with the nearest one that was.
    pub fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table {
            let name = key.get_ref();
            if asked.iter().any(|known| *known == name) {
                continue;
            }
            let mut hint = suggestion(name, asked.iter().copied());
            if hint.is_empty() {
                hint =
                    format!("; known here: {}", asked.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "));
            }
            let place = self.document.place(key.span().start);
            self.document.sink.add(place, &joined(&self.key, name), format!("unknown key{hint}"));
        }
    }

    /// Notes a fault of the section as a whole.
    pub fn fault(&self, message: impl Into<String>) {
        self.document.sink.add(self.place(), &self.key, message);
    }

    /// Where the section begins.
    pub fn place(&self) -> Place {
        self.document.place(self.start)
    }

    fn node(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Node<'d> {
        Node { document: self.document, value, key: joined(&self.key, key) }
    }
}

fn joined(section: &str, key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if plain { key.to_owned() } else { format!("{key:?}") };
    if section.is_empty() { key } else { format!("{section}.{key}") }
}

// === impl Node ===

impl<'d> Node<'d> {
    /// Where the value stands.
    pub fn place(&self) -> Place {
        self.document.place(self.value.span().start)
    }

    /// The key under which it stands.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Notes a fault of this value.
    pub fn fault(&self, message: impl Into<String>) {
        self.document.sink.add(self.place(), &self.key, message);
    }

    /// Notes a fault at a byte offset within this value's text.
    pub fn fault_within(&self, offset: usize, message: impl Into<String>) {
        let place = self.document.place(self.start_of_text() + offset);
        self.document.sink.add(place, &self.key, message);
    }

    /// Where the text of a string begins in the file. Escapes shift what follows them, so a text that has any is placed
    /// at its start.
    fn start_of_text(&self) -> usize {
        let span = self.value.span();
        let (DeValue::String(text), Some(source)) = (self.value.get_ref(), self.document.text.get(span.clone())) else {
            return span.start;
        };
        source.find(text.as_ref()).map_or(span.start, |at| span.start + at)
    }

    /// A text.
    pub fn text(&self) -> Option<&'d str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => self.wrong("a text"),
        }
    }

    /// True or false.
    pub fn bool(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong("true or false"),
        }
    }

    /// A whole number within bounds.
    pub fn int(&self, min: i64, max: i64) -> Option<i64> {
        let expected = || match (min, max) {
            (i64::MIN, i64::MAX) => "a whole number".to_owned(),
            (min, i64::MAX) => format!("a whole number from {min}"),
            (min, max) => format!("a whole number from {min} to {max}"),
        };
        match self.raw_value() {
            Some(Raw::Int(value)) if (min..=max).contains(&value) => Some(value),
            _ => self.wrong(&expected()),
        }
    }

    /// A decimal number; whole numbers count.
    pub fn decimal(&self) -> Option<Decimal> {
        match self.raw_value() {
            Some(Raw::Decimal(value)) => Some(value),
            Some(Raw::Int(value)) => Decimal::from_int(value).or_else(|| self.wrong("a smaller number")),
            _ => self.wrong("a number with at most 4 decimal places"),
        }
    }

    /// An amount of money, read by its text, so that it is exact; a text counts as well as a number.
    pub fn money(&self) -> Option<Money> {
        let amount = match self.value.get_ref() {
            DeValue::String(text) => text.parse().ok(),
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        amount.or_else(|| {
            self.wrong("an amount of money from 0, such as 2.50 or \"0.000125\", with at most 9 decimal places")
        })
    }

    /// A number as models have them, in binary floating point, within bounds.
    pub fn number(&self, min: f64, max: f64) -> Option<f64> {
        let number = match self.value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (min..=max).contains(&number) => Some(number),
            _ => self.wrong(&format!("a number from {min} to {max}")),
        }
    }

    /// A duration such as `24h`, within bounds.
    pub fn duration(&self, min: TimeDelta, max: TimeDelta) -> Option<TimeDelta> {
        let delta = match self.value.get_ref() {
            DeValue::String(text) => text.parse::<TimeDelta>().ok(),
            _ => None,
        };
        match delta {
            Some(delta) if (min..=max).contains(&delta) => Some(delta),
            Some(_) => self.wrong(&format!("a duration from {min} to {max}")),
            None => self.wrong("a duration such as \"50ms\", \"24h\" or \"1h30m\""),
        }
    }

    /// A size such as `64MiB`, in bytes within bounds; a bare whole number is bytes.
    pub fn bytes(&self, min: u64, max: u64) -> Option<u64> {
        let size = match self.value.get_ref() {
            DeValue::String(text) => parse_bytes(text),
            DeValue::Integer(_) => match self.raw_value() {
                Some(Raw::Int(value)) => u64::try_from(value).ok(),
                _ => None,
            },
            _ => None,
        };
        match size {
            Some(size) if (min..=max).contains(&size) => Some(size),
            Some(_) => self.wrong(&format!("a size from {} to {}", show_bytes(min), show_bytes(max))),
            None => self.wrong("a size such as \"64KiB\", \"16MiB\" or \"2GiB\""),
        }
    }

    /// A list.
    pub fn list(&self) -> Option<Vec<Node<'d>>> {
        match self.value.get_ref() {
            DeValue::Array(items) => {
                let node = |(i, value)| Node { document: self.document, value, key: format!("{}[{i}]", self.key) };
                Some(items.iter().enumerate().map(node).collect())
            }
            _ => self.wrong("a list"),
        }
    }

    /// A list of texts.
    pub fn texts(&self) -> Option<Vec<&'d str>> {
        self.list()?.iter().map(Node::text).collect()
    }

    /// A table.
    pub fn section(&self) -> Option<Section<'d>> {
        match self.value.get_ref() {
            DeValue::Table(table) => {
                Some(Section::new(self.document, table, self.key.clone(), self.value.span().start))
            }
            _ => self.wrong("a table"),
        }
    }

    /// Whether the value is a table.
    pub fn is_section(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    /// Whether the value is a list.
    pub fn is_text(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::String(_))
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Array(_))
    }

    /// The value untyped, to be typed by a schema.
    pub fn raw(&self) -> Option<Raw> {
        self.raw_value().or_else(|| self.wrong("a text, a number, true or false, or a list of these"))
    }

    fn raw_value(&self) -> Option<Raw> {
        raw(self.value.get_ref())
    }

    fn wrong<T>(&self, expected: &str) -> Option<T> {
        self.fault(format!("expected {expected}, found `{}`", self.shown()));
        None
    }

    /// The value as it stands in the file, shortened.
    fn shown(&self) -> String {
        const SHOWN: usize = 60;
        let source = self.document.text.get(self.value.span()).unwrap_or_default();
        let line = source.lines().next().unwrap_or_default();
        match line.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line.to_owned(),
        }
    }
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    Some(match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Integer(number) => Raw::Int(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        // Decimals are read by their text, so that they are exact.
        DeValue::Float(number) => Raw::Decimal(number.as_str().parse().ok()?),
        DeValue::Datetime(time) => Raw::Text(time.to_string()),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect::<Option<_>>()?),
        DeValue::Table(_) => return None,
    })
}

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

fn parse_bytes(text: &str) -> Option<u64> {
    let (unit, factor) = SIZES.iter().find(|(unit, _)| text.ends_with(unit))?;
    text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(*factor)
}

fn show_bytes(bytes: u64) -> String {
    let (unit, factor) =
        SIZES.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor)).unwrap_or(&SIZES[3]);
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_fault_with_its_place() {
        let text = r#"
name = 5
size = "64KB"
bugdet = "5ms"
wait = "5"
count = 99
[deep]
when = 'a && b'
list = [1, "x"]
"#;
        let sink = FaultSink::default();
        let document = Document::parse("x.toml", text, &sink);
        let root = document.root();
        assert_eq!(root.get("name").and_then(|n| n.text().map(str::to_owned)), None);
        assert_eq!(root.get("size").and_then(|n| n.bytes(1, 1 << 30)), None);
        assert_eq!(root.get("wait").and_then(|n| n.duration(TimeDelta::SECOND, TimeDelta::HOUR)), None);
        assert_eq!(root.get("count").and_then(|n| n.int(1, 10)), None);
        assert!(root.require("budget", "a duration").is_none());
        let deep = root.get("deep").and_then(|n| n.section()).unwrap();
        deep.get("when").unwrap().fault_within(5, "unknown name `b`");
        assert_eq!(deep.get("list").and_then(|n| n.texts()), None);
        root.refuse_unknown();
        deep.refuse_unknown();
        drop(document);
        insta::assert_snapshot!(sink.into_faults(), @r#"
        8 faults in the configuration:
          x.toml:1:1: the key `budget` is missing: a duration
          x.toml:2:8: `name`: expected a text, found `5`
          x.toml:3:8: `size`: expected a size such as "64KiB", "16MiB" or "2GiB", found `"64KB"`
          x.toml:4:1: `bugdet`: unknown key (did you mean `budget`?)
          x.toml:5:8: `wait`: expected a duration such as "50ms", "24h" or "1h30m", found `"5"`
          x.toml:6:9: `count`: expected a whole number from 1 to 10, found `99`
          x.toml:8:14: `deep.when`: unknown name `b`
          x.toml:9:9: `deep.list[0]`: expected a text, found `1`
        "#);
    }

    #[test]
    fn reads_numbers_exactly_and_sizes_with_units() {
        let sink = FaultSink::default();
        let document = Document::parse("x.toml", "a = 10.10\nb = '2GiB'\nc = 0x10\nd = 5\ne = '0.000000001'\n", &sink);
        let root = document.root();
        assert_eq!(root.get("a").unwrap().raw(), Some(Raw::Decimal("10.1".parse().unwrap())));
        assert_eq!(root.get("b").unwrap().bytes(0, u64::MAX), Some(2 << 30));
        assert_eq!(root.get("c").unwrap().int(0, 100), Some(16));
        assert_eq!(root.get("d").unwrap().decimal(), Decimal::from_int(5));
        assert_eq!(root.get("a").unwrap().money(), "10.1".parse().ok());
        assert_eq!(root.get("d").unwrap().money(), "5".parse().ok());
        assert_eq!(root.get("e").unwrap().money(), "0.000000001".parse().ok());
        drop(document);
        assert!(sink.is_empty());
    }

    #[test]
    fn a_slip_in_the_syntax_is_one_fault_and_the_rest_is_still_read() {
        let sink = FaultSink::default();
        let document = Document::parse("x.toml", "a = = 1\nb = 2\n", &sink);
        assert_eq!(document.root().get("b").unwrap().int(0, 5), Some(2));
        drop(document);
        insta::assert_snapshot!(sink.into_faults(), @"
        1 fault in the configuration:
          x.toml:1:5: not readable as TOML: extra `=`, expected nothing
        ");
    }
}
