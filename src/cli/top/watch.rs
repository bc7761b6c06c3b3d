//! Asking again and again, on a thread of its own: a server that is slow to answer makes nobody wait for a key.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::rates::Frame;
use super::scrape::{Scrape, ScrapeError, Source};
use crate::time::Clock;

/// Frames that may wait to be drawn. What nobody draws in time is not worth keeping.
const FRAMES_WAITING_MAX: usize = 4;

/// A server that is asked, and its last answer.
#[derive(Debug)]
pub(super) struct Watch {
    source: Source,
    runtime: Runtime,
    clock: Clock,
    last: Option<Scrape>,
}

/// What a watch has to say.
#[derive(Debug)]
pub(super) enum Seen {
    Frame(Box<Frame>),
    Trouble(ScrapeError),
}

/// A watch that goes on on its own thread until it is dropped.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) seen: Receiver<Seen>,
    /// Dropped to end it.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn new(source: Source) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { source, runtime, clock: Clock::system(), last: None })
    }

    /// Asks once; a frame if it is not the first time.
    pub(super) fn look(&mut self) -> Result<Option<Frame>, ScrapeError> {
        let scrape = self.runtime.block_on(self.source.scrape(&self.clock))?;
        let frame = self.last.as_ref().map(|before| Frame::of(&self.source.to_string(), before, &scrape));
        self.last = Some(scrape);
        Ok(frame)
    }

    /// Goes on asking, so often.
    pub(super) fn go_on(mut self, every: Duration) -> std::io::Result<Watching> {
        let (to, seen) = mpsc::sync_channel(FRAMES_WAITING_MAX);
        let (stop, stopped) = mpsc::sync_channel(1);
        let asking = move || {
            while matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
                let news = match self.look() {
                    Ok(Some(frame)) => Seen::Frame(Box::new(frame)),
                    Ok(None) => continue,
                    // What it did meanwhile is not lost: counters go on.
                    Err(error) => Seen::Trouble(error),
                };
                let _ = to.try_send(news);
            }
        };
        let thread = std::thread::Builder::new().name("forthwith-top".to_owned()).spawn(asking)?;
        Ok(Watching { seen, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
