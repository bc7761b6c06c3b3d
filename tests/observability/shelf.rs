//! What lies in `config/observability/` and in the documents beside it, as far as tests need to read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where runbooks are read.
const RUNBOOKS_URL: &str = "https://github.com/forthwith/forthwith/blob/main/docs/RUNBOOKS.md#";

/// A query of a panel or of an annotation.
pub(crate) struct Query {
    /// Dashboard and panel, for people.
    pub(crate) place: String,
    pub(crate) expr: String,
}

/// An alert as its file has it.
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) lines: Vec<String>,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of what operators take.
pub(crate) fn folder() -> PathBuf {
    root().join("config/observability")
}

/// Files of a folder with an ending, by name.
pub(crate) fn files(folder: &Path, ending: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == ending));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let files: BTreeMap<_, _> = paths.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect();
    assert!(!files.is_empty(), "{} has no .{ending} files", folder.display());
    files
}

/// The dashboards by file.
pub(crate) fn dashboards() -> BTreeMap<String, Value> {
    let read = |(name, text): (String, String)| {
        let board = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, board)
    };
    files(&folder().join("grafana"), "json").into_iter().map(read).collect()
}

/// The panels of a dashboard that show something.
pub(crate) fn panels(board: &Value) -> Vec<&Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query of a dashboard; the variables are as they stand.
pub(crate) fn queries(name: &str, board: &Value) -> Vec<Query> {
    let mut queries = Vec::new();
    for panel in panels(board) {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let place = format!("{name}, panel `{title}`, query {}", target["refId"].as_str().unwrap());
            queries.push(Query { place, expr: target["expr"].as_str().unwrap().to_owned() });
        }
    }
    queries
}

/// The rule files, by name.
pub(crate) fn rules() -> BTreeMap<String, String> {
    files(&folder().join("rules"), "yml")
}

/// The alerts of all rule files.
pub(crate) fn alerts() -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for text in rules().values() {
        let mut inside = false;
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
                alerts.push(Alert { name: name.to_owned(), lines: Vec::new() });
                inside = true;
            } else if line.trim_start().starts_with("- ") {
                inside = false;
            } else if inside && let Some(alert) = alerts.last_mut() {
                alert.lines.push(line.trim().to_owned());
            }
        }
    }
    assert!(!alerts.is_empty());
    alerts
}

impl Alert {
    /// What stands after a key.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    }

    /// The anchor of its runbook.
    pub(crate) fn anchor(&self) -> Option<&str> {
        self.value("runbook_url")?.strip_prefix(RUNBOOKS_URL)
    }
}

/// The anchors of `docs/RUNBOOKS.md` that are an alert's: those of its third level.
pub(crate) fn runbooks() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/RUNBOOKS.md")).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect()
}

/// The runbook that a link points to.
pub(crate) fn runbook_of(url: &str) -> Option<&str> {
    url.strip_prefix(RUNBOOKS_URL)
}

/// Every series that the documents describe, with its type: in a row of a table (``| `name` | type |``) or under a heading of its
/// own (``### `name` ``, then `*type, unit.*`).
pub(crate) fn documented() -> BTreeMap<String, String> {
    let mut series = BTreeMap::new();
    for document in ["docs/METRICS.md", "docs/API.md"] {
        let Ok(text) = fs::read_to_string(root().join(document)) else { continue };
        let mut heading = None;
        for line in text.lines() {
            let row = line.strip_prefix("| `").and_then(|row| row.split_once("` | "));
            if let Some(name) = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`')) {
                heading = Some(name);
            } else if let (Some(name), Some(ty)) = (heading, line.strip_prefix('*')) {
                series.insert(name.to_owned(), ty.split([',', '.']).next().unwrap_or_default().to_owned());
                heading = None;
            } else if let Some((name, rest)) = row
                && let Some((ty @ ("counter" | "gauge" | "histogram"), _)) = rest.split_once(" | ")
            {
                series.insert(name.to_owned(), ty.to_owned());
            }
        }
    }
    assert!(series.len() > 50, "the series were not found in the documents");
    series
}

/// The names of series and of recorded series that an expression names.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| line.split(|c| !is_part(c)));
    let known =
        |word: &&str| word.starts_with("forthwith_") || word.starts_with("process_") || word.contains(":forthwith_");
    let recorded = |word: &&str| word.starts_with("forthwith:");
    words.filter(|word| known(word) || recorded(word)).map(str::to_owned).collect()
}

/// The family of a series: that of a histogram for its parts.
pub(crate) fn family<'a>(name: &'a str, documented: &BTreeMap<String, String>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| name.strip_suffix(part));
    let mut of_histogram = parts.filter(|family| documented.get(*family).is_some_and(|ty| ty == "histogram"));
    of_histogram.next().unwrap_or(name)
}
