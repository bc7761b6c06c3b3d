//! `forthwith serve`: the server with everything embedded.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Place;
use super::exit::Exit;
use super::output::{counted, grouped, say, tell};
use super::show;
use crate::app::{App, log};
use crate::config::Config;
use crate::engine::{Data, Engine};
use crate::time::Clock;

/// How often the bar of a recovery moves.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) fn run(place: &Place) -> Exit {
    let mut config = match Config::load(&place.config) {
        Ok(config) => config,
        Err(faults) => {
            tell(faults);
            return Exit::Failed;
        }
    };
    let data = place.data_directory();
    config.engine.data = Data::Directory(data.clone());
    // Dropped at the very end: the last spans are those of calls that end with the engine.
    let spans = match log::start(&config.settings.log) {
        Ok(spans) => spans,
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    if let Some(spans) = &spans {
        config.engine.spans = spans.sampling();
    }
    let (clock, bar) = (Clock::system(), progress_bar("reading the journal"));
    let start = clock.instant();
    let engine = Engine::start_with(config.engine, &mut |seq, last| {
        bar.set_length(last);
        bar.set_position(seq);
    });
    bar.finish_and_clear();
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let took = clock.instant().since(start);
    let (settings, selfcheck) = (config.settings.server, config.settings.selfcheck);
    let app = App { engine: engine.clone(), settings, selfcheck, config: place.config.clone() };
    let has_token = app.settings.token.is_some();
    let mut watcher = None;
    let served = app.run(|address| {
        announce(&engine, &place.config, &data, &address.to_string(), has_token);
        let recovered = engine.started().recovered;
        tell_found(&engine);
        say(format!("  ready after {} ms; {} records read back", took.as_millis(), grouped(recovered.records)));
        if recovered.left > 0 {
            say(format!("  {} more are read back behind the decisions", grouped(recovered.left)));
            watcher = watch_recovery(engine.clone());
        }
        say("Ctrl-C stops it.");
    });
    if let Some(watcher) = watcher {
        // It ends with the engine.
        let _ = watcher.join();
    }
    match served {
        Ok(stopped) => {
            say(format!("stopped in good order: the journal ends at record {}", grouped(stopped.last_seq)));
            Exit::Done
        }
        Err(error) => {
            tell(format!("error: {error}"));
            Exit::Failed
        }
    }
}

/// What is running, in a few lines, and one that can be pasted.
fn announce(engine: &Engine, config: &Path, data: &Path, address: &str, has_token: bool) {
    let bundle = engine.bundle();
    say(format!("forthwith {} listens on http://{address}", env!("CARGO_PKG_VERSION")));
    say(format!("  config {}, bundle {}", config.display(), bundle.id()));
    for playbook in bundle.playbooks() {
        say(format!("  {}", show::playbook(&bundle, playbook)));
    }
    say(format!("  data in {}: {} records", data.display(), grouped(engine.started().recovered.last_seq)));
    if let Some(playbook) = bundle.playbooks().first() {
        say(format!("  try: {}", show::curl(&bundle, playbook, address, has_token)));
    }
}

/// What was found in the data directory that is worth a line.
fn tell_found(engine: &Engine) {
    let started = engine.started();
    if let Some(migrated) = started.migrated {
        let segments = counted(migrated.segments as usize, "segment");
        say(format!(
            "  migrated from format {} to format {}: {segments} kept as they are, full ones are sealed in the background",
            migrated.from, migrated.to
        ));
    }
    for gap in &started.gaps {
        let (first, last) = (grouped(gap.first_seq), grouped(gap.last_seq()));
        say(format!(
            "  records {first} to {last} were lost to damage; the journal was repaired at {}",
            gap.repaired_at
        ));
    }
}

/// Shows how far recovery has come until it is over, and says what came of it.
fn watch_recovery(engine: Engine) -> Option<JoinHandle<()>> {
    let watch = move || {
        let (clock, bar) = (Clock::system(), progress_bar("reading the journal behind the decisions"));
        let start = clock.instant();
        let progress = loop {
            let progress = engine.recovery();
            if !progress.is_under_way() || engine.is_stopping() {
                break progress;
            }
            bar.set_length(progress.last - progress.from);
            bar.set_position(progress.done - progress.from);
            std::thread::sleep(LOOK_EVERY);
        };
        bar.finish_and_clear();
        let took = clock.instant().since(start);
        match progress.failure() {
            Some(reason) => tell(format!("error: recovery cannot go on: {reason}")),
            None if progress.is_under_way() => {
                say("stopped before the journal was read back; the next start begins it again");
            }
            None => {
                say(format!("{} records read back after {} s", grouped(progress.records), took.as_secs()));
            }
        }
    };
    // Without a thread the log alone says it.
    std::thread::Builder::new().name("forthwith-progress".to_owned()).spawn(watch).ok()
}

/// Reading the journal may take a while; a terminal shows how far it is.
fn progress_bar(what: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = format!("{what} {{bar:40}} {{pos}}/{{len}} records, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
