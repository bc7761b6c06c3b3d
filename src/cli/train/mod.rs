//! `forthwith train`: from labelled texts to a model folder.
//!
//! | file | noun |
//! |---|---|
//! | `args` | options |
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
mod manifest;
mod report;
mod texts;
mod watching;

pub(super) use args::{EXAMPLES, Named, Train, share};
pub(super) use folder::{MANIFEST, refuse_occupied, write as write_folder};
pub(super) use manifest::{list, quoted};
pub(super) use texts::{day, find, hex, refuse_stream, row_of, sha256_of};
pub(super) use watching::Watching;

use super::exit::Exit;
use super::output::{say, tell};

pub(super) fn run(args: &Train) -> Exit {
    match course::run(args) {
        Ok(report) => {
            if args.json {
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
