use std::collections::BTreeSet;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::json;

use super::*;
use crate::outcome::{Check, Happened, Phase};
use crate::reports::sample::{self, Plan};

/// Reads a page as XML, which is stricter than any browser.
fn read(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|e| panic!("{e}: {page}"))
}

fn elements<'a>(under: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    under.descendants().filter(move |node| node.has_tag_name(("http://www.w3.org/1999/xhtml", name)))
}

/// What a person reads, without the numbers that are folded.
fn text(node: Node<'_, '_>, into: &mut String) {
    if node.is_text() {
        into.push_str(node.text().unwrap_or_default());
    }
    let is_left_out = ["style", "script", "details", "svg"].contains(&node.tag_name().name());
    if !is_left_out {
        node.children().for_each(|child| text(child, into));
    }
    if ["td", "th", "p", "h1", "h2", "h3", "li", "dt", "dd", "title", "strong", "span"]
        .contains(&node.tag_name().name())
    {
        into.push(' ');
    }
}

fn outcomes() -> Vec<Outcome> {
    let mut without_runs = sample::outcome(1);
    without_runs.runs.clear();
    let mut empty = sample::outcome(1);
    empty.runs[0] = crate::outcome::Run::default();
    let mut silent = sample::outcome(1);
    for second in &mut silent.runs[0].seconds {
        *second = crate::outcome::Second { at_s: second.at_s, ..Default::default() };
    }
    vec![sample::outcome(1), sample::outcome(3), without_runs, empty, silent]
}

/// An outcome in which every text tries to be something else.
fn hostile() -> Outcome {
    const TEXT: &str = "\"><script>alert('x')</script><img src=\"http://evil.example/\" onerror=\"x()\"/>&\u{0}]]>";
    let text = || TEXT.to_owned();
    let mut outcome = sample::outcome(2);
    outcome.scenario = text();
    outcome.description = text();
    outcome.began = text();
    outcome.command = vec![text()];
    outcome.settings = [(text(), text())].into();
    outcome.machine.model = text();
    outcome.machine.system = text();
    outcome.machine.version = text();
    for run in &mut outcome.runs {
        run.phases = vec![Phase { name: text(), from_s: 0.0, to_s: 40.0, offered_per_second: None, is_counted: false }];
        run.happened = vec![Happened { at_s: 1.0, what: text(), took_s: 1.0, said: text() }];
        run.missed = vec![text()];
        run.driver.bottleneck = Some(text());
        run.checks =
            vec![Check { name: text(), asks: text(), checked: 1, violations: 1, first: Some(json!({TEXT: TEXT})) }];
        run.tiers = [(text(), 1)].into();
        run.shed = run.tiers.clone();
        run.failed = run.tiers.clone();
        run.fallbacks = run.tiers.clone();
        for second in &mut run.seconds {
            second.tiers = [(text(), 1)].into();
            second.fallbacks = second.tiers.clone();
        }
    }
    outcome
}

#[test]
fn a_page_is_well_formed_whatever_there_is_to_tell() {
    for outcome in outcomes() {
        let page = html(&outcome);
        let document = read(&page);
        let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "no name is given twice");
        for named in document.descendants().filter_map(|node| node.attribute("aria-labelledby")) {
            assert!(named.split(' ').all(|name| ids.contains(&name)), "{named}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"), "no number is none");
    }
}

