//! `forthwith packet`: one decision with everything that proves it, as a file.

use std::path::PathBuf;

use super::args::Place;
use super::exit::Exit;
use super::output::{tell, write_whole};
use crate::domain::DecisionId;
use crate::engine::packet_from;

/// Options of `packet`.
#[derive(Debug, clap::Args)]
pub(super) struct Packet {
    /// The decision's id
    decision_id: String,

    /// Where the packet goes [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(place: &Place, args: &Packet) -> Exit {
    let Ok(id) = args.decision_id.parse::<DecisionId>() else {
        tell(format!("error: `{}` is not a decision id", args.decision_id));
        return Exit::Usage;
    };
    let data = place.data_directory();
    if !data.is_dir() {
        tell(format!("error: there is no data directory `{}`; name one with `--data DIR`", data.display()));
        return Exit::Failed;
    }
    let packet = match packet_from(&data, id) {
        Ok(Some(packet)) => packet,
        Ok(None) => {
            tell(format!("there is no decision {id} in `{}`", data.display()));
            return Exit::NotFound;
        }
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let text = serde_json::to_string_pretty(&packet).unwrap_or_default() + "\n";
    match write_whole(args.out.as_deref(), &text) {
        Ok(()) => Exit::Done,
        Err(error) => {
            tell(format!("error: cannot write {error}"));
            Exit::Failed
        }
    }
}
