//! `forthwith decide`: a file of events in, one decision a line out.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Decide, Place};
use super::exit::Exit;
use super::facts::{FactsFile, Told};
use super::mapping::RowMapper;
use super::output::tell;
use super::rows::{Content, Line, Lines};
use super::summary::Summary;
use crate::app::{Spans, log};
use crate::bundle::Bundle;
use crate::config::Config;
use crate::domain::Event;
use crate::engine::{Answer, Budget, Data, Decision, Engine, Error, Options, Timing};
use crate::time::Clock;

/// Why a run ends early.
enum Stop {
    /// Something is wrong that no later line can mend.
    Failed(String),
    /// A bad line, and `--strict`.
    Strict,
    /// Nobody reads the output any more.
    Unread,
}

pub(super) fn run(place: &Place, args: &Decide) -> Exit {
    match prepare(place, args).and_then(Run::all) {
        Ok(exit) => exit,
        Err(Stop::Failed(message)) => {
            tell(message);
            Exit::Failed
        }
        Err(Stop::Strict) => Exit::BadLines,
        Err(Stop::Unread) => Exit::Done,
    }
}

/// One run.
struct Run<'a> {
    args: &'a Decide,
    engine: Engine,
    bundle: Arc<Bundle>,
    playbook: usize,
    lines: Lines,
    facts: FactsFile,
    output: Box<dyn Write>,
    bar: ProgressBar,
    summary: Summary,
    runtime: tokio::runtime::Runtime,
    clock: Clock,
    has_named_ignored: bool,
    /// Dropped at the very end: the last spans are those of calls that end with the engine.
    _spans: Option<Spans>,
}

fn prepare<'a>(place: &Place, args: &'a Decide) -> Result<Run<'a>, Stop> {
    let failed = |e: String| Stop::Failed(format!("error: {e}"));
    let mut config = Config::load(&place.config).map_err(|faults| Stop::Failed(faults.to_string()))?;
    // A batch may be all one customer's.
    config.engine.customers.mailbox = config.engine.customers.mailbox.max(usize::from(args.batch));
    config.engine.data = place.data.clone().map_or(Data::Temporary, Data::Directory);
    let Some(playbook) = config.engine.bundle.playbook_number(&args.playbook) else {
        let hint = config.engine.bundle.suggest_playbook(&args.playbook);
        return Err(failed(format!("there is no playbook `{}`{hint}", args.playbook)));
    };
    let facts = match &args.facts {
        Some(path) => FactsFile::read(path, config.engine.bundle.layout())
            .map_err(|faults| Stop::Failed(format!("error: the facts cannot be used:\n  {}", faults.join("\n  "))))?,
        None => FactsFile::default(),
    };
    let (lines, size) = Lines::open(&args.input, args.format).map_err(failed)?;
    let output = open_output(args.output.as_deref()).map_err(failed)?;
    let spans = log::start_spans(&config.settings.log).map_err(failed)?;
    if let Some(spans) = &spans {
        config.engine.spans = spans.sampling();
    }
    let engine = Engine::start(config.engine.for_history()).map_err(|e| failed(e.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|e| failed(e.to_string()))?;
    Ok(Run {
        args,
        bundle: engine.bundle(),
        engine,
        playbook,
        lines,
        facts,
        output,
        bar: progress_bar(args, size),
        summary: Summary::new().map_err(failed)?,
        runtime,
        clock: Clock::system(),
        has_named_ignored: false,
        _spans: spans,
    })
}

