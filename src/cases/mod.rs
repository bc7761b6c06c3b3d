//! Golden cases: what a playbook's author expects it to decide, kept beside it and run by `forthwith test`.
//!
//! A file of cases is read against a bundle: every fault has its place, and with one fault nothing is run. Each case is
//! decided on a customer of its own by the turn that decides in production ([`turn::take`](crate::turn::take)); there is no
//! engine, no journal and no clock: what happened before, and when, stands in the case. Pure: the same texts give the same
//! report.
//!
//! ```
//! # use forthwith::bundle::{Bundle, Sources};
//! # let mut sources = Sources::default();
//! # sources.insert("context.toml", "[events.\"order.placed\"]\ntotal = \"decimal\"\n[facts]\nplan = [\"free\", \"pro\"]\n");
//! # sources.insert("playbooks/shipping.toml", "playbook = \"shipping\"\non = [\"order.placed\"]\n[outcome]\nmethod = [\"standard\", \"express\"]\n[[rules]]\nid = \"pro-customer\"\nwhen = 'customer.plan == \"pro\"'\nthen = { method = \"express\" }\n[default]\nthen = { method = \"standard\" }\n");
//! # let bundle = Bundle::compile(sources)?;
//! // In a test of one's own: `Config::load_bundle("config")?` and `std::fs::read_to_string(file)?`.
//! let report = forthwith::cases::run(&bundle, "shipping.cases.toml", r#"
//!     [[cases]]
//!     name   = "pro customers get it tomorrow"
//!     event  = { total = 9.90 }
//!     facts  = { plan = "pro" }
//!     expect = { rule = "pro-customer", outcome = { method = "express" } }
//! "#)?;
//! assert!(report.is_passed(), "{report}");
//! assert_eq!(report.coverage.fired(), 1);
//! # Ok::<(), forthwith::Faults>(())
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `case` | a file of cases, checked |
//! | `reader`, `event_reader`, `expectation` | reading it |
//! | `run` | a case decided |
//! | `report`, `coverage` | what came of it |
//! | `show` | a report as people read it |
//! | `starter` | a first case for a playbook that has none |

#[cfg(test)]
mod cap_tests;
mod case;
mod coverage;
mod event_reader;
mod expectation;
mod reader;
mod report;
mod run;
mod show;
mod starter;
#[cfg(test)]
mod tests;

pub use case::{CASES_ENDING, Cases};
pub use coverage::{Coverage, RuleCovered};
pub use report::{CaseReport, ConditionSeen, Difference, Report, RuleNamed, RuleSeen, Standing, ValueSeen};
pub use run::run;
pub use show::{Line, Mark};
pub use starter::starter;
