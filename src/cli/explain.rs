//! `forthwith explain`: why a decision came out as it did.

use super::args::{Explain, Place};
use super::exit::Exit;
use super::output::{say, tell};
use super::show;
use crate::domain::DecisionId;
use crate::engine::{Error, explain_from, why_not_from};

pub(super) fn run(place: &Place, args: &Explain) -> Exit {
    let id: DecisionId = match args.decision_id.parse() {
        Ok(id) => id,
        Err(error) => {
            tell(format!("error: `{}` is {error}", args.decision_id));
            return Exit::Usage;
        }
    };
    let data = place.data_directory();
    if !data.is_dir() {
        tell(format!("error: there is no data directory `{}`; name one with `--data DIR`", data.display()));
        return Exit::Failed;
    }
    let explained = match &args.why_not {
        Some(rule) => why_not_from(&data, id, rule),
        None => explain_from(&data, id),
    };
    match explained {
        Ok(Some(explanation)) => {
            let shown = if args.json {
                serde_json::to_string_pretty(&explanation).unwrap_or_default()
            } else {
                match &explanation.why_not {
                    Some(why_not) => show::why_not(&explanation, why_not).trim_end().to_owned(),
                    None => show::explanation(&explanation, args.all).trim_end().to_owned(),
                }
            };
            say(shown);
            Exit::Done
        }
        Ok(None) => {
            tell(format!("there is no decision {id} in `{}`", data.display()));
            Exit::NotFound
        }
        Err(error @ Error::UnknownRule { .. }) => {
            tell(format!("error: {error}"));
            Exit::NotFound
        }
        Err(error) => {
            tell(format!("error: {error}"));
            Exit::Failed
        }
    }
}
