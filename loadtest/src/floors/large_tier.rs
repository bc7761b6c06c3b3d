//! What the large tier takes above a bare HTTP client: prompt, gateway, checks, turn and record, at a steady pace.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use faulty_provider::{Conduct, Provider};
use forthwith::Tier;
use hdrhistogram::Histogram;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::args::floors::LargeTierRun;
use crate::clock::now;
use crate::floors::asking::{Asked, Asking, Came};
use crate::floors::closed_loop::LATENCY_MAX;
use crate::floors::open_loop::{Schedule, drive};
use crate::report::{markdown, micros, object, say, thousands};

/// The provider, its agent and their playbook.
const NAME: &str = "steady";

/// The time that a decision has: so much that nothing is cut short.
const BUDGET: Duration = Duration::from_secs(10);

/// A row of the table: a subject over all rounds.
struct Row {
    name: &'static str,
    rounds: Vec<Histogram<u64>>,
    /// Calls that did not come to what they should have.
    astray: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    subject: &'static str,
    calls: u64,
    astray: u64,
    us_p50: f64,
    us_p90: f64,
    us_p99: f64,
    us_p999: f64,
    /// Above the bare client: the middle of the rounds.
    added_us_p50: f64,
    added_us_p99: f64,
}

/// A client with nothing in between. It works on a thread of its own, as the gateway's does.
struct Bare {
    client: reqwest::Client,
    url: String,
    body: Bytes,
    runtime: Runtime,
}

/// Measures and prints both.
pub(crate) fn run(run: &LargeTierRun) -> anyhow::Result<()> {
    let load = &run.load;
    let behaviour = Conduct::after(Duration::from_millis(run.latency_ms)).into();
    let asking = Asking::start(load, BUDGET, vec![Asked { name: NAME, behaviour }])?;
    let provider = asking.providers.first().context("there is no provider")?;
    let bare = Bare::new(provider, one_question(&asking, provider)?)?;
    provider.keep(0);
    let (mut floor, mut tier) = (Row::new("floor: bare HTTP client"), Row::new("large tier"));
    for round in 0..load.rounds {
        say(load.quiet, &format!("round {} of {}", round + 1, load.rounds));
        floor.measure(run, |_| bare.call())?;
        let (playbook, name): (Arc<str>, Arc<str>) = (NAME.into(), format!("tier-{round}").into());
        tier.measure(run, |nth| {
            let (asking, playbook, name) = (&asking, &playbook, &name);
            async move {
                let came = asking.decide(playbook, name, nth).await?;
                Ok((now(), matches!(came, Came::Decided { tier: Tier::LargeModel, .. })))
            }
        })?;
    }
    print(run, &[floor.line(&floor)?, tier.line(&floor)?])?;
    asking.stop(load.quiet)
}

/// The body of a question as the engine asks it.
fn one_question(asking: &Asking, provider: &Provider) -> anyhow::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let came = runtime.block_on(asking.decide(&NAME.into(), &"first-question".into(), 0))?;
    let question = provider.requests().pop();
    Ok(question.with_context(|| format!("the provider was not asked: {came:?}"))?.body)
}

impl Bare {
    fn new(provider: &Provider, body: Vec<u8>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = reqwest::Client::builder().tcp_nodelay(true).pool_max_idle_per_host(1_024).build()?;
        Ok(Self { client, url: format!("{}/chat/completions", provider.base_url()), body: body.into(), runtime })
    }

    /// Sends it and reads the answer; the time is that at which the client has it.
    async fn call(&self) -> anyhow::Result<(Instant, bool)> {
        let request = self.client.post(&self.url).header("content-type", "application/json").body(self.body.clone());
        let call = async move {
            let answer = request.send().await?;
            let is_ok = answer.status().is_success();
            let body = answer.bytes().await?;
            Ok::<_, reqwest::Error>((now(), is_ok && !body.is_empty()))
        };
        Ok(self.runtime.spawn(call).await.context("the client broke off")??)
    }
}

impl Row {
    const fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new(), astray: 0 }
    }

    /// A round, after a tenth of it that is not counted.
    fn measure<F: Future<Output = anyhow::Result<(Instant, bool)>>>(
        &mut self,
        run: &LargeTierRun,
        call: impl FnMut(u64) -> F,
    ) -> anyhow::Result<()> {
        let counted = run.rate * run.load.seconds;
        let first = counted / 10;
        let mut latencies = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3)?;
        drive(Schedule { per_second: run.rate, calls: first + counted }, call, |ended| {
            let (at, is_right) = ended.answer;
            if ended.nth >= first {
                latencies.saturating_record(at.saturating_duration_since(ended.intended).as_nanos() as u64);
                self.astray += u64::from(!is_right);
            }
        })?;
        self.rounds.push(latencies);
        Ok(())
    }

    fn line(&self, floor: &Self) -> anyhow::Result<Line> {
        let Some((first, others)) = self.rounds.split_first() else { bail!("nothing was measured") };
        let mut all = first.clone();
        for round in others {
            all.add(round)?;
        }
        let us = |quantile| all.value_at_quantile(quantile) as f64 / 1_000.0;
        let added = |quantile: f64| {
            let of = |row: &Histogram<u64>| row.value_at_quantile(quantile) as f64 / 1_000.0;
            let rounds = self.rounds.iter().zip(&floor.rounds);
            let mut added: Vec<f64> = rounds.map(|(row, floor)| of(row) - of(floor)).collect();
            added.sort_by(f64::total_cmp);
            added.get(added.len() / 2).copied().unwrap_or_default()
        };
        Ok(Line {
            subject: self.name,
            calls: all.len(),
            astray: self.astray,
            us_p50: us(0.5),
            us_p90: us(0.9),
            us_p99: us(0.99),
            us_p999: us(0.999),
            added_us_p50: added(0.5),
            added_us_p99: added(0.99),
        })
    }
}

fn print(run: &LargeTierRun, lines: &[Line]) -> anyhow::Result<()> {
    let load = &run.load;
    if load.json {
        return object(&serde_json::json!({
            "scenario": "large_tier",
            "offered_per_second": run.rate,
            "provider_latency_ms": run.latency_ms,
            "seconds": load.seconds,
            "rounds": load.rounds,
            "customers": load.customers,
            "subjects": lines,
        }));
    }
    let title = format!(
        "The large tier: {} calls/s offered, a provider that answers after {} ms, {} s by {} rounds",
        thousands(run.rate),
        run.latency_ms,
        load.seconds,
        load.rounds,
    );
    let columns =
        ["", "calls", "astray", "p50 us", "p90 us", "p99 us", "p99.9 us", "p50 above the floor", "p99 above the floor"];
    let us = |us: f64| micros((us.max(0.0) * 1_000.0) as u64);
    let cells = |line: &Line| {
        let mut cells = vec![line.subject.to_owned(), thousands(line.calls), thousands(line.astray)];
        cells.extend([line.us_p50, line.us_p90, line.us_p99, line.us_p999].map(us));
        cells.extend([line.added_us_p50, line.added_us_p99].map(us));
        cells
    };
    markdown(&title, &columns, lines.iter().map(cells))
}