fn open_output(path: Option<&Path>) -> Result<Box<dyn Write>, String> {
    let Some(path) = path else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file = File::create(path).map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// A bar by bytes of the file, a counter for a pipe; hidden where nobody watches.
fn progress_bar(args: &Decide, size: Option<u64>) -> ProgressBar {
    // A terminal that shows the decisions cannot show a bar as well.
    let is_shared = args.output.is_none() && io::stdout().is_terminal();
    if args.quiet || is_shared || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:40} {percent:>3} %  {msg}  {elapsed}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

impl Run<'_> {
    fn all(mut self) -> Result<Exit, Stop> {
        let start = self.clock.instant();
        let result = self.decide_all();
        self.bar.finish_and_clear();
        self.output.flush().map_err(|e| unread_or_failed(&e))?;
        result?;
        let stopped = self.engine.shutdown().map_err(|e| Stop::Failed(format!("error: {e}")))?;
        debug_assert_eq!(stopped.dropped, 0);
        self.summary.facts_left = self.facts.left();
        if !self.args.quiet {
            tell(self.summary.show(self.clock.instant().since(start), self.args.batch).trim_end());
        }
        Ok(if self.summary.bad > 0 { Exit::BadLines } else { Exit::Done })
    }

    fn decide_all(&mut self) -> Result<(), Stop> {
        self.name_columns()?;
        // With `--strict` nothing behind a bad line may be decided, so lines go one by one.
        let size = if self.args.strict { 1 } else { usize::from(self.args.batch) };
        let mut batch = Vec::with_capacity(size);
        loop {
            let line = self.lines.next().map_err(|e| Stop::Failed(format!("error: {e}")))?;
            let is_end = line.is_none();
            if let Some(Line { number, content }) = line {
                batch.push((number, content.and_then(|content| self.event(content, number))));
            }
            if batch.len() == size || (is_end && !batch.is_empty()) {
                self.decide_batch(std::mem::take(&mut batch))?;
                self.bar.set_position(self.lines.bytes_read());
                self.bar.set_message(format!("{} decided", super::output::grouped(self.summary.decided)));
            }
            if is_end {
                return Ok(());
            }
        }
    }

    /// Says once which columns are ignored or missing.
    fn name_columns(&self) -> Result<(), Stop> {
        let Some(columns) = self.lines.columns() else { return Ok(()) };
        let mapper = self.mapper().map_err(|e| Stop::Failed(format!("error: {e}")))?;
        let missing = mapper.missing(columns.iter().map(String::as_str));
        if !missing.is_empty() {
            let columns = columns.join("`, `");
            return Err(Stop::Failed(format!(
                "error: the input has no column `{}`; it has `{columns}`",
                missing.join("`, `")
            )));
        }
        let unfilled = mapper.unfilled(columns);
        if !unfilled.is_empty() {
            let made_up = if unfilled.contains(&"customer") {
                "; customers are made up with `--set 'customer=row-{line}'`"
            } else {
                ""
            };
            return Err(Stop::Failed(format!(
                "error: no column gives `{}`; name one with `--map COLUMN=FIELD`, or give a value with `--set FIELD=VALUE`{made_up}. \
                 The input has the columns `{}`",
                unfilled.join("`, `"),
                columns.join("`, `")
            )));
        }
        let ignored = mapper.ignored(columns.iter().map(String::as_str));
        if !ignored.is_empty() {
            let ignored: Vec<String> = ignored.iter().map(|column| format!("`{column}`")).collect();
            self.note(&format!("note: columns that no field takes are ignored: {}", ignored.join(", ")));
        }
        Ok(())
    }

    fn mapper(&self) -> Result<RowMapper<'_>, String> {
        // Rows become events of the first type that the playbook decides on.
        let kind = self.bundle.playbooks()[self.playbook].on[0];
        let event = &self.bundle.layout().events()[kind];
        let source = if self.args.input == "-" { "stdin" } else { &self.args.input };
        RowMapper::new(event, &self.args.map, &self.args.set, source)
    }

    fn event(&mut self, content: Content, line: u64) -> Result<Event, String> {
        match content {
            Content::Event(event) => {
                let faults = |faults: Vec<crate::ingress::Fault>| {
                    faults.into_iter().map(|fault| fault.detail).collect::<Vec<_>>().join("; ")
                };
                event.into_event().map(|arrived| arrived.event).map_err(faults)
            }
            Content::Row(row) => {
                let mapper = self.mapper()?;
                let ignored = mapper.ignored(row.iter().map(|(column, _)| column.as_str()));
                let event = mapper.event(row, line)?;
                if !ignored.is_empty() && !self.has_named_ignored && self.lines.columns().is_none() {
                    self.has_named_ignored = true;
                    let ignored: Vec<String> = ignored.iter().map(|column| format!("`{column}`")).collect();
                    self.note(&format!("note: keys that no field takes are ignored: {}", ignored.join(", ")));
                }
                Ok(event)
            }
        }
    }

    /// Decides a batch of lines and writes what came of each, in their order.
    fn decide_batch(&mut self, batch: Vec<(u64, Result<Event, String>)>) -> Result<(), Stop> {
        let options = Options { budget: Budget::Unlimited, timing: Timing::EventTime, ..Options::default() };
        let mut came = Vec::with_capacity(batch.len());
        let mut run = Vec::new();
        for (line, event) in batch {
            match event.and_then(|event| self.with_facts(event)) {
                Err(reason) => came.push((line, Came::Bad(reason))),
                Ok(event) if self.is_decided_on(&event) => run.push((line, event)),
                Ok(event) => {
                    // The order of a customer's events matters: what came before is decided before this is folded.
                    self.decide_run(std::mem::take(&mut run), &options, &mut came)?;
                    let answer = self.runtime.block_on(self.engine.observe_with(event, &options));
                    came.push((line, Came::of(line, answer, |_| Came::Observed)?));
                }
            }
        }
        self.decide_run(run, &options, &mut came)?;
        came.sort_by_key(|(line, _)| *line);
        for (line, came) in came {
            match came {
                Came::Decided(decision) => self.write(&decision)?,
                Came::Observed => self.summary.observed += 1,
                Came::Bad(reason) => self.bad_line(line, &reason)?,
            }
        }
        Ok(())
    }

    /// Tells the facts and consents of a customer who appears for the first time.
    fn with_facts(&mut self, event: Event) -> Result<Event, String> {
        let arrival = event.time.unwrap_or_else(|| self.clock.wall());
        for told in self.facts.take(&event.customer) {
            let (customer, Told { facts, consents }) = (event.customer.as_str(), told);
            let (has_facts, has_consents) = (!facts.values.is_empty(), !consents.values.is_empty());
            if has_consents {
                let told = self.runtime.block_on(self.engine.put_consents_as_of(customer, consents, arrival));
                given(told).map_err(|reason| format!("the consents of the customer: {reason}"))?;
            }
            if has_facts || !has_consents {
                let told = self.runtime.block_on(self.engine.put_facts_as_of(customer, facts, arrival));
                given(told).map_err(|reason| format!("the facts of the customer: {reason}"))?;
            }
        }
        Ok(event)
    }

    /// Whether the playbook decides on the event; one of an unknown type is left to the engine to refuse.
    fn is_decided_on(&self, event: &Event) -> bool {
        let Some(kind) = self.bundle.layout().event_number(&event.kind) else { return true };
        self.bundle.playbooks()[self.playbook].position_of_event(kind).is_some()
    }

    fn decide_run(
        &mut self,
        run: Vec<(u64, Event)>,
        options: &Options,
        came: &mut Vec<(u64, Came)>,
    ) -> Result<(), Stop> {
        let (lines, events): (Vec<u64>, Vec<Event>) = run.into_iter().unzip();
        let answers = self.runtime.block_on(self.engine.decide_batch(&self.args.playbook, events, options));
        for (line, answer) in lines.into_iter().zip(answers) {
            came.push((line, Came::of(line, answer, |decision| Came::Decided(Box::new(decision)))?));
        }
        Ok(())
    }

    fn write(&mut self, decision: &Decision) -> Result<(), Stop> {
        self.summary.count(decision);
        let line = serde_json::to_string(decision).map_err(|e| Stop::Failed(format!("error: {e}")))?;
        writeln!(self.output, "{line}").map_err(|e| unread_or_failed(&e))
    }

    fn bad_line(&mut self, line: u64, reason: &str) -> Result<(), Stop> {
        self.summary.bad += 1;
        self.note(&format!("line {line}: {reason}"));
        if self.args.strict { Err(Stop::Strict) } else { Ok(()) }
    }

    /// A line for people, above the progress bar.
    fn note(&self, text: &str) {
        self.bar.suspend(|| tell(text));
    }
}

