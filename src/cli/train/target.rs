//! The model that is made: where it goes, what it is called and who answers for it.

use std::path::{Path, PathBuf};

use super::super::args::Format;
use super::folder::refuse_occupied;

/// Options of every command that makes a model.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Target {
    /// The model's folder; `intent-3` is version 3 of the model `intent`
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,

    /// The model's name [default: from the folder's]
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// Its version [default: from the folder's name, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,

    /// Who answers for it
    #[arg(long, value_name = "NAME", default_value = "unknown")]
    pub(in crate::cli) owner: String,

    /// A purpose that the data's subjects have consented to; may be given several times [default: none]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) purpose: Vec<String>,

    /// How the files are written [default: by their endings, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) format: Option<Format>,

    /// Replace the model that is in the folder
    #[arg(long)]
    replace: bool,

    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Bytes that a model's name may have, as manifests are read.
const ID_BYTES_MAX: usize = 64;

/// A model's name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Named {
    pub(in crate::cli) id: String,
    pub(in crate::cli) version: u32,
}

impl Target {
    /// Name and version, as given or as the folder's name says; refuses a folder that is in the way.
    pub(in crate::cli) fn named(&self) -> Result<Named, String> {
        let named = Named::of(&self.out, self.id.as_deref(), self.version)?;
        refuse_occupied(&self.out, self.replace)?;
        Ok(named)
    }
}

impl Named {
    /// Name and version, as given or as the folder's name says.
    fn of(out: &Path, id: Option<&str>, version: Option<u32>) -> Result<Self, String> {
        let folder = folder_name(out)?;
        let (stem, number) = match folder.rsplit_once('-') {
            Some((stem, number)) => (stem, number.parse().ok().filter(|number| *number > 0)),
            None => (folder, None),
        };
        let (stem, number) = if number.is_some() && !stem.is_empty() { (stem, number) } else { (folder, None) };
        let id = id.unwrap_or(stem).to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(is_plain) {
            return Err(format!(
                "the model's name `{id}` may have letters, digits, `_`, `-` and `.`, at most {ID_BYTES_MAX}; name one with `--id`"
            ));
        }
        Ok(Self { id, version: version.or(number).unwrap_or(1) })
    }
}

fn folder_name(out: &Path) -> Result<&str, String> {
    let name = out.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| {
        format!("`--out {}` names no folder; expected one such as config/models/intent-1", out.display())
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        target: Target,
    }

    fn named(out: &str, more: &[&str]) -> Result<(String, u32), String> {
        let line = ["train", "--out", out];
        let target = Line::parse_from(line.iter().chain(more)).target;
        target.named().map(|named| (named.id, named.version))
    }

    #[test]
    fn a_folder_names_model_and_version() {
        let expected = |id: &str, version| Ok((id.to_owned(), version));
        assert_eq!(named("config/models/intent-3", &[]), expected("intent", 3));
        assert_eq!(named("models/intent", &[]), expected("intent", 1));
        assert_eq!(named("models/second-line", &[]), expected("second-line", 1));
        assert_eq!(named("models/intent-0", &[]), expected("intent-0", 1));
        assert_eq!(named("intent-3/", &["--version", "4"]), expected("intent", 4));
        assert_eq!(named("intent-3", &["--id", "route", "--version", "4"]), expected("route", 4));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert!(named("..", &[]).unwrap_err().contains("names no folder"));
        assert!(named("mein modell", &[]).unwrap_err().contains("`mein modell`"));
    }
}
