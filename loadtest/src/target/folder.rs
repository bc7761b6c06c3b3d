//! The configuration folder that an engine runs on: a copy, changed as the scenario says.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use forthwith::Config;
use forthwith::bundle::Bundle;
use tempfile::TempDir;

use super::shipped;
use crate::scenario::{EngineSource, Scenario};

/// A configuration folder of one's own.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: TempDir,
    /// Settings over those of the folder, as environment variables have them.
    settings: Vec<(String, String)>,
    reloads: u32,
}

impl Folder {
    /// Makes the folder of a scenario; what a provider of large models is called at is set beside.
    pub(super) fn new(scenario: &Scenario, provider: Option<(&str, String)>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("forthwith-load-config-").tempdir();
        let folder = folder.context("cannot make a folder for the configuration")?;
        let source = &scenario.engine;
        match &source.config {
            Some(from) => copy(from, folder.path())
                .with_context(|| format!("cannot copy the configuration folder {}", from.display()))?,
            None => {
                for (path, bytes) in shipped::FILES {
                    write(&folder.path().join(path), bytes)?;
                }
            }
        }
        for (path, text) in &source.files {
            write(&folder.path().join(path), text.as_bytes())?;
        }
        change_playbooks(source, folder.path())?;
        let mut settings = source.settings.clone();
        if let Some((name, url)) = provider {
            settings.push((format!("FORTHWITH__PROVIDERS__{}__BASE_URL", name.to_uppercase()), url));
        }
        make_room(&mut settings, scenario.population.customers);
        Ok(Self { folder, settings, reloads: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// The configuration, for an engine in this process.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        let environment = std::env::vars().chain(self.settings.iter().cloned());
        Ok(Config::load_with(self.path(), environment)?)
    }

    pub(super) fn bundle(&self) -> anyhow::Result<Bundle> {
        Ok(Config::load_bundle(self.path())?)
    }

    /// Changes what is in force in nothing but its name: the bundle is another one.
    pub(super) fn change(&mut self, playbook: &str) -> anyhow::Result<()> {
        self.reloads += 1;
        let path = self.path().join(format!("playbooks/{playbook}.toml"));
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = text.split("\n# Change ").next().unwrap_or_default();
        write(&path, format!("{text}\n# Change {}.\n", self.reloads).as_bytes())
    }
}

/// All customers of the scenario stay in memory, unless it says otherwise.
fn make_room(settings: &mut Vec<(String, String)>, customers: u64) {
    for (name, room, default) in [
        ("FORTHWITH__ENGINE__HOT_CUSTOMERS_MAX", customers + customers / 8, 1_000_000),
        ("FORTHWITH__ENGINE__HOT_BYTES", customers * 8_192, 1 << 30),
    ] {
        if room > default && !settings.iter().any(|(known, _)| known == name) {
            settings.push((name.to_owned(), room.to_string()));
        }
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn change_playbooks(source: &EngineSource, folder: &Path) -> anyhow::Result<()> {
    for (name, keys) in &source.playbooks {
        let path = folder.join(format!("playbooks/{name}.toml"));
        if !path.exists() {
            bail!("`engine.playbooks.{name}`: the configuration has no playbook of this name");
        }
        let text = fs::read_to_string(&path)?;
        write(&path, with_keys(&text, keys).as_bytes())?;
    }
    Ok(())
}

/// A playbook with other values of keys that stand before its first table.
fn with_keys(text: &str, keys: &[(String, String)]) -> String {
    let mut changed: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let mut is_top = true;
    for line in text.lines() {
        is_top &= !line.trim_start().starts_with('[');
        let key = line.split('=').next().unwrap_or_default().trim();
        if !(is_top && keys.iter().any(|(known, _)| known == key)) {
            changed.push_str(line);
            changed.push('\n');
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_playbook_is_replaced_where_it_stands_before_the_tables() {
        let text = "playbook = \"p\"\nack = \"disk\"  # safe\n[default]\nack = \"no key of ours\"\n";
        let changed = with_keys(text, &[("ack".to_owned(), "\"memory\"".to_owned())]);
        assert_eq!(changed, "ack = \"memory\"\nplaybook = \"p\"\n[default]\nack = \"no key of ours\"\n");
    }
}
