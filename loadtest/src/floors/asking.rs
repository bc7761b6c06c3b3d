//! An engine whose playbooks ask large models, each of a provider that behaves in its own way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use faulty_provider::{Behaviour, Provider};
use forthwith::bundle::{Bundle, Sources};
use forthwith::domain::Money;
use forthwith::engine::Config;
use forthwith::gateway::{LimitConfig, Provider as ProviderConfig, ProviderModel};
use forthwith::{Answer, Engine, Event, FallbackReason, Options, Tier};
use tempfile::TempDir;

use crate::args::floors::OpenLoad;
use crate::floors::subject::patient;
use crate::report::{bar, say, thousands};

/// The playbook that asks nobody.
pub(crate) const PLAIN: &str = "plain";

/// Events that are decided at once while customers are brought into memory.
const FIRST_BATCH: u64 = 1_000;

/// A ticket as people write it: two sentences.
const BODY: &str = "I have been trying to pay with my card since this morning and it is declined every time, at the till and in \
                    the shop on the web. The app says that everything is fine. Please help me, I need it for a journey tomorrow.";

const CONTEXT: &str = r#"
[events."ticket.created"]
subject = "string"
body    = "string"

[signals]
tickets_24h = { count = "ticket.created", over = "24h" }
"#;

/// What both playbooks have: five rules that a ticket runs through.
const RULES: &str = r#"
on     = ["ticket.created"]
ack    = "memory"
budget = "BUDGET"

[outcome]
queue    = ["general", "billing", "cards", "incident"]
priority = { type = "int", min = 1, max = 4 }

[default]
then   = { queue = "general", priority = 3 }
permit = { queue = ["general", "billing", "cards"] }

[[rules]]
id   = "outage"
when = 'event.body.contains("outage") && signal.tickets_24h > 1'
then = { queue = "incident", priority = 1 }

[[rules]]
id   = "refund"
when = 'event.subject.contains("refund")'
then = { queue = "billing" }

[[rules]]
id   = "invoice"
when = 'event.subject.contains("invoice") || event.body.contains("invoice")'
then = { queue = "billing" }

[[rules]]
id   = "many"
when = 'signal.tickets_24h > 1000'
then = { queue = "incident", priority = 2 }
"#;

const AGENT: &str = r#"
version       = 1
owner         = "load"
kind          = "executor"
consent_scope = ["service"]
instructions  = "You route tickets of customers of a bank to the queue of those who can help. Answer with the queue."
answer_tokens = 32

[inputs.subject]
from = "event.subject"

[inputs.body]
from = "event.body"
"#;

/// A provider with its name and how it begins.
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    pub(crate) behaviour: Behaviour,
}

/// The engine with its providers.
pub(crate) struct Asking {
    pub(crate) engine: Engine,
    /// In the order in which they were given.
    pub(crate) providers: Vec<Provider>,
    customers: u64,
    folder: TempDir,
}

/// What a decision came to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Came {
    /// A decision.
    Decided {
        /// Whose.
        tier: Tier,
        /// Why it is the rules', if somebody else was asked.
        fallback: Option<FallbackReason>,
        /// What it cost.
        cost: Option<Money>,
    },
    /// There was no room for it.
    Shed,
}

impl Asking {
    /// Starts providers and an engine with a playbook for each, and decides once for every customer.
    pub(crate) fn start(load: &OpenLoad, budget: Duration, asked: Vec<Asked>) -> anyhow::Result<Self> {
        let folder = match &load.data {
            Some(parent) => tempfile::Builder::new().prefix("forthwith-load-").tempdir_in(parent),
            None => tempfile::Builder::new().prefix("forthwith-load-").tempdir(),
        };
        let folder = folder.context("cannot make a folder for the data (choose one with --data)")?;
        let names: Vec<&str> = asked.iter().map(|asked| asked.name).collect();
        let mut config = Config::new(Bundle::compile(sources(budget, &names))?).data(folder.path().join("data"));
        let room = usize::try_from(load.customers + load.customers / 8)?;
        config.customers.hot_customers_max = room.max(config.customers.hot_customers_max);
        config.customers.hot_bytes = (load.customers * 8_192).max(config.customers.hot_bytes);
        let mut providers = Vec::new();
        for asked in asked {
            let provider = Provider::start(asked.behaviour).context("cannot start a provider")?;
            config.gateway.providers.push(configured(asked.name, provider.base_url()));
            providers.push(provider);
        }
        config.gateway.calls_max = load.calls_max;
        let asking = Self { engine: Engine::start(config)?, providers, customers: load.customers, folder };
        asking.touch_all(load)?;
        Ok(asking)
    }

