//! Decisions in process, beside a bare cell or a bare group commit.

use forthwith::{Answer, Durability, Engine, Event, Options};

use crate::args::floors::{AckChoice, EngineRun};
use crate::floors::bare_cell::{BareCaller, BareCells};
use crate::floors::bare_commit::BareCommit;
use crate::floors::closed_loop::{Answered, Caller, Measured, drive};
use crate::floors::subject::{Subject, patient};
use crate::floors::workload::Stream;
use crate::report::{Row, say, table, thousands};

/// Someone who has decisions made.
#[derive(Debug)]
struct EngineCaller {
    engine: Engine,
    playbook: String,
    options: Options,
    stream: Stream,
}

impl Caller for EngineCaller {
    type Item = Event;

    fn prepare(&mut self) -> Event {
        self.stream.event()
    }

    async fn call(&mut self, event: Event) -> anyhow::Result<Answered> {
        Ok(match self.engine.decide_with(&self.playbook, event, &self.options).await? {
            Answer::Given(decision) if decision.durability != Durability::Pending => Answered::Given,
            _ => Answered::Short,
        })
    }
}

/// Someone who makes events and asks nothing: what the driver itself costs.
#[derive(Debug)]
struct IdleCaller(Stream);

impl Caller for IdleCaller {
    type Item = Event;

    fn prepare(&mut self) -> Event {
        self.0.event()
    }

    async fn call(&mut self, event: Event) -> anyhow::Result<Answered> {
        drop(std::hint::black_box(event));
        Ok(Answered::Given)
    }
}

enum Floor {
    Cell(std::sync::Arc<BareCells>),
    Commit(BareCommit, usize),
}

/// Measures and prints a table for each number of callers.
pub(crate) fn run(run: &EngineRun) -> anyhow::Result<()> {
    let load = &run.load;
    let subject = Subject::start(load)?;
    let record_bytes = subject.record_bytes()?;
    let floor = match load.ack {
        AckChoice::Memory => Floor::Cell(BareCells::new(&subject.workload)),
        AckChoice::Disk => Floor::Commit(BareCommit::start(subject.folder.path())?, record_bytes),
    };
    for &callers in &run.callers {
        let (mut bare, mut driver, mut engine) =
            (Row::new(floor.name()), Row::new("driver alone (events made and dropped)"), Row::new("engine"));
        for round in 0..load.rounds {
            say(load.quiet, &format!("{callers} callers, round {} of {}", round + 1, load.rounds));
            let stream = |caller| subject.workload.stream(&format!("{callers}-{round}"), caller);
            bare.push(floor.measure(&subject, load.seconds, callers, stream)?);
            if load.ack == AckChoice::Memory {
                driver.push(drive(subject.threads, load.seconds, (0..callers).map(stream).map(IdleCaller).collect())?);
            }
            let callers = (0..callers).map(|caller| EngineCaller {
                engine: subject.engine.clone(),
                playbook: load.playbook.clone(),
                options: patient(),
                stream: stream(caller),
            });
            engine.push(drive(subject.threads, load.seconds, callers.collect())?);
        }
        let title = format!(
            "Decisions in process: ack = \"{}\", {callers} callers, {} customers ({:?}), {} rules, {record_bytes} bytes a record",
            load.ack.as_str(),
            thousands(load.customers),
            load.spread,
            subject.rules(&load.playbook),
        );
        table(&title, &[bare, driver, engine])?;
    }
    drop(floor);
    subject.stop(load.quiet)
}

impl Floor {
    fn name(&self) -> &'static str {
        match self {
            Self::Cell(_) => "floor: bare cell, 300 ns of work",
            Self::Commit(..) => "floor: bare append and fdatasync",
        }
    }

    fn measure(
        &self,
        subject: &Subject,
        seconds: u64,
        callers: u32,
        stream: impl Fn(u32) -> Stream,
    ) -> anyhow::Result<Measured> {
        match self {
            Self::Cell(cells) => {
                let caller = |caller| BareCaller { cells: cells.clone(), stream: stream(caller) };
                drive(subject.threads, seconds, (0..callers).map(caller).collect())
            }
            Self::Commit(commit, record_bytes) => {
                drive(subject.threads, seconds, (0..callers).map(|_| commit.caller(*record_bytes)).collect())
            }
        }
    }
}
