//! Frames as people see them, from pages as an engine writes them.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::page::Page;
use super::rates::Frame;
use super::scrape::{Budget, Bundle, Busiest, Busy, Health, Model, Playbook, Provider, Providers, Scrape, ScrapeError};
use super::view::View;
use super::watch::Seen;
use super::{every, on_paper, screen};
use crate::domain::{TimeDelta, Timestamp};
use crate::time::Clock;

/// What an engine counts in `scrapes` times two seconds.
fn page(scrapes: u64) -> String {
    let mut text = String::new();
    let mut line = |series: &str, value: u64| text.push_str(&format!("{series} {value}\n"));
    let decisions = |playbook: &str, tier: &str, outcome: &str| {
        format!(r#"forthwith_decisions_total{{playbook="{playbook}",tier="{tier}",outcome="{outcome}"}}"#)
    };
    line(&decisions("ticket_routing", "rules", "decided"), 1_200 * scrapes);
    line(&decisions("ticket_routing", "small_model", "decided"), 600 * scrapes);
    line(&decisions("ticket_routing", "rules", "fallback"), 200 * scrapes);
    line(&decisions("ticket_routing", "rules", "duplicate"), 20 * scrapes);
    line(&decisions("offers", "rules", "decided"), 100 * scrapes);
    let fallback =
        |reason: &str| format!(r#"forthwith_fallbacks_total{{playbook="ticket_routing",reason="{reason}"}}"#);
    line(&fallback("unsure"), 150 * scrapes);
    line(&fallback("late"), 50 * scrapes);
    line(r#"forthwith_shed_total{reason="journal_behind"}"#, 3 * scrapes);
    line(r#"forthwith_refused_total{reason="event"}"#, 0);
    line("forthwith_turns_total", 2_400 * scrapes);
    line("forthwith_events_observed_total", 300 * scrapes);
    let mut histogram = |name: &str, labels: &str, each: u64| {
        let comma = if labels.is_empty() { "" } else { "," };
        let bucket = |le: &str| format!("{name}_bucket{{{labels}{comma}le=\"{le}\"}}");
        let count = [("0.001", each / 2), ("0.01", each - each / 50), ("0.1", each), ("+Inf", each)];
        count.iter().for_each(|(le, count)| line(&bucket(le), count * scrapes));
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        line(&format!("{name}_sum{labels}"), each / 100 * scrapes);
        line(&format!("{name}_count{labels}"), each * scrapes);
    };
    histogram("forthwith_decision_stage_seconds", r#"stage="disk""#, 1_000);
    histogram("forthwith_decision_stage_seconds", r#"stage="turn""#, 2_400);
    histogram("forthwith_decision_seconds", r#"playbook="ticket_routing",tier="rules""#, 1_420);
    histogram("forthwith_decision_seconds", r#"playbook="ticket_routing",tier="small_model""#, 600);
    histogram("forthwith_decision_seconds", r#"playbook="offers",tier="rules""#, 100);
    histogram("forthwith_journal_commit_seconds", "", 700);
    line("forthwith_journal_records_total", 2_400 * scrapes);
    line("forthwith_journal_bytes_total", 700_000 * scrapes);
    line("forthwith_journal_seq", 10_000 * scrapes);
    line("forthwith_checkpoint_seq", 5_000);
    line("forthwith_journal_queue_bytes", 5_000);
    line("forthwith_journal_queue_max_bytes", 67_108_864);
    line("forthwith_hot_customers", 12_345);
    line("forthwith_hot_max_customers", 1_000_000);
    line("forthwith_hot_bytes", 44_000_000);
    line(r#"forthwith_activations_total{from="cold"}"#, 40 * scrapes);
    line(r#"forthwith_activations_total{from="new"}"#, 60 * scrapes);
    line("forthwith_passivations_total", 90 * scrapes);
    line(r#"forthwith_selfcheck_last_success_timestamp_seconds{playbook="offers",path="decide"}"#, 9_970);
    line(r#"forthwith_build_info{version="0.1.0"}"#, 1);
    line("process_start_time_seconds", 1_000);
    line("process_resident_memory_bytes", 210_000_000);
    line("process_cpu_seconds_total", scrapes);
    text
}

fn scrape(clock: &Clock, scrapes: u64) -> Scrape {
    let playbook = |name: &str, budget_ms| Playbook { playbook: name.to_owned(), budget_ms };
    let provider = Provider {
        name: "openai".to_owned(),
        off: false,
        breaker: "half_open".to_owned(),
        in_flight: 3,
        in_flight_max: 12,
        models: vec![Model { name: "openai/small".to_owned(), off: false, p50_us: Some(412_000), p95_us: None }],
    };
    let budget = Budget {
        name: "agent:ticket_router".to_owned(),
        per_day: "5".to_owned(),
        spent: "1.25".to_owned(),
        left: "3.75".to_owned(),
    };
    let busy = |customer: &str, turns| Busy { customer: customer.to_owned(), turns };
    let turns = vec![busy("ann@example.org", 18_000), busy("bob", 720)];
    Scrape {
        at: clock.instant(),
        wall: clock.wall(),
        page: Page::parse(&page(scrapes)).unwrap(),
        health: Some(Health { is_ready: true, status: "ok".to_owned(), ..Health::default() }),
        bundle: Some(Bundle {
            bundle: "sha256:02d25507da2a9fe055735f".to_owned(),
            playbooks: vec![playbook("offers", 100), playbook("ticket_routing", 5)],
        }),
        providers: Some(Providers { providers: vec![provider], budgets: vec![budget] }),
        busiest: Some(Busiest { seconds: 60.0, turns: 72_000, customers: turns }),
    }
}

/// A view after two scrapes, two seconds apart.
fn view() -> View {
    let clock = Clock::manual(Timestamp::from_micros(10_000_000_000));
    let before = scrape(&clock, 1);
    clock.advance(TimeDelta::from_micros(2_000_000));
    let mut view = View { asked: "http://here:8080".to_owned(), ..View::default() };
    screen::take(&mut view, Seen::Frame(Box::new(Frame::of("http://here:8080", &before, &scrape(&clock, 2)))));
    view
}

fn drawn(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame.area(), frame.buffer_mut())).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_frame_at_80_by_24() {
    insta::assert_snapshot!(drawn(&view(), 80, 24));
}

#[test]
fn a_frame_at_120_by_40() {
    insta::assert_snapshot!(drawn(&view(), 120, 40));
}

#[test]
fn a_frame_in_a_narrow_window() {
    insta::assert_snapshot!(drawn(&view(), 50, 70));
}

#[test]
fn no_window_is_too_small() {
    let mut view = view();
    for has_help in [false, true] {
        view.has_help = has_help;
        for (width, height) in [(1, 1), (2, 3), (20, 2), (77, 5), (78, 5), (500, 3)] {
            // Neither does it break, nor does a line go beyond the window.
            let shown = drawn(&view, width, height);
            assert!(shown.split('\n').all(|line| line.chars().count() <= usize::from(width)), "{shown}");
        }
    }
}

#[test]
fn on_paper_nothing_is_left_out() {
    let paper = on_paper(&view());
    assert!(!paper.contains("lines more") && !paper.contains("quit"), "{paper}");
    for told in ["ann@example.org", "openai/small", "agent:ticket_router", "self-check", "shed", "unsure"] {
        assert!(paper.contains(told), "{told}: {paper}");
    }
}

#[test]
fn a_server_that_is_gone_is_told_and_its_last_frame_stays() {
    let mut view = view();
    let gone = || ScrapeError::NoAnswer { url: "http://here:8080".to_owned(), why: "connection refused".to_owned() };
    screen::take(&mut view, Seen::Trouble(gone()));
    let shown = drawn(&view, 120, 40);
    assert!(shown.ends_with("no answer from http://here:8080: connection refused; going on trying"), "{shown}");
    assert!(shown.contains("ticket_routing"));
    let frame = view.frame.clone().unwrap();
    screen::take(&mut view, Seen::Frame(Box::new(frame)));
    assert!(drawn(&view, 120, 40).ends_with("q quit  p pause  Tab playbook  ? help"));
}

#[test]
fn a_pause_keeps_the_frame_and_the_past_goes_on() {
    let mut view = view();
    view.is_paused = true;
    let mut later = view.frame.clone().unwrap();
    later.rates.decisions = 7.0;
    assert!(!screen::take(&mut view, Seen::Frame(Box::new(later))));
    assert_eq!(view.frame.as_ref().unwrap().rates.decisions, 1_060.0);
    assert_eq!(view.past.bars(9, |rates| rates.decisions).chars().count(), 2);
    assert!(drawn(&view, 80, 24).contains("PAUSED"));
}

#[test]
fn an_engine_that_is_not_ready_says_why_in_the_first_lines() {
    let mut view = view();
    let frame = view.frame.as_mut().unwrap();
    frame.engine.ready = false;
    frame.engine.status = "disk_full".to_owned();
    frame.engine.reason = Some("the journal waits for room on the disk".to_owned());
    frame.journal.disk_full = true;
    let shown = drawn(&view, 120, 40);
    let first: Vec<&str> = shown.lines().take(2).collect();
    assert!(first[0].contains("NOT READY: disk_full") && first[1].contains("the journal waits for room"), "{shown}");
    assert!(shown.contains("THE DISK IS FULL"));
}

/// An engine without any of the series shows zeros, and nothing that it does not have.
#[test]
fn an_empty_page_is_a_frame_too() {
    let clock = Clock::manual(Timestamp::from_micros(0));
    let scrape = Scrape {
        at: clock.instant(),
        wall: clock.wall(),
        page: Page::default(),
        health: None,
        bundle: None,
        providers: None,
        busiest: None,
    };
    let mut view = View::default();
    screen::take(&mut view, Seen::Frame(Box::new(Frame::of("x", &scrape, &scrape))));
    insta::assert_snapshot!(on_paper(&view));
}

#[test]
fn times_are_typed_with_their_units() {
    let millis = |text: &str| every(text).map(|time| time.as_millis());
    assert_eq!(
        (millis("1s"), millis("250ms"), millis("1.5"), millis("2m")),
        (Ok(1_000), Ok(250), Ok(1_500), Ok(120_000))
    );
    assert_eq!(millis("10ms").unwrap_err(), "`10ms` is not between 100 ms and an hour");
    assert_eq!(millis("soon").unwrap_err(), "`soon` is no time such as `500ms` or `2s`");
}