    fn touch_all(&self, load: &OpenLoad) -> anyhow::Result<()> {
        say(load.quiet, &format!("bringing {} customers into memory", thousands(self.customers)));
        let bar = bar(load.quiet, "customers", self.customers);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        for first in (0..self.customers).step_by(FIRST_BATCH as usize) {
            let batch = first..self.customers.min(first + FIRST_BATCH);
            let events = batch.map(|number| event("first", number, number)).collect();
            for answer in runtime.block_on(self.engine.decide_batch(PLAIN, events, &patient())) {
                answer?.into_result().context("the engine had no room for a customer's first event")?;
            }
            bar.inc(FIRST_BATCH);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Has a playbook decide on the `nth` event of a run.
    pub(crate) async fn decide(&self, playbook: &Arc<str>, run: &Arc<str>, nth: u64) -> anyhow::Result<Came> {
        // Far-apart customers one after the other, each as often as any other.
        let customer = nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.customers;
        let event = event(run, nth, customer);
        Ok(match self.engine.decide_with(playbook, event, &Options::default()).await? {
            Answer::Given(decision) => {
                Came::Decided { tier: decision.tier, fallback: decision.fallback, cost: decision.cost }
            }
            Answer::Shed(_) => Came::Shed,
        })
    }

    /// The sum of a series over the lines whose labels have this text.
    pub(crate) fn metric(&self, series: &str, label: &str) -> f64 {
        let page = self.engine.metrics();
        let of_series = |line: &&str| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = page.lines().filter(of_series).filter(|line| line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Stops the engine and removes its data.
    pub(crate) fn stop(self, quiet: bool) -> anyhow::Result<()> {
        let stopped = self.engine.shutdown()?;
        say(quiet, &format!("stopped after record {}", thousands(stopped.last_seq)));
        self.folder.close().context("cannot remove the folder with the data")
    }
}

fn event(run: &str, nth: u64, customer: u64) -> Event {
    Event::new(format!("{run}-{nth}"), "load", "ticket.created", format!("customer-{customer:08}"))
        .with("subject", format!("My card was declined, case {nth}"))
        .with("body", BODY)
}

/// The playbook that asks nobody and one for each of these, whose agent asks the provider of that name.
fn sources(budget: Duration, asked: &[&str]) -> Sources {
    let rules = RULES.replace("BUDGET", &format!("{}ms", budget.as_millis()));
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert(format!("playbooks/{PLAIN}.toml"), format!("playbook = \"{PLAIN}\"\n{rules}"));
    for name in asked {
        let uses = format!("[[agents]]\nuse = \"router_{name}@1\"\nsets = [\"queue\"]\n");
        sources.insert(format!("playbooks/{name}.toml"), format!("playbook = \"{name}\"\n{rules}\n{uses}"));
        let agent = format!("agent = \"router_{name}\"\nmodels = [\"{name}/router\"]\n{AGENT}");
        sources.insert(format!("agents/router_{name}.toml"), agent);
    }
    sources
}

fn configured(name: &str, base_url: String) -> ProviderConfig {
    let model = ProviderModel {
        name: "router".to_owned(),
        model: "router".to_owned(),
        // As a small hosted model costs.
        input_price: Money::from_nanos(150_000_000),
        output_price: Money::from_nanos(600_000_000),
        ..ProviderModel::default()
    };
    ProviderConfig {
        name: name.to_owned(),
        base_url,
        // Two thousand questions a second, a quarter of a second each, are five hundred at a time.
        limit: LimitConfig { max: 1_024, initial: 256, ..LimitConfig::default() },
        idle_connections_max: 1_024,
        models: vec![model],
        ..ProviderConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_compiles() {
        let bundle = Bundle::compile(sources(Duration::from_millis(250), &["healthy", "hanging"])).unwrap();
        assert_eq!(bundle.playbooks().len(), 3);
    }
}