/// What came of a line.
enum Came {
    Decided(Box<Decision>),
    Observed,
    Bad(String),
}

impl Came {
    /// A line that the engine refuses is bad; a failure of the engine itself ends the run.
    fn of<T>(line: u64, answer: Result<Answer<T>, Error>, given: impl FnOnce(T) -> Self) -> Result<Self, Stop> {
        match answer {
            Ok(Answer::Given(what)) => Ok(given(what)),
            // The line is as good as any other: it must not be lost for want of room.
            Ok(Answer::Shed(shed)) => Err(Stop::Failed(format!("error: line {line} was not taken on: {shed}"))),
            Err(error @ (Error::Failed(_) | Error::Journal(_) | Error::Record(_))) => {
                Err(Stop::Failed(format!("error: line {line}: {error}")))
            }
            Err(error) => Ok(Self::Bad(error.to_string())),
        }
    }
}

/// Nothing, if what was told was taken; or why not.
fn given<T>(told: Result<Answer<T>, Error>) -> Result<(), String> {
    match told {
        Ok(Answer::Given(_)) => Ok(()),
        Ok(Answer::Shed(shed)) => Err(shed.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn unread_or_failed(error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::Unread,
        _ => Stop::Failed(format!("error: cannot write the decisions: {error}")),
    }
}
