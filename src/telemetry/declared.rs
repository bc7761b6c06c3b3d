//! What a series is declared with: what it means, when to look at it, which labels it has and where their values come from.

use prometheus::proto::LabelPair;

use super::exemplar::Traces;

/// What a series means, and when to look at it.
///
/// Made from a text alone, or from a text and the sentence that says when to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help {
    /// The line beside `# HELP`.
    pub(super) meaning: String,
    /// Stands in the reference only.
    pub(super) look: Option<String>,
}

/// A label of a series, and where its values come from.
///
/// Made from a name alone it says nothing of its values; the test of the reference refuses that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub(super) name: String,
    pub(super) values: Values,
}

/// Where the values of a label come from. There is no other way: a value that a request could bring would have no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Nobody said.
    Unsaid,
    /// These words.
    Words(Vec<&'static str>),
    /// What this says: something that the configuration bounds.
    Named(&'static str),
}

/// The type of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A family of series as it was declared.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) kind: Kind,
    pub(super) help: Help,
    pub(super) labels: Vec<Label>,
    /// The latest traces in a histogram's buckets.
    pub(super) traces: Traces,
}

/// Units that may stand at the end of a name.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

impl From<&str> for Help {
    fn from(meaning: &str) -> Self {
        Self { meaning: meaning.to_owned(), look: None }
    }
}

impl From<(&str, &str)> for Help {
    fn from((meaning, look): (&str, &str)) -> Self {
        Self { meaning: meaning.to_owned(), look: Some(look.to_owned()) }
    }
}

impl Label {
    /// A label whose values are these words and no others.
    pub fn words(name: &str, words: impl IntoIterator<Item = &'static str>) -> Self {
        Self { name: name.to_owned(), values: Values::Words(words.into_iter().collect()) }
    }

    /// A label whose values are names out of the configuration; `source` says which, as in "playbooks of the bundle in force".
    pub fn named(name: &str, source: &'static str) -> Self {
        Self { name: name.to_owned(), values: Values::Named(source) }
    }

    /// The playbooks of the bundle in force.
    pub fn playbook() -> Self {
        Self::named("playbook", "playbooks of the bundle in force")
    }
}

#[cfg(test)]
impl Label {
    /// Whether it may have a value.
    pub(super) fn has(&self, value: &str) -> bool {
        match &self.values {
            Values::Words(words) => words.contains(&value),
            Values::Named(_) | Values::Unsaid => true,
        }
    }
}

impl From<&str> for Label {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), values: Values::Unsaid }
    }
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The unit that a name ends in, if it does: that of a counter stands before its `_total`.
pub(super) fn unit_of(name: &str) -> Option<&'static str> {
    let family = name.strip_suffix("_total").unwrap_or(name);
    UNITS.into_iter().find(|unit| family.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
}

/// The values of one series' labels.
#[derive(Clone, Copy, Debug)]
pub struct LabelValues<'a>(pub(super) &'a [LabelPair]);

impl<'a> LabelValues<'a> {
    /// The value of a label; `None` for a series that has none of this name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|pair| pair.name() == name).map(LabelPair::value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_stands_at_the_end_of_a_name_and_before_total() {
        assert_eq!(unit_of("forthwith_decision_seconds"), Some("seconds"));
        assert_eq!(unit_of("forthwith_journal_bytes_total"), Some("bytes"));
        assert_eq!(unit_of("forthwith_model_accepted_ratio_expected"), None);
        assert_eq!(unit_of("forthwith_milliseconds"), None);
        assert_eq!(unit_of("forthwith_shed_total"), None);
    }
}
