//! The terminal while it is ours: drawn again with every frame and every key.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

use super::keys::{self, Next};
use super::view::View;
use super::watch::{Seen, Watching};

/// How long a frame may wait for a key.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Shows frames until somebody quits. The terminal is as it was afterwards, also after a panic.
pub(super) fn show(view: &mut View, watching: &Watching) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let shown = go_round(view, watching, &mut terminal);
    ratatui::restore();
    shown
}

fn go_round(view: &mut View, watching: &Watching, terminal: &mut DefaultTerminal) -> io::Result<()> {
    let mut is_new = true;
    loop {
        while let Ok(seen) = watching.seen.try_recv() {
            is_new |= take(view, seen);
        }
        if is_new {
            terminal.draw(|frame| view.draw(frame.area(), frame.buffer_mut()))?;
            is_new = false;
        }
        if !event::poll(LOOK_EVERY)? {
            continue;
        }
        // A change of size wants drawing too.
        is_new = true;
        if let Event::Key(key) = event::read()?
            && keys::press(view, key) == Next::Quit
        {
            return Ok(());
        }
    }
}

/// Takes what was seen; whether there is something to draw.
pub(super) fn take(view: &mut View, seen: Seen) -> bool {
    match seen {
        Seen::Trouble(trouble) => view.trouble = Some(trouble.to_string()),
        Seen::Frame(frame) => {
            view.trouble = None;
            // The past goes on, so that its line has no gap.
            view.past.push(frame.rates);
            if view.is_paused {
                return false;
            }
            view.take(*frame);
        }
    }
    true
}
