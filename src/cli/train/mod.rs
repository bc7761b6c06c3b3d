//! `forthwith train`: from labelled texts to a model folder.
//!
//! | file | noun |
//! |---|---|
//! | `args` | options |
//! | `target` | where a model goes, what it is called and who answers for it |
//! | `lines` | the rows of a file, and what is wrong with them |
//! | `texts` | rows of a file as labelled texts |
//! | `watching` | progress, for who watches |
//! | `course` | the training itself |
//! | `learnt` | a model that was learnt, of either kind |
//! | `encoding` | a head learnt over a sentence encoder (feature `neural`) |
//! | `report` | what people and programs read of it |
//! | `manifest` | what a folder says of its model |
//! | `folder` | model folders, written whole or not at all |

mod args;
mod course;
#[cfg(feature = "neural")]
mod encoding;
mod folder;
mod learnt;
mod lines;
mod manifest;
mod report;
mod target;
mod texts;
mod watching;

pub(super) use args::{EXAMPLES, Train, share};
pub(super) use course::{CONFIDENCE_PPM, PRECISIONS_PPM};
pub(super) use folder::{MANIFEST, write as write_folder};
pub(super) use lines::{RowFaults, each_row, find};
pub(super) use manifest::{Head, list, quoted};
pub(super) use target::{Named, Target};
pub(super) use texts::{day, hex, refuse_stream, sha256_of};
pub(super) use watching::Watching;

use super::exit::Exit;
use super::output::{say, tell};

pub(super) fn run(args: &Train) -> Exit {
    finish(course::run(args), args.target.json)
}

/// What came of making a model, for people and programs.
pub(super) trait Reported {
    /// As people read it.
    fn show(&self) -> String;

    /// As one object.
    fn as_json(&self) -> String;
}

/// Tells what came of making a model, or everything that was in the way.
pub(super) fn finish(made: Result<impl Reported, Vec<String>>, as_json: bool) -> Exit {
    match made {
        Ok(report) => {
            if as_json {
                say(report.as_json());
            } else {
                say(report.show().trim_end());
            }
            Exit::Done
        }
        Err(faults) => {
            for fault in faults {
                tell(format!("error: {fault}"));
            }
            Exit::Failed
        }
    }
}
