//! A comparison in words and in JSON.

use serde_json::{Value, json};

use super::{Compared, Comparison, Finding, JudgedBy, Side};
use crate::reports::tables::Table;
use crate::reports::terminal::{markdown, push};
use crate::reports::units::{self, Unit};
use crate::reports::verdict::number;

impl Comparison {
    /// A verdict in a line, warnings, and a table: Markdown.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        push(&mut text, format_args!("**B against A** {}\n", self.line()));
        for warning in &self.warnings {
            push(&mut text, format_args!("- warning: {warning}"));
        }
        if !self.warnings.is_empty() {
            push(&mut text, format_args!(""));
        }
        push(&mut text, format_args!("A: {}\nB: {}", self.a.told(), self.b.told()));
        let mut table = Table::of_numbers(["figure", "A", "B", "B / A", "95 % interval", "finding"]);
        for figure in self.figures.iter().filter(|figure| figure.finding != Finding::Absent) {
            let cell = |value: Option<f64>| value.map_or("-".to_owned(), |value| figure.unit.write(value));
            let ratio = figure.ratio.map_or("-".to_owned(), units::times);
            table.row(figure.name, [cell(figure.a), cell(figure.b), ratio, figure.between(), figure.told()]);
        }
        markdown(&mut text, &table);
        push(&mut text, format_args!("\n{}", self.how()));
        text
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        value["verdict"] = json!(self.line());
        value
    }

    /// The verdict.
    pub(crate) fn line(&self) -> String {
        let of = |finding| self.figures.iter().filter(move |figure| figure.finding == finding);
        let names =
            |finding| of(finding).map(|figure| format!("{} ({})", figure.name, figure.change())).collect::<Vec<_>>();
        let (better, worse) = (names(Finding::Better), names(Finding::Worse));
        let judged = better.len() + worse.len() + of(Finding::Same).count();
        match (better.is_empty(), worse.is_empty()) {
            _ if judged == 0 => "there is too little to judge by".to_owned(),
            (true, true) => format!("no difference beyond the noise{}", self.noise()),
            (false, true) => format!("better in {}: {}", number(better.len(), "figure", "figures"), better.join(", ")),
            (true, false) => format!("worse in {}: {}", number(worse.len(), "figure", "figures"), worse.join(", ")),
            (false, false) => format!("worse in {}; better in {}", worse.join(", "), better.join(", ")),
        }
    }

    /// How small a difference would have been seen, of the figures that are asked for first.
    fn noise(&self) -> String {
        let told: Vec<String> = self
            .figures
            .iter()
            .filter(|figure| ["goodput", "latency p50", "latency p99"].contains(&figure.name))
            .filter_map(|figure| figure.noise.map(|noise| format!("{} ± {} %", figure.name, percent(noise))))
            .collect();
        if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
    }

    fn how(&self) -> &'static str {
        match self.judged_by {
            JudgedBy::Runs => {
                "A and B are means over runs (geometric, except of shares). The interval holds the true ratio, or difference of shares, \
                 with 95 % confidence (Welch, over runs); of figures of equal engines one in twenty is called different."
            }
            JudgedBy::Seconds => {
                "A and B are those of a typical block of seconds where a finding is given, of the whole run otherwise. The interval is \
                 Welch's over ten blocks of a run, widened by how much neighbours are alike: weaker than one over runs."
            }
        }
    }
}

impl Side {
    fn told(&self) -> String {
        let runs = number(self.runs, "run", "runs");
        format!(
            "{}, {runs}, {} counted, {}, forthwith {}",
            self.scenario,
            units::seconds(self.seconds),
            units::instant(&self.began),
            self.version
        )
    }
}

impl Compared {
    /// From A to B.
    pub(super) fn change(&self) -> String {
        match self.ratio {
            Some(ratio) if !self.is_difference => {
                let (low, high) = self.interval.unwrap_or((ratio, ratio));
                format!("{}, {} to {}", units::times(ratio), units::times(low), units::times(high))
            }
            _ => {
                let write = |value: Option<f64>| value.map_or("-".to_owned(), |value| self.unit.write(value));
                format!("{} to {}", write(self.a), write(self.b))
            }
        }
    }

    fn between(&self) -> String {
        match self.interval {
            None => "-".to_owned(),
            Some((low, high)) if self.is_difference => format!("{} to {} points", points(low), points(high)),
            Some((low, high)) => format!("{} to {}", units::times(low), units::times(high)),
        }
    }

    fn told(&self) -> String {
        match (self.finding, self.noise) {
            (Finding::Better, _) => "**better**".to_owned(),
            (Finding::Worse, _) => "**worse**".to_owned(),
            (Finding::Same, Some(noise)) if self.unit == Unit::Share => {
                format!("no difference beyond the noise (± {} points)", points(noise).trim_start_matches('+'))
            }
            (Finding::Same, noise) => {
                format!("no difference beyond the noise (± {} %)", percent(noise.unwrap_or(0.0)))
            }
            (Finding::NotJudged | Finding::Absent, _) => "too little to judge by".to_owned(),
        }
    }
}

/// A difference of shares, in points of a per cent.
fn points(share: f64) -> String {
    let points = share * 100.0;
    match points.abs() {
        size if size < 0.000_5 => "0".to_owned(),
        size if size < 0.1 => format!("{points:+.3}"),
        _ => format!("{points:+.2}"),
    }
}

/// A share in per cent, without its sign.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.*}", usize::from(share < 1.0), share * 100.0);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
