//! `forthwith top`: a running engine at a glance, again and again.
//!
//! It reads what any operator can read, `/metrics` and a few operator's doors, and works out what happened between two scrapes. The
//! engine keeps nothing for it.
//!
//! | file | noun |
//! |---|---|
//! | `scrape` | a server that is asked, and what it answers |
//! | `page` | the page of metrics as it is read |
//! | `between` | two pages: growth of counters, percentiles of histograms |
//! | `rates` | a frame: what is shown, as numbers; what `--json` prints |
//! | `past` | the rates of the last minutes |
//! | `watch` | asking again and again |
//! | `view`, `sections`, `units` | a frame on a terminal or on paper |
//! | `screen`, `keys` | the terminal while it is ours |

mod between;
mod keys;
mod page;
mod past;
mod rates;
mod scrape;
mod screen;
mod sections;
#[cfg(test)]
mod tests;
mod units;
mod view;
mod watch;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::exit::Exit;
use super::output::{say, tell};
use scrape::{ScrapeError, Source};
use view::View;
use watch::Watch;

/// How wide a frame on paper is.
const PAPER_WIDTH: u16 = 120;

pub(super) const EXAMPLES: &str = "\
Examples:
  forthwith top
  forthwith top --url https://decisions.example:8443 --token-file token --every 5s
  forthwith top --once --json | jq .rates";

/// Options of `top`.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,

    /// A file with the server's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// How often the server is asked: `500ms`, `2s`; 100 ms to an hour
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = every)]
    every: Duration,

    /// Print one frame after two scrapes, and end; likewise if standard output is no terminal
    #[arg(long)]
    once: bool,

    /// Print that one frame as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(asked: &Asked) -> Exit {
    let is_once = asked.once || asked.json || !io::stdout().is_terminal() || !io::stdin().is_terminal();
    let shown = if is_once { print(asked) } else { show(asked) };
    match shown {
        Ok(()) => Exit::Done,
        Err(trouble) => {
            tell(format!("error: {trouble}"));
            Exit::Failed
        }
    }
}

/// One frame.
fn print(asked: &Asked) -> Result<(), String> {
    let mut watch = watch(asked).map_err(|error| error.to_string())?;
    let frame = loop {
        if let Some(frame) = watch.look().map_err(|error| error.to_string())? {
            break frame;
        }
        std::thread::sleep(asked.every);
    };
    if asked.json {
        say(serde_json::to_string_pretty(&frame).unwrap_or_default());
        return Ok(());
    }
    let mut view = View::default();
    view.past.push(frame.rates);
    view.take(frame);
    say(on_paper(&view).trim_end());
    Ok(())
}

/// Frame upon frame, until somebody quits.
fn show(asked: &Asked) -> Result<(), String> {
    let mut watch = watch(asked).map_err(|error| error.to_string())?;
    let mut view = View { asked: asked.url.clone(), ..View::default() };
    // What was typed wrongly, and a server that is not there, are told before the terminal is taken.
    watch.look().map_err(|error| error.to_string())?;
    let watching = watch.go_on(asked.every).map_err(|error| error.to_string())?;
    screen::show(&mut view, &watching).map_err(|error| format!("the terminal cannot be used: {error}"))
}

fn watch(asked: &Asked) -> Result<Watch, ScrapeError> {
    let source = Source::new(&asked.url, asked.token_file.as_deref())?;
    Watch::new(source).map_err(|error| ScrapeError::Asked(error.to_string()))
}

/// A whole frame as plain text; in place of the keys it says what its figures are.
fn on_paper(view: &View) -> String {
    let area = Rect::new(0, 0, PAPER_WIDTH, view.height_at(PAPER_WIDTH));
    let mut buffer = Buffer::empty(area);
    view.draw(area, &mut buffer);
    let line = |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    let lines = (0..area.height.saturating_sub(1)).map(line);
    let seconds = view.frame.as_ref().map(|frame| frame.seconds);
    let told =
        format!("of the last {}; percentiles are interpolated within the buckets of /metrics", units::time(seconds));
    lines.chain([told]).collect::<Vec<_>>().join("\n")
}

/// A length of time as people type it.
fn every(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time such as `500ms` or `2s`");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "" | "s" => number,
        "m" | "min" => number * 60.0,
        _ => return Err(wrong()),
    };
    if (0.1..=3_600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("`{text}` is not between 100 ms and an hour"))
    }
}
