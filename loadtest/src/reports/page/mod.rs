//! The report as one HTML file that needs nothing else: no network, no library, and all its figures without its script too.
//!
//! Every chart is drawn twice, wide and narrow, and the style sheet shows one of them; so letters stay readable on a telephone and on
//! paper. The numbers behind a chart are a table below it, from which the script takes what it shows under the pointer. The page is
//! well-formed XML, so that a test can read it.
//!
//! | file | noun |
//! |---|---|
//! | `markup` | text that cannot become a tag |
//! | `scale` | values along an axis, and its ticks |
//! | `chart` | what a chart shows |
//! | `drawing` | a chart as SVG |
//! | `charts` | the charts of a run |
//! | `sections` | everything that is not a chart |

mod chart;
mod charts;
mod drawing;
mod markup;
mod scale;
mod sections;

use std::fmt::Write;

use super::figure::typical;
use crate::outcome::Outcome;
use markup::Escaped;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing is loaded, whatever a text in the page may hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The page of all runs; charts are of the run that stands for all.
pub(crate) fn html(outcome: &Outcome) -> String {
    let mut page = String::with_capacity(1 << 18);
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
         <title>{} - load report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        Escaped(&outcome.scenario)
    );
    sections::head(&mut page, outcome);
    sections::cards(&mut page, outcome);
    if let Some((nth, run)) = typical(outcome) {
        sections::which_run(&mut page, outcome, nth);
        page.push_str("<div class=\"charts\">\n");
        for chart in charts::of(outcome, nth, run) {
            drawing::figure(&mut page, &chart);
        }
        page.push_str("</div>\n");
        sections::phases(&mut page, run);
        sections::happened(&mut page, run);
        sections::ladder(&mut page, outcome);
        sections::calls(&mut page, outcome);
        sections::checks(&mut page, outcome);
        sections::runs(&mut page, outcome);
        sections::engine(&mut page, outcome);
    }
    sections::setting(&mut page, outcome);
    let _ = write!(page, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    page
}

#[cfg(test)]
mod tests;
