//! `forthwith train`: from labelled texts to a model folder.
//!
//! | file | noun |
//! |---|---|
//! | `args` | options |
//! | `texts` | rows of a file as labelled texts |
//! | `watching` | progress, for who watches |
//! | `course` | the training itself |
//! | `report` | what people and programs read of it |
//! | `manifest` | what a folder says of its model |
//! | `folder` | model folders, written whole or not at all |

mod args;
mod course;
mod folder;
mod manifest;
mod report;
mod texts;
mod watching;

pub(super) use args::{EXAMPLES, Train};

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
