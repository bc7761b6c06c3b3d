//! `forthwith search`: decisions by what is in them.

use super::args::Place;
use super::exit::Exit;
use super::output::{counted, say, tell};
use super::replay::has_data;
use crate::engine::{DecisionFound, DecisionPage, Error, Search, search_from};

pub(super) const EXAMPLES: &str = "\
Examples:
  forthwith search --customer customer-42
  forthwith search --playbook ticket_routing --rule vip --from 2026-11-01T00:00:00Z
  forthwith search --outcome queue=billing --outcome priority=high --fallback none --limit 100 --json";

/// Options of `search`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Asked {
    /// The customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,

    /// The playbook that decided
    #[arg(long, value_name = "NAME")]
    playbook: Option<String>,

    /// The rule that matched
    #[arg(long, value_name = "ID")]
    rule: Option<String>,

    /// Who decided
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,

    /// Why the default was taken in place of a proposal; `none` for decisions of which it was not
    #[arg(long, value_name = "REASON")]
    fallback: Option<String>,

    /// A field of the outcome and what it holds; may be given several times
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field)]
    outcome: Vec<(String, String)>,

    /// The earliest arrival (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// The arrival before which it was (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Decisions of a page, 1 to 500 [default: 20]
    #[arg(long, value_name = "N")]
    limit: Option<String>,

    /// Where to go on: the cursor that the page before ends with
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,

    /// The decisions of the self-check, which are left out otherwise
    #[arg(long)]
    synthetic: bool,

    /// Print the page as JSON
    #[arg(long)]
    json: bool,
}

fn field(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(field, value)| (field.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "expected FIELD=VALUE".to_owned())
}

pub(super) fn run(place: &Place, asked: &Asked) -> Exit {
    let data = place.data_directory();
    if !has_data(&data) {
        return Exit::Failed;
    }
    match search_from(&data, &asked.search()) {
        Ok(page) if asked.json => {
            say(serde_json::to_string_pretty(&page).unwrap_or_default());
            Exit::Done
        }
        Ok(page) => {
            say(show(&page).trim_end());
            Exit::Done
        }
        Err(Error::Search(faults)) => {
            faults.iter().for_each(|fault| tell(format!("error: {fault}")));
            Exit::Usage
        }
        Err(error) => {
            tell(format!("error: {error}"));
            Exit::Failed
        }
    }
}

impl Asked {
    fn search(&self) -> Search {
        let Self { customer, playbook, rule, tier, fallback, outcome, from, until, limit, cursor, .. } = self.clone();
        let synthetic = self.synthetic.then(|| "true".to_owned());
        Search { customer, playbook, rule, tier, fallback, outcome, from, until, limit, cursor, synthetic }
    }
}

/// A page as people read it: a line for each decision, and how to go on.
fn show(page: &DecisionPage) -> String {
    let head = ["arrived", "decision", "customer", "playbook", "by", "outcome"].map(str::to_owned);
    let rows: Vec<[String; 6]> = page.decisions.iter().map(row).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|at| rows.iter().chain([&head]).map(|row| row[at].chars().count()).max().unwrap_or_default())
        .collect();
    let line = |row: &[String; 6]| {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&line(&head));
        rows.iter().for_each(|row| text.push_str(&line(row)));
    }
    text.push_str(&counted(rows.len(), "decision"));
    if let Some(cursor) = &page.cursor {
        text.push_str(&format!("; go on with --cursor {cursor}"));
    }
    text.push('\n');
    page.note.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
    text
}

fn row(found: &DecisionFound) -> [String; 6] {
    let by = match (&found.rule, found.fallback) {
        (Some(rule), None) => rule.clone(),
        (Some(rule), Some(reason)) => format!("{rule}, {reason}"),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => "default".to_owned(),
    };
    let outcome: Vec<String> = found.outcome.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (id, customer) = (found.decision_id.to_string(), found.customer.to_string());
    [found.arrival.to_string(), id, customer, found.playbook.clone(), by, outcome.join(" ")]
}
