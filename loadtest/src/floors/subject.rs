//! The engine that is driven: configured, started, with all customers in memory.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use forthwith::bundle::{Bundle, Sources};
use forthwith::config::read_bundle;
use forthwith::{Budget, Config, Engine, Options};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::args::floors::{AckChoice, Load};
use crate::floors::workload::Workload;
use crate::report::{bar, say, thousands};

/// Events that are decided at once while customers are brought into memory.
const FIRST_BATCH: u64 = 1_000;

/// The engine and its load.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) engine: Engine,
    pub(crate) workload: Arc<Workload>,
    /// Where everything happens that is not measured.
    pub(crate) runtime: Runtime,
    /// Threads that the callers share.
    pub(crate) threads: usize,
    pub(crate) settings: forthwith::config::ServerSettings,
    /// Removed in the end, with everything in it.
    pub(crate) folder: TempDir,
}

impl Subject {
    /// Starts the engine and decides once for every customer.
    pub(crate) fn start(load: &Load) -> anyhow::Result<Self> {
        let workload = Workload::load(load)?;
        let folder = match &load.data {
            Some(parent) => tempfile::Builder::new().prefix("forthwith-load-").tempdir_in(parent),
            None => tempfile::Builder::new().prefix("forthwith-load-").tempdir(),
        };
        let folder = folder.context("cannot make a folder for the data (choose one with --data)")?;
        let Config { engine: mut config, settings } = Config::load(&load.config)?;
        let (sources, artifacts) = read_bundle(&load.config)?;
        config.bundle = Bundle::compile_with(with_ack(&sources, &load.playbook, load.ack)?, &artifacts)?;
        // Beyond the mark from which on some are put to rest.
        let room = usize::try_from(load.customers + load.customers / 8)?;
        config.customers.hot_customers_max = room.max(config.customers.hot_customers_max);
        config.customers.hot_bytes = (load.customers * 8_192).max(config.customers.hot_bytes);
        let engine = Engine::start(config.data(data(&folder)))?;
        let threads = load.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let subject = Self { engine, workload, runtime, threads: threads.max(1), settings: settings.server, folder };
        subject.touch_all(load)?;
        Ok(subject)
    }

    fn touch_all(&self, load: &Load) -> anyhow::Result<()> {
        say(load.quiet, &format!("bringing {} customers into memory", thousands(load.customers)));
        let bar = bar(load.quiet, "customers", load.customers);
        let options = patient();
        self.runtime.block_on(async {
            for first in (0..load.customers).step_by(FIRST_BATCH as usize) {
                let batch = first..load.customers.min(first + FIRST_BATCH);
                let events = batch.map(|customer| self.workload.first(customer)).collect();
                for answer in self.engine.decide_batch(&load.playbook, events, &options).await {
                    // A sample that the playbook cannot decide on is found here, before anything is measured.
                    if let Err(shed) = answer?.into_result() {
                        bail!("the engine had no room for a customer's first event: {shed}");
                    }
                }
                bar.inc(FIRST_BATCH);
            }
            bar.finish_and_clear();
            Ok(())
        })
    }

    /// How many rules a playbook has.
    pub(crate) fn rules(&self, playbook: &str) -> usize {
        let bundle = self.engine.bundle();
        bundle.playbook_number(playbook).map_or(0, |number| bundle.playbooks()[number].rules.rules().len())
    }

    /// Stops the engine and removes its data.
    pub(crate) fn stop(self, quiet: bool) -> anyhow::Result<()> {
        let stopped = self.engine.shutdown()?;
        say(quiet, &format!("stopped after record {}", thousands(stopped.last_seq)));
        self.folder.close().context("cannot remove the folder with the data")
    }

    /// Bytes of a record in the journal, with its share of the batch.
    pub(crate) fn record_bytes(&self) -> anyhow::Result<usize> {
        let page = self.engine.metrics();
        let counter = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<f64>().ok()).with_context(|| format!("the metrics have no {name}"))
        };
        let records = counter("forthwith_journal_records_total")?;
        Ok((counter("forthwith_journal_bytes_total")? / records.max(1.0)) as usize)
    }
}

/// Callers who wait as long as it takes, so that nothing is answered as pending.
pub(crate) fn patient() -> Options {
    Options { budget: Budget::Unlimited, ..Options::default() }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// The files of a bundle with another `ack` in one playbook.
fn with_ack(sources: &Sources, playbook: &str, ack: AckChoice) -> anyhow::Result<Sources> {
    let path = format!("playbooks/{playbook}.toml");
    let text = sources.get(&path).with_context(|| format!("the configuration has no {path}"))?;
    let mut sources = sources.clone();
    let mut changed = format!("ack = \"{}\"\n", ack.as_str());
    let mut is_top = true;
    for line in text.lines() {
        is_top &= !line.trim_start().starts_with('[');
        let key = line.split('=').next().unwrap_or_default().trim();
        if !(is_top && key == "ack") {
            changed.push_str(line);
            changed.push('\n');
        }
    }
    sources.insert(path, changed);
    Ok(sources)
}
