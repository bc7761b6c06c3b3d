//! The page of metrics as it is read: Prometheus' text format, and OpenMetrics, of which only the samples matter here.

use std::collections::BTreeMap;

/// Every sample of a page, by name and in the page's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page(BTreeMap<String, Vec<Sample>>);

/// Names and values, in the page's order.
pub(super) type Labels = Vec<(String, String)>;

/// One line of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// What is no page of metrics.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the page of metrics cannot be read: `{text}` {wrong}")]
pub(super) struct PageError {
    line: usize,
    text: String,
    wrong: &'static str,
}

/// Characters of a line that are shown of one that cannot be read.
const SHOWN_MAX: usize = 80;

impl Sample {
    /// The value of a label; empty where there is none, as it means the same.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether all these labels have these values.
    pub(super) fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.label(name) == *value)
    }
}

impl Page {
    pub(super) fn parse(text: &str) -> Result<Self, PageError> {
        let mut page = Self::default();
        for (nth, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, sample) = sample(line).map_err(|wrong| PageError {
                line: nth + 1,
                text: line.chars().take(SHOWN_MAX).collect(),
                wrong,
            })?;
            page.0.entry(name.to_owned()).or_default().push(sample);
        }
        Ok(page)
    }

    /// The samples of a name.
    pub(super) fn all(&self, name: &str) -> &[Sample] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// What a name has in all; `None` if the page does not have it.
    pub(super) fn total(&self, name: &str) -> Option<f64> {
        let samples = self.all(name);
        (!samples.is_empty()).then(|| samples.iter().map(|sample| sample.value).sum())
    }

    /// The values that a label has in the samples of a name, each once, in the page's order.
    pub(super) fn values<'p>(&'p self, name: &str, label: &str) -> Vec<&'p str> {
        let mut values: Vec<&str> = Vec::new();
        for sample in self.all(name) {
            let value = sample.label(label);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

fn sample(line: &str) -> Result<(&str, Sample), &'static str> {
    let end = line.find(['{', ' ', '\t']).ok_or("has no value")?;
    let (name, rest) = line.split_at(end);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("does not begin with a name");
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), rest),
    };
    // What follows the value is a time, or an exemplar.
    let value = rest.split_whitespace().next().ok_or("has no value")?;
    let value = number(value).ok_or("has a value that is no number")?;
    Ok((name, Sample { labels, value }))
}

/// Reads labels up to the closing brace; returns them and what follows it.
fn labels(mut rest: &str) -> Result<(Labels, &str), &'static str> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok((labels, behind));
        }
        let (name, quoted) = rest.split_once('=').ok_or("has a label without a value")?;
        let quoted = quoted.trim_start().strip_prefix('"').ok_or("has a label's value without quotes")?;
        let (value, behind) = unquoted(quoted).ok_or("has a label's value that does not end")?;
        labels.push((name.trim().to_owned(), value));
        rest = behind;
    }
}

/// A text up to its closing quote, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// A number as Go writes it.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(name: &str, sample: &Sample) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        format!("{name}{labels} {}", sample.value)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            samples in prop::collection::vec(
                ("[a-z_:][a-z0-9_:]{0,8}", prop::collection::vec(("[a-z]{1,4}", "[ -~é\n]{0,12}"), 0..4), -1e12..1e12),
                0..20,
            ),
        ) {
            let mut page = Page::default();
            let mut text = "# HELP a b\n\n".to_owned();
            for (name, labels, value) in samples {
                let sample = Sample { labels, value };
                text.push_str(&written(&name, &sample));
                text.push('\n');
                page.0.entry(name).or_default().push(sample);
            }
            prop_assert_eq!(Page::parse(&text).unwrap(), page);
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in "[a-z0-9{}=\", #\\\\.\n+-]{0,80}") {
            let _ = Page::parse(&text);
        }
    }

    #[test]
    fn times_exemplars_and_numbers_of_go_are_understood() {
        let text = "a_bucket{le=\"+Inf\"} 3 # {trace_id=\"x\"} 0.5\nb 1e-3 1700000000\nc NaN\nd +Inf\n# EOF\n";
        let page = Page::parse(text).unwrap();
        assert_eq!((page.total("a_bucket"), page.total("b"), page.total("e")), (Some(3.0), Some(0.001), None));
        assert!(page.total("c").unwrap().is_nan() && page.total("d") == Some(f64::INFINITY));
    }

    #[test]
    fn what_is_no_page_says_where() {
        let told = |text: &str| Page::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(
            ["<html>", "a 1\nb{x=1} 2", "a{x=\"1} 2", "a one", "9a 1"].map(told).join("\n"),
            @r##"
        line 1 of the page of metrics cannot be read: `<html>` has no value
        line 2 of the page of metrics cannot be read: `b{x=1} 2` has a label's value without quotes
        line 1 of the page of metrics cannot be read: `a{x="1} 2` has a label's value that does not end
        line 1 of the page of metrics cannot be read: `a one` has a value that is no number
        line 1 of the page of metrics cannot be read: `9a 1` does not begin with a name
        "##
        );
    }
}
