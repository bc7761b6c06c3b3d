//! What is done to the engine while it is driven, at its times, on a thread of its own: an engine that takes long to start again holds
//! up no call.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::clock::now;
use crate::outcome::Happened;
use crate::report;
use crate::scenario::{Event, Scenario, What};
use crate::target::Hands;

/// What is done to the engine.
pub(super) struct Happening {
    thread: JoinHandle<(Vec<Happened>, Option<anyhow::Error>)>,
    /// Dropped to end it.
    stop: Sender<()>,
    pub(super) news: Receiver<Happened>,
}

impl Happening {
    pub(super) fn start(scenario: &Scenario, hands: &Hands, begin: Instant) -> anyhow::Result<Self> {
        let (stop, stopped) = channel();
        let (tell, news) = channel();
        let (times, hands) = (times(&scenario.events, scenario.length()), hands.clone());
        let thread = std::thread::Builder::new().name("happening".to_owned());
        let thread = thread.spawn(move || {
            let mut happened = Vec::new();
            for (at, what) in times {
                if !sleep_until(begin + at, &stopped) {
                    break;
                }
                match act(|| hands.act(what), what, begin) {
                    Ok(done) => {
                        let _ = tell.send(done.clone());
                        happened.push(done);
                    }
                    Err(gone) => {
                        // Who watches hears it now, not hours later.
                        report::failed(&gone);
                        return (happened, Some(gone));
                    }
                }
            }
            (happened, None)
        });
        Ok(Self { thread: thread.context("cannot start a thread")?, stop, news })
    }

    /// Ends it, after what is being done; everything that was, and why the engine is gone, if it is.
    pub(super) fn finish(self) -> anyhow::Result<(Vec<Happened>, Option<anyhow::Error>)> {
        let Self { thread, stop, .. } = self;
        drop(stop);
        match thread.join() {
            Ok(ended) => Ok(ended),
            Err(_) => anyhow::bail!("the thread that does things to the engine broke off"),
        }
    }
}

/// Everything that is done, in the order of the times.
fn times(events: &[Event], length: Duration) -> Vec<(Duration, What)> {
    let mut times = Vec::new();
    for event in events {
        let mut at = event.at;
        while at < length {
            times.push((at, event.what));
            let Some(every) = event.every else { break };
            at += every;
        }
    }
    times.sort_by_key(|(at, _)| *at);
    times
}

/// Whether the time has come; otherwise it is to end.
fn sleep_until(at: Instant, stopped: &Receiver<()>) -> bool {
    let wait = at.saturating_duration_since(now());
    matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
}

fn act(hand: impl FnOnce() -> anyhow::Result<String>, what: What, begin: Instant) -> anyhow::Result<Happened> {
    let started = now();
    let done = hand();
    let took_s = (now() - started).as_secs_f64();
    let at_s = started.saturating_duration_since(begin).as_secs_f64();
    let said = match done {
        Ok(said) => said,
        // An engine may refuse a reload, which is for a check to judge; one that is gone ends the run.
        Err(error) if what == What::Reload => format!("refused: {error:#}"),
        Err(error) => return Err(error.context(format!("the event `{}` failed", what.as_str()))),
    };
    Ok(Happened { at_s, what: what.as_str().to_owned(), took_s, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_told_and_an_engine_that_is_gone_ends_it() {
        let refuses = || Err(anyhow::anyhow!("it said no"));
        assert_eq!(act(refuses, What::Reload, now()).unwrap().said, "refused: it said no");
        let gone = act(refuses, What::KillAndRestart, now()).unwrap_err();
        assert_eq!(format!("{gone:#}"), "the event `kill_and_restart` failed: it said no");
    }

    #[test]
    fn what_is_repeated_is_repeated_to_the_end_and_all_is_in_order() {
        let (second, reload) = (Duration::from_secs, What::Reload);
        let events = [
            Event { at: second(2), every: Some(second(3)), what: reload },
            Event { at: second(4), every: None, what: What::FillDisk },
            Event { at: second(90), every: None, what: What::FreeDisk },
        ];
        let all = times(&events, second(9));
        assert_eq!(all, [(second(2), reload), (second(4), What::FillDisk), (second(5), reload), (second(8), reload)]);
    }
}
