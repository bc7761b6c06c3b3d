//! A file of golden cases, checked against the bundle it is run on.

use std::sync::Arc;

use super::expectation::Expectation;
use super::{reader, run};
use crate::bundle::{Bundle, Playbook};
use crate::document::{Document, FaultSink, Faults};
use crate::domain::Timestamp;
use crate::turn::{EventInput, Input};

/// What the name of a file of cases ends in. Such files stand beside the playbooks and are no part of the bundle.
pub const CASES_ENDING: &str = ".cases.toml";

/// The cases of one file, checked and ready to be run.
#[derive(Debug)]
pub struct Cases<'b> {
    pub(super) bundle: &'b Bundle,
    pub(super) file: Arc<str>,
    /// The number of the playbook that decides them.
    pub(super) playbook: usize,
    pub(super) cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// The line of the file on which it begins.
    pub(super) line: u32,
    /// What comes before the event, in the order of time.
    pub(super) earlier: Vec<Earlier>,
    /// What is decided on.
    pub(super) event: EventInput,
    /// When it arrives.
    pub(super) at: Timestamp,
    pub(super) expectation: Expectation,
}

/// Something that comes before the event of a case.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) arrival: Timestamp,
    pub(super) input: Input,
    /// How often it happens; each time under an id of its own.
    pub(super) times: usize,
}

impl<'b> Cases<'b> {
    /// Reads a file of cases; or every fault in it. `file` is what faults name it by; where the text does not name its
    /// playbook, the file's name up to the first dot does.
    pub fn read(bundle: &'b Bundle, file: &str, text: &str) -> Result<Self, Faults> {
        let sink = FaultSink::default();
        let read = {
            let document = Document::parse(file, text, &sink);
            reader::read(&document, bundle, file)
        };
        match read {
            Some((playbook, cases)) if sink.is_empty() => Ok(Self { bundle, file: file.into(), playbook, cases }),
            _ => Err(sink.into_faults()),
        }
    }

    /// The file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The playbook that decides them.
    pub fn playbook(&self) -> &'b Playbook {
        &self.bundle.playbooks()[self.playbook]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Keeps the cases of whose names `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.cases.retain(|case| keep(&case.name));
    }

    /// Decides every case and compares what comes out with what is expected.
    pub fn run(&self) -> super::Report {
        run::report(self)
    }
}
