use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::outcome::Run;
use crate::reports::sample;

fn watched(run: &Run) -> Watched {
    Watched {
        scenario: "ticket_routing".to_owned(),
        run: 2,
        runs: 3,
        phases: run.phases.clone(),
        p99_us_max: Some(400.0),
    }
}

/// The view after as many seconds of a usual run.
fn after(seconds: usize) -> View {
    let run = sample::run(1);
    let mut view = View::new(watched(&run));
    for (second, usage) in run.seconds.iter().zip(&run.usage).take(seconds) {
        view.second(second, *usage, Whole::of(&run.latency));
        run.happened.iter().filter(|it| it.at_s as u64 == second.at_s as u64).for_each(|it| view.happened(it));
    }
    view
}

fn drawn(view: &View, width: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, screen::HEIGHT)).unwrap();
    terminal.draw(|frame| screen::draw(view, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().to_string()
}

#[test]
fn the_screen_shows_the_last_second_and_the_run_so_far() {
    insta::assert_snapshot!(drawn(&after(23), 110));
}

#[test]
fn a_narrow_screen_shows_the_numbers_alone() {
    insta::assert_snapshot!(drawn(&after(3), 64));
}

#[test]
fn no_size_and_no_second_break_the_screen() {
    for width in [1, 2, 20, 300] {
        drawn(&after(0), width);
        drawn(&after(30), width);
    }
}

#[test]
fn a_pipe_gets_a_line_every_few_seconds_and_all_that_happened() {
    let run = sample::run(1);
    let (to, from) = sync_channel(WAITING_MAX);
    let mut written = Vec::new();
    for (second, usage) in run.seconds.iter().zip(&run.usage).take(10) {
        to.send(News::Second(Box::new((second.clone(), *usage, Whole::of(&run.latency))))).unwrap();
    }
    to.send(News::Happened(run.happened[0].clone())).unwrap();
    drop(to);
    lines(&from, View::new(watched(&run)), &mut written);
    insta::assert_snapshot!(String::from_utf8(written).unwrap());
}

#[test]
fn whoever_drives_the_load_never_waits_for_the_view() {
    // Nobody takes what is sent.
    let (to, _from) = sync_channel(2);
    let live = Live { to: Some(to), thread: None };
    let run = sample::run(1);
    for second in &run.seconds {
        live.second(second, &run.usage[0], &run.latency);
    }
    live.stop();
}

#[test]
fn a_quiet_view_has_no_thread() {
    assert_eq!(Showing::fitting(true), Showing::Nothing);
    let live = Live::start(Showing::Nothing, Watched::default());
    assert!(live.thread.is_none());
}
