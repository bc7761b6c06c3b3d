//! Labelled texts, looked through before anything is learnt from them.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::inference::{Filled, TEXT_LABELS_MAX, TextCounter};

/// Logits that training keeps at most, one for each row and label: 400 MB.
const LOGITS_MAX: usize = 100_000_000;

/// Lines that a refusal names at most.
const NAMED_MAX: usize = 10;

/// A text as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledText {
    /// Its parts: subject and body, say.
    pub parts: Vec<String>,
    /// What it is.
    pub label: String,
    /// Where it stood, for messages.
    pub line: u64,
}

/// What is asked of labelled texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// The fewest rows that a label may have.
    pub rows_min: usize,
    /// Whether labels with fewer are left out instead of refused.
    pub drops_rare_labels: bool,
    /// Whether texts without a word are left out instead of refused.
    pub drops_empty_texts: bool,
    /// Bytes of a text that are read.
    pub text_bytes_max: usize,
}

/// Texts that can be learnt from: at least two labels, each with enough rows, and a word in every text.
#[derive(Clone, Debug)]
pub struct LabelledTexts {
    /// In the order of their names.
    pub(super) labels: Vec<String>,
    pub(super) rows: Vec<LabelledRow>,
    /// What was seen on the way.
    pub findings: Findings,
}

/// One text, with what it fills.
#[derive(Clone, Debug)]
pub(super) struct LabelledRow {
    pub(super) parts: Vec<String>,
    pub(super) label: u16,
    pub(super) filled: Vec<Filled>,
    /// The first row that reads the same.
    pub(super) same_as: usize,
    /// Whether an earlier row reads the same and has the same label: it tells nothing new.
    pub(super) is_copy: bool,
}

/// What was seen in labelled texts that does not stop training, but should be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Labels that were left out for having too few rows, with how many they had.
    pub dropped_labels: Vec<(String, usize)>,
    /// How many texts without a word were left out.
    pub dropped_texts: usize,
    /// How many rows read the same as an earlier one of the same label.
    pub duplicates: usize,
    /// Rows that read the same as an earlier one but have another label.
    pub contradictions: Vec<Contradiction>,
}

/// Two rows that read the same and have different labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The line of the first, and its label.
    pub first: (u64, String),
    /// The line of the other, and its label.
    pub second: (u64, String),
}

/// Why nothing can be learnt from texts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// There is no row.
    #[error("there is no row to learn from")]
    NoRows,
    /// Texts without a letter or a digit.
    #[error(
        "texts without a letter or a digit: {}; take these rows out, or have them left out with --skip-empty",
        named_lines(.lines, *.count)
    )]
    EmptyTexts {
        /// How many.
        count: usize,
        /// The lines of the first.
        lines: Vec<u64>,
    },
    /// Labels with too few rows.
    #[error(
        "labels with fewer than {min} rows: {}; label more rows of them, have them left out with --drop-rare, or ask for less \
         with --labels-min",
        few(.labels)
    )]
    RareLabels {
        /// Each with its rows.
        labels: Vec<(String, usize)>,
        /// How many it would take.
        min: usize,
    },
    /// Nothing to tell apart.
    #[error("a classifier tells at least 2 labels apart; here {}", match .0 { 0 => "is none", _ => "is 1" })]
    FewLabels(usize),
    /// More labels than a model may have.
    #[error("{0} labels are more than a model tells apart, {TEXT_LABELS_MAX}; is this the column of the labels?")]
    ManyLabels(usize),
    /// More rows and labels than fit into memory.
    #[error(
        "{rows} rows of {labels} labels are more than can be learnt from at once; {rows_max} rows would do: take a sample"
    )]
    TooLarge {
        /// How many rows.
        rows: usize,
        /// How many labels.
        labels: usize,
        /// How many rows would do.
        rows_max: usize,
    },
}

fn named_lines(lines: &[u64], count: usize) -> String {
    let named: Vec<String> = lines.iter().map(u64::to_string).collect();
    let (s, rest) = (if count == 1 { "" } else { "s" }, count - lines.len());
    let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("line{s} {}{rest}", named.join(", "))
}

