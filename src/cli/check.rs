//! `forthwith check`: the whole configuration, all faults at once, and what its rules can never do.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::args::{Check, Place};
use super::exit::Exit;
use super::findings::{Deny, FindingShown, lines};
use super::output::{counted, say, tell, tell_faults};
use crate::analysis::{Finding, Severity, inspect};
use crate::app::log;
use crate::bundle::{Bundle, Playbook};
use crate::config::{Config, Unserved};
use crate::document::{Fault, Faults, Place as FaultPlace};
use crate::time::Clock;

/// Denied findings that are named before the rest is counted.
const DENIED_SHOWN: usize = 6;

pub(super) fn run(place: &Place, args: &Check) -> Exit {
    let config = match Config::load(&place.config) {
        Ok(config) => config,
        Err(faults) => {
            tell_faults(&faults, args.json);
            return Exit::Failed;
        }
    };
    if let Err(reason) = log::check(&config.settings.log) {
        let fault = Fault { place: FaultPlace::file("forthwith.toml"), key: "log.level".to_owned(), message: reason };
        tell_faults(&Faults::new(vec![fault]), args.json);
        return Exit::Failed;
    }
    let bundle = &config.engine.bundle;
    let findings = |playbook| if args.no_analysis { Vec::new() } else { analysed(bundle, playbook) };
    let found: Vec<(&Playbook, Vec<Finding>)> = bundle.playbooks().iter().map(|p| (p, findings(p))).collect();
    if args.json {
        say(as_json(&config, &found));
    } else {
        show(place, &config, &found, args);
    }
    let denied = denied(&found, &args.deny);
    if denied.is_empty() {
        return Exit::Done;
    }
    let (is, hidden) = (if denied.len() == 1 { "is" } else { "are" }, denied.len().saturating_sub(DENIED_SHOWN));
    let mut named = denied[..denied.len() - hidden].join(", ");
    if hidden > 0 {
        named.push_str(&format!(" and {hidden} more"));
    }
    tell(format!("{} {is} denied: {named}", counted(denied.len(), "finding")));
    Exit::Failed
}

/// The findings that are denied, each by its kind and its rule.
fn denied(found: &[(&Playbook, Vec<Finding>)], deny: &[Deny]) -> Vec<String> {
    let named = |playbook: &Playbook, finding: &Finding| match finding.ranks.first() {
        Some(rank) => format!("{} `{}`", finding.kind.name(), playbook.rules.rules()[*rank].id),
        None => format!("{} of {}", finding.kind.name(), playbook.name),
    };
    let of_playbook = |(playbook, findings): &(&Playbook, Vec<Finding>)| -> Vec<String> {
        let denied = findings.iter().filter(|finding| Deny::is_denied(deny, finding.kind));
        denied.map(|finding| named(playbook, finding)).collect()
    };
    found.iter().flat_map(of_playbook).collect()
}

fn show(place: &Place, config: &Config, found: &[(&Playbook, Vec<Finding>)], args: &Check) {
    let (bundle, unserved) = (&config.engine.bundle, config.unserved());
    let layout = bundle.layout();
    let is_sound = denied(found, &args.deny).is_empty();
    let headline = if is_sound { "is sound" } else { "has no faults" };
    say(format!("`{}` {headline}: bundle {}", place.config.display(), bundle.id()));
    let (events, facts, signals) = (layout.events().len(), layout.facts().len(), layout.signals().len());
    say(format!("  {}, {}, {}", counted(events, "event"), counted(facts, "fact"), counted(signals, "signal")));
    for (playbook, findings) in found {
        say(format!("  {}", super::show::playbook(bundle, playbook)));
        for model in &playbook.models {
            say(format!("    {}", super::show_model::small_model(model, playbook)));
        }
        for agent in &playbook.agents {
            say(format!("    {}", super::show_model::agent(agent, playbook)));
            let of_agent = |of: &&Unserved| (&of.playbook, &of.agent) == (&playbook.name, &agent.name);
            for of in unserved.iter().filter(of_agent) {
                say(format!("      note: {of}"));
            }
        }
        findings.iter().flat_map(|finding| lines(bundle, playbook, finding)).for_each(|line| {
            say(format!("  {line}"));
        });
    }
    if !args.no_analysis {
        say(summary(found));
    }
}

fn summary(found: &[(&Playbook, Vec<Finding>)]) -> String {
    let rules: usize = found.iter().map(|(playbook, _)| playbook.rules.rules().len()).sum();
    let count = |severity: Severity| {
        let findings = found.iter().flat_map(|(_, findings)| findings);
        let count = findings.filter(|finding| finding.kind.severity() == severity).count();
        counted(count, severity.name())
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    format!("{} analysed: {}", counted(rules, "rule"), counts.join(", "))
}

/// Everything that `--json` prints.
#[derive(Serialize)]
struct Report {
    bundle: String,
    findings: Vec<FindingShown>,
    /// Agents whose models are not all there.
    unserved: Vec<String>,
}

fn as_json(config: &Config, found: &[(&Playbook, Vec<Finding>)]) -> String {
    let bundle = &config.engine.bundle;
    let shown = |(playbook, findings): &(&Playbook, Vec<Finding>)| -> Vec<FindingShown> {
        findings.iter().map(|finding| FindingShown::of(bundle, playbook, finding)).collect()
    };
    let report = Report {
        bundle: bundle.id().to_string(),
        findings: found.iter().flat_map(shown).collect(),
        unserved: config.unserved().iter().map(ToString::to_string).collect(),
    };
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

/// Analyses a playbook; who waits longer than a second sees how far it is.
fn analysed(bundle: &Bundle, playbook: &Playbook) -> Vec<Finding> {
    let (clock, mut bar) = (Clock::system(), ProgressBar::hidden());
    let start = clock.instant();
    let findings = inspect(playbook, bundle.layout(), &mut |done, total| {
        if done % 64 != 0 {
            return;
        }
        if bar.is_hidden() && clock.instant().since(start).as_secs() > 0 && io::stderr().is_terminal() {
            bar = ProgressBar::new(total as u64);
            if let Ok(style) = ProgressStyle::with_template("analysing rules {bar:40} {pos}/{len}, {eta} left") {
                bar.set_style(style);
            }
        }
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    findings
}
