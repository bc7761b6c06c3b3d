//! The view while a run goes on, on standard error: redrawn in place on a terminal, a line every few seconds into a pipe.
//!
//! Whoever drives the load hands over what a second came to and goes on: drawing is done by a thread of its own, once a second, and
//! a second that it has no time for is left out. It reads no keys and no clock, and takes the terminal's settings as they are, so
//! that a run can be stopped at any time and leaves nothing behind.
//!
//! | file | noun |
//! |---|---|
//! | `view` | what there is to be seen: the last seconds and the run so far |
//! | `screen` | the view as a box on a terminal |
//! | `in_place` | a box drawn over the one before |

mod in_place;
mod screen;
mod view;

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::outcome::{Curve, Happened, Phase, Second, Usage};
use in_place::InPlace;
use view::{View, Whole};

/// How many messages may wait for the thread. It is woken once a second, so more than a few means that the terminal is stuck.
const WAITING_MAX: usize = 64;

/// How often a line is written into a pipe, in seconds.
const LINE_EVERY_S: u64 = 5;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Showing {
    /// Redrawn in place.
    Screen,
    /// A line every few seconds.
    Lines,
    Nothing,
}

/// What the view is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) scenario: String,
    /// Which run, from 1, and of how many.
    pub(crate) run: usize,
    pub(crate) runs: usize,
    /// As they are planned.
    pub(crate) phases: Vec<Phase>,
    /// The promise, if there is one: the 99th percentile is marked above it.
    pub(crate) p99_us_max: Option<f64>,
}

/// A view of one run. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Live {
    to: Option<SyncSender<News>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum News {
    Second(Box<(Second, Usage, Whole)>),
    Happened(Happened),
}

impl Showing {
    /// What suits standard error.
    pub(crate) fn fitting(is_quiet: bool) -> Self {
        match (is_quiet, io::stderr().is_terminal()) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Screen,
            (false, false) => Self::Lines,
        }
    }
}

impl Live {
    pub(crate) fn start(showing: Showing, watched: Watched) -> Self {
        if showing == Showing::Nothing {
            return Self { to: None, thread: None };
        }
        let (to, from) = sync_channel(WAITING_MAX);
        let drawing = move || match showing {
            Showing::Screen => draw(&from, View::new(watched), &mut InPlace::new(io::stderr())),
            _ => lines(&from, View::new(watched), &mut io::stderr()),
        };
        match thread::Builder::new().name("live".to_owned()).spawn(drawing) {
            Ok(thread) => Self { to: Some(to), thread: Some(thread) },
            // A run is worth more than the view of it.
            Err(_) => Self { to: None, thread: None },
        }
    }

    /// Shows a second, what the engine took at its end, and the latencies of the whole run so far. Does not wait; takes three
    /// quantiles of the curve.
    pub(crate) fn second(&self, second: &Second, usage: &Usage, whole: &Curve) {
        if let Some(to) = &self.to {
            let _ = to.try_send(News::Second(Box::new((second.clone(), *usage, Whole::of(whole)))));
        }
    }

    /// Shows what was done to the engine.
    pub(crate) fn happened(&self, happened: &Happened) {
        if let Some(to) = &self.to {
            let _ = to.try_send(News::Happened(happened.clone()));
        }
    }

    /// Ends the view; its last state stays on the terminal.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Draws until nobody sends any more. A terminal that cannot be written to ends the view, not the run.
fn draw<W: Write>(from: &Receiver<News>, mut view: View, on: &mut InPlace<W>) {
    while let Ok(news) = from.recv() {
        let written = match news {
            News::Second(second) => {
                view.second(&second.0, second.1, second.2);
                on.draw(|area, buffer| screen::draw(&view, area, buffer))
            }
            News::Happened(happened) => {
                view.happened(&happened);
                on.draw(|area, buffer| screen::draw(&view, area, buffer))
            }
        };
        if written.is_err() {
            return;
        }
    }
}

/// The same for whoever reads a file.
fn lines<W: Write>(from: &Receiver<News>, mut view: View, to: &mut W) {
    while let Ok(news) = from.recv() {
        let written = match news {
            News::Second(second) => {
                view.second(&second.0, second.1, second.2);
                if !view.seconds().is_multiple_of(LINE_EVERY_S) {
                    continue;
                }
                writeln!(to, "{}", view.line())
            }
            News::Happened(happened) => writeln!(to, "{}", view::told(&happened)),
        };
        if written.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
