//! `forthwith check`: the whole configuration, all faults at once.

use super::args::Place;
use super::exit::Exit;
use super::output::{say, tell};
use crate::app::log;
use crate::config::Config;

pub(super) fn run(place: &Place) -> Exit {
    let config = match Config::load(&place.config) {
        Ok(config) => config,
        Err(faults) => {
            tell(faults);
            return Exit::Failed;
        }
    };
    if let Err(reason) = log::check(&config.settings.log) {
        tell(format!("1 fault in the configuration:\n  forthwith.toml: `log.level`: {reason}"));
        return Exit::Failed;
    }
    let bundle = &config.engine.bundle;
    let layout = bundle.layout();
    say(format!("`{}` is sound: bundle {}", place.config.display(), bundle.id()));
    say(format!(
        "  {} events, {} facts, {} signals",
        layout.events().len(),
        layout.facts().len(),
        layout.signals().len()
    ));
    for playbook in bundle.playbooks() {
        say(format!("  {}", super::show::playbook(bundle, playbook)));
    }
    Exit::Done
}