fn few(labels: &[(String, usize)]) -> String {
    let mut named: Vec<String> =
        labels.iter().take(NAMED_MAX).map(|(label, rows)| format!("`{label}` has {rows}")).collect();
    if labels.len() > NAMED_MAX {
        named.push(format!("and {} more", labels.len() - NAMED_MAX));
    }
    named.join(", ")
}

impl LabelledTexts {
    /// Looks texts through; or says everything for which nothing can be learnt from them.
    pub fn of(texts: Vec<LabelledText>, demands: &Demands) -> Result<Self, Vec<Refusal>> {
        if texts.is_empty() {
            return Err(vec![Refusal::NoRows]);
        }
        let (mut refusals, mut findings) = (Vec::new(), Findings::default());
        let mut counter = TextCounter::default();
        let fill = |text: LabelledText| {
            let filled = counter.count(text.parts.iter().map(String::as_str), demands.text_bytes_max);
            (text, filled)
        };
        let (texts, empty): (Vec<_>, Vec<_>) = texts.into_iter().map(fill).partition(|(_, filled)| !filled.is_empty());
        if demands.drops_empty_texts {
            findings.dropped_texts = empty.len();
        } else if !empty.is_empty() {
            let lines = empty.iter().take(NAMED_MAX).map(|(text, _)| text.line).collect();
            refusals.push(Refusal::EmptyTexts { count: empty.len(), lines });
        }
        let labels = enough(&texts, demands, &mut refusals, &mut findings);
        let rows = rows(texts, &labels, &mut findings);
        if rows.len() * labels.len() > LOGITS_MAX {
            let rows_max = LOGITS_MAX / labels.len();
            refusals.push(Refusal::TooLarge { rows: rows.len(), labels: labels.len(), rows_max });
        }
        if refusals.is_empty() { Ok(Self { labels, rows, findings }) } else { Err(refusals) }
    }

    /// The labels, in the order in which models tell them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The parts of a text.
    pub fn parts(&self, row: usize) -> impl Iterator<Item = &str> {
        self.rows[row].parts.iter().map(String::as_str)
    }

    /// How many texts each label has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.labels.len()];
        self.rows.iter().for_each(|row| counts[usize::from(row.label)] += 1);
        counts
    }
}

/// The labels that have enough rows, in the order of their names.
fn enough(
    texts: &[(LabelledText, Vec<Filled>)],
    demands: &Demands,
    refusals: &mut Vec<Refusal>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (text, _) in texts {
        *counts.entry(&text.label).or_default() += 1;
    }
    if counts.len() > TEXT_LABELS_MAX {
        refusals.push(Refusal::ManyLabels(counts.len()));
        return Vec::new();
    }
    let owned = |(label, rows): (&str, usize)| (label.to_owned(), rows);
    let (common, rare): (Vec<_>, Vec<_>) =
        counts.into_iter().map(owned).partition(|(_, rows)| *rows >= demands.rows_min);
    if demands.drops_rare_labels {
        findings.dropped_labels = rare;
    } else if !rare.is_empty() {
        refusals.push(Refusal::RareLabels { labels: rare, min: demands.rows_min });
    }
    if common.len() < 2 {
        refusals.push(Refusal::FewLabels(common.len()));
    }
    common.into_iter().map(|(label, _)| label).collect()
}