#[test]
fn a_page_needs_nothing_else() {
    let page = html(&sample::outcome(2));
    for outside in ["src=", "href=", "url(", "@import", "https:", "<link", "<iframe", "<object"] {
        assert!(!page.contains(outside), "`{outside}`");
    }
    assert_eq!(page.matches("http:").count(), 1, "but for the name of the markup");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn no_text_of_an_outcome_becomes_markup() {
    let page = html(&hostile());
    let document = read(&page);
    assert_eq!(elements(document.root(), "script").count(), 1);
    assert_eq!(elements(document.root(), "img").count(), 0);
    let named = |node: Node<'_, '_>| node.attributes().any(|attribute| attribute.name().starts_with("on"));
    assert!(!document.descendants().any(named), "no element listens");
    assert!(elements(document.root(), "title").next().unwrap().text().unwrap().starts_with("\"><script>alert('x')"));
}

#[test]
fn every_chart_has_its_points_and_a_table_of_them() {
    for outcome in [sample::outcome(1), sample::outcome(3)] {
        let page = html(&outcome);
        let document = read(&page);
        let figures: Vec<_> = elements(document.root(), "figure").collect();
        let ids: Vec<_> = figures.iter().map(|figure| figure.attribute("id").unwrap()).collect();
        assert_eq!(ids, ["latency", "percentiles", "rates", "tiers", "fallbacks", "processors", "memory", "files"]);
        for figure in figures {
            let id = figure.attribute("id").unwrap();
            let rows = elements(figure, "tbody").next().unwrap().children().filter(Node::is_element).count();
            assert!(if id == "percentiles" { rows > 80 } else { rows == 35 }, "{id}: {rows}");
            let drawings: Vec<_> = elements(figure, "svg").filter(|svg| svg.attribute("role") == Some("img")).collect();
            assert_eq!(drawings.len(), 2, "wide and narrow");
            for drawing in drawings {
                let is_series = |node: &Node<'_, '_>| {
                    ["line ", "dashed ", "area "]
                        .iter()
                        .any(|look| node.attribute("class").is_some_and(|class| class.starts_with(look)))
                };
                let paths: Vec<_> = elements(drawing, "path").filter(is_series).collect();
                assert_eq!(
                    paths.len(),
                    elements(figure, "thead").flat_map(|head| elements(head, "th")).count() - 1,
                    "{id}"
                );
                for path in paths {
                    let is_area = path.attribute("class").unwrap().starts_with("area");
                    let points = path.attribute("d").unwrap().matches(['M', 'L']).count();
                    assert_eq!(points, if is_area { 2 * rows } else { rows }, "{id}");
                }
                let description = elements(drawing, "desc").next().unwrap().text().unwrap();
                assert!(description.contains(": from "), "{description}");
            }
        }
    }
}

#[test]
fn a_promise_a_phase_and_an_event_are_marked() {
    let page = html(&sample::outcome(1));
    let document = read(&page);
    let latency = elements(document.root(), "figure").next().unwrap();
    let words: Vec<_> = elements(latency, "text").filter_map(|node| node.text()).collect();
    for word in ["promised: p99 ≤ 5.00 ms", "warm-up (not counted)", "steady", "1"] {
        assert!(words.contains(&word), "{word}: {words:?}");
    }
}

#[test]
fn a_gap_breaks_a_line_and_a_long_run_is_drawn_by_spans() {
    let mut outcome = Plan { seconds: 1_000, rate: 10, ..Plan::USUAL }.runs(1);
    // The engine was gone for a minute.
    for second in &mut outcome.runs[0].seconds[500..560] {
        (second.p50_us, second.p99_us, second.p999_us, second.max_us) = (0.0, 0.0, 0.0, 0.0);
    }
    let page = html(&outcome);
    let document = read(&page);
    let latency = elements(document.root(), "figure").next().unwrap();
    let line = elements(latency, "path").find(|path| path.attribute("class") == Some("line c2")).unwrap();
    let line = elements(latency, "svg")
        .filter(|svg| svg.attribute("role").is_some())
        .flat_map(|svg| elements(svg, "path"))
        .find(|path| path.attribute("class") == line.attribute("class"))
        .unwrap();
    let points = line.attribute("d").unwrap();
    assert_eq!(points.matches('M').count(), 2, "{points}");
    assert_eq!(points.matches(['M', 'L']).count(), 200 - 12, "spans of 5 seconds");
    assert!(page.contains("Each point is 5 s."));
}

#[test]
fn a_page_reads_as_it_did() {
    let mut outcome = Plan { seconds: 12, rate: 200, ..Plan::USUAL }.runs(2);
    sample::violate(&mut outcome);
    outcome.runs[1].driver.bottleneck = Some("it was 3.00 ms late at p99".to_owned());
    let page = html(&outcome);
    let mut words = String::new();
    text(read(&page).root_element(), &mut words);
    let lines: Vec<_> = words
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