fn rows(texts: Vec<(LabelledText, Vec<Filled>)>, labels: &[String], findings: &mut Findings) -> Vec<LabelledRow> {
    let mut rows: Vec<LabelledRow> = Vec::with_capacity(texts.len());
    let mut lines = Vec::with_capacity(texts.len());
    let mut first: BTreeMap<Vec<Filled>, usize> = BTreeMap::new();
    let mut known: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (text, filled) in texts {
        let Ok(label) = labels.binary_search(&text.label) else { continue };
        let same_as = *first.entry(filled.clone()).or_insert(rows.len());
        let is_copy = !known.insert((same_as, label));
        if is_copy {
            findings.duplicates += 1;
        } else if let Some(earlier) = rows.get(same_as) {
            let first = (lines[same_as], labels[usize::from(earlier.label)].clone());
            findings.contradictions.push(Contradiction { first, second: (text.line, text.label) });
        }
        lines.push(text.line);
        // There are at most 4,096 labels.
        rows.push(LabelledRow { parts: text.parts, label: label as u16, filled, same_as, is_copy });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMANDS: Demands =
        Demands { rows_min: 2, drops_rare_labels: false, drops_empty_texts: false, text_bytes_max: 1_000 };

    fn texts(rows: &[(&str, &str)]) -> Vec<LabelledText> {
        let text = |(at, (text, label)): (usize, &(&str, &str))| LabelledText {
            parts: vec![(*text).to_owned()],
            label: (*label).to_owned(),
            line: at as u64 + 2,
        };
        rows.iter().enumerate().map(text).collect()
    }

    #[test]
    fn labels_are_in_the_order_of_their_names_whatever_that_of_the_rows() {
        let found = LabelledTexts::of(
            texts(&[("lost", "cards"), ("paid", "billing"), ("stolen", "cards"), ("owed", "billing")]),
            &DEMANDS,
        );
        let found = found.unwrap();
        assert_eq!(found.labels(), ["billing", "cards"]);
        assert_eq!(found.counts(), [2, 2]);
        assert_eq!(found.findings, Findings::default());
    }

    #[test]
    fn tells_everything_for_which_nothing_can_be_learnt() {
        let rows = [("lost", "cards"), ("?!", "cards"), ("", "cards"), ("paid", "billing"), ("stolen", "cards")];
        let told = |refusals: Vec<Refusal>| refusals.iter().map(|r| format!("{r}\n")).collect::<String>();
        let mixed = LabelledTexts::of(texts(&rows), &DEMANDS).unwrap_err();
        let none = LabelledTexts::of(Vec::new(), &DEMANDS).unwrap_err();
        let many: Vec<String> = (0..TEXT_LABELS_MAX + 1).map(|n| format!("l{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|label| ("a", label.as_str())).collect();
        let many = LabelledTexts::of(texts(&many), &DEMANDS).unwrap_err();
        insta::assert_snapshot!(told(mixed) + "\n" + &told(none) + "\n" + &told(many));
    }

    #[test]
    fn leaves_out_what_it_is_told_to_and_says_so() {
        let rows = [
            ("lost", "cards"),
            ("?!", "cards"),
            ("stolen", "cards"),
            ("paid", "billing"),
            ("owed", "billing"),
            ("x", "y"),
        ];
        let demands = Demands { drops_rare_labels: true, drops_empty_texts: true, ..DEMANDS };
        let found = LabelledTexts::of(texts(&rows), &demands).unwrap();
        assert_eq!((found.len(), found.labels().len()), (4, 2));
        assert_eq!(found.findings.dropped_labels, [("y".to_owned(), 1)]);
        assert_eq!(found.findings.dropped_texts, 1);
    }

    #[test]
    fn finds_rows_that_read_the_same() {
        let rows = [
            ("Lost card", "cards"),
            ("paid", "billing"),
            ("lost CARD!", "cards"),
            ("lost card?", "billing"),
            ("LOST card", "billing"),
        ];
        let found = LabelledTexts::of(texts(&rows), &DEMANDS).unwrap();
        assert_eq!(found.findings.duplicates, 2);
        let expected = Contradiction { first: (2, "cards".to_owned()), second: (5, "billing".to_owned()) };
        assert_eq!(found.findings.contradictions, [expected]);
        assert_eq!(found.rows.iter().map(|row| row.same_as).collect::<Vec<_>>(), [0, 1, 0, 0, 0]);
        assert_eq!(found.rows.iter().map(|row| row.is_copy).collect::<Vec<_>>(), [false, false, true, false, true]);
    }
}
