//! The house rules, as tests: who imports whom, which library has which door, how long a file may be, which words are avoided.
//!
//! `docs/ARCHITECTURE.md` says why. A new arrow in the table below is the rarest kind of change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up, each with the rooms it may import. A room imports only rooms above it in this table.
const ROOMS: [(&str, &[&str]); 30] = [
    ("sync", &[]),
    ("domain", &[]),
    ("time", &["domain"]),
    ("telemetry", &["domain"]),
    ("tlog", &[]),
    ("document", &["domain"]),
    ("interchange", &["domain"]),
    ("agents", &["domain"]),
    ("rules", &["domain"]),
    ("inference", &["domain"]),
    ("training", &["inference"]),
    ("serving", &["sync", "time", "telemetry", "inference"]),
    ("gateway", &["domain", "time", "telemetry", "agents"]),
    ("context", &["domain"]),
    ("journal", &["sync", "domain", "time", "telemetry", "tlog"]),
    ("bundle", &["domain", "document", "agents", "rules", "inference", "context"]),
    ("analysis", &["domain", "rules", "context", "bundle"]),
    ("guardrail", &["domain", "rules", "bundle"]),
    ("decider", &["domain", "agents", "rules", "inference", "context", "bundle", "guardrail"]),
    ("turn", &["domain", "agents", "rules", "inference", "context", "bundle", "guardrail", "decider"]),
    ("replay", &["domain", "context", "journal", "bundle", "guardrail", "decider", "turn"]),
    ("cases", &["domain", "document", "rules", "context", "bundle", "guardrail", "decider", "turn"]),
    ("drills", &["domain", "agents", "inference", "context", "bundle", "decider", "turn"]),
    ("actor", &["sync", "domain", "time", "telemetry", "context", "journal", "bundle", "turn"]),
    (
        "engine",
        &[
            "domain",
            "time",
            "telemetry",
            "agents",
            "rules",
            "inference",
            "serving",
            "gateway",
            "context",
            "tlog",
            "journal",
            "bundle",
            "analysis",
            "guardrail",
            "decider",
            "turn",
            "drills",
            "actor",
        ],
    ),
    ("ingress", &["domain", "time", "telemetry", "actor", "engine"]),
    ("admin", &["document", "bundle", "actor", "engine", "ingress"]),
    (
        "config",
        &["domain", "document", "agents", "serving", "gateway", "journal", "bundle", "cases", "actor", "engine"],
    ),
    ("app", &["telemetry", "document", "bundle", "config", "engine", "ingress", "admin"]),
    (
        "cli",
        &[
            "domain",
            "time",
            "tlog",
            "document",
            "interchange",
            "inference",
            "training",
            "context",
            "bundle",
            "analysis",
            "replay",
            "cases",
            "engine",
            "ingress",
            "config",
            "app",
        ],
    ),
];

/// Large libraries and the rooms that may name them.
const DOORS: [(&str, &[&str]); 33] = [
    ("reqwest", &["gateway", "cli"]),
    ("rustls", &["gateway", "app", "cli"]),
    ("opentelemetry", &["telemetry", "app"]),
    ("opentelemetry_otlp", &["app"]),
    ("opentelemetry_sdk", &["app"]),
    ("tracing_opentelemetry", &["telemetry", "app"]),
    ("ort", &["inference"]),
    ("tokenizers", &["inference"]),
    ("ed25519_dalek", &["tlog"]),
    ("getrandom", &["journal"]),
    ("shuttle", &["sync"]),
    ("actix", &["actor"]),
    ("actix_web", &["ingress", "admin", "app"]),
    ("dashmap", &["actor"]),
    ("moka", &["actor", "gateway"]),
    ("fjall", &["journal"]),
    ("rustix", &["journal"]),
    ("prometheus", &["telemetry"]),
    ("cel", &["rules"]),
    ("regex", &["rules"]),
    ("aho_corasick", &["rules"]),
    ("toml", &["document"]),
    ("jiff", &["domain"]),
    ("clap", &["cli"]),
    ("calamine", &["interchange"]),
    ("roxmltree", &["interchange"]),
    ("zip", &["interchange"]),
    ("zstd", &["journal"]),
    ("indicatif", &["cli"]),
    ("ratatui", &["cli"]),
    ("rmp_serde", &["context", "turn", "actor", "ingress"]),
    ("tokio", &["time", "journal", "serving", "gateway", "actor", "engine", "cli"]),
    ("utoipa", &["engine", "ingress", "admin"]),
];

/// Rooms that are pure: the same arguments give the same result.
const PURE: [&str; 16] = [
    "domain",
    "agents",
    "tlog",
    "document",
    "interchange",
    "rules",
    "inference",
    "training",
    "context",
    "bundle",
    "analysis",
    "guardrail",
    "decider",
    "turn",
    "cases",
    "drills",
];

/// What a pure room does not touch.
const IMPURE: [&str; 6] = ["std::fs", "std::net", "std::thread", "std::env", "std::process", "tokio"];

/// Lines that a file may have apart from its tests. Near this, look for the second noun.
const LINES_MAX: usize = 450;

/// Words that say that the right noun was not found yet.
const AVOIDED: [&str; 7] = ["manager", "helper", "util", "common", "data", "info", "process"];

/// A source file of a room.
struct Source {
    path: PathBuf,
    room: String,
    /// Its lines, without those of tests.
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut sources = Vec::new();
    for path in files {
        let relative = path.strip_prefix(&root).unwrap();
        let is_test = relative.components().any(|part| part.as_os_str() == "tests")
            || relative.to_string_lossy().ends_with("tests.rs");
        let Some(room) = relative.parent().and_then(|parent| parent.iter().next()) else { continue };
        // Binaries of their own are no rooms; what they may use is told below.
        if !is_test && room != "bin" {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().take_while(|line| *line != "mod tests {").map(str::to_owned).collect();
            sources.push(Source { path: relative.to_owned(), room: room.to_string_lossy().into_owned(), lines });
        }
    }
    sources
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// Names that follow `prefix` in the code of a line; comments do not count.
fn names_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(prefix).map(move |(at, _)| {
        let rest = &code[at + prefix.len()..];
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
    })
}

#[test]
fn rooms_import_downward_only() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        ROOMS.iter().map(|(room, may)| (*room, may.iter().copied().collect())).collect();
    for (at, (room, may)) in ROOMS.iter().enumerate() {
        let below: Vec<&str> = ROOMS[..at].iter().map(|(room, _)| *room).collect();
        assert!(may.iter().all(|other| below.contains(other)), "`{room}` may import only rooms above it in the table");
    }
    let mut offences = Vec::new();
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for source in sources() {
        let may =
            table.get(source.room.as_str()).unwrap_or_else(|| panic!("`{}` is not in the table of rooms", source.room));
        for (nth, line) in source.lines.iter().enumerate() {
            for other in names_after(line, "crate::").filter(|name| table.contains_key(name) && *name != source.room) {
                used.insert((source.room.clone(), other.to_owned()));
                if !may.contains(other) {
                    offences.push(format!(
                        "{}:{}: `{}` imports `{other}`",
                        source.path.display(),
                        nth + 1,
                        source.room
                    ));
                }
            }
        }
    }
    assert!(offences.is_empty(), "arrows that the table does not have:\n{}", offences.join("\n"));
    let unused: Vec<String> = ROOMS
        .iter()
        .flat_map(|(room, may)| may.iter().map(move |other| ((*room).to_owned(), (*other).to_owned())))
        .filter(|arrow| !used.contains(arrow))
        .map(|(room, other)| format!("{room} → {other}"))
        .collect();
    assert!(unused.is_empty(), "arrows of the table that no code has: {}", unused.join(", "));
}

#[test]
fn each_large_library_has_its_door() {
    let mut offences = Vec::new();
    for source in sources() {
        for (nth, line) in source.lines.iter().enumerate() {
            for (library, rooms) in DOORS {
                let code = line.split("//").next().unwrap_or_default();
                let names_it = code.match_indices(&format!("{library}::")).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                });
                if names_it && !rooms.contains(&source.room.as_str()) {
                    offences.push(format!("{}:{}: `{library}` outside its door", source.path.display(), nth + 1));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.room.as_str())) {
        for (nth, line) in source.lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for impure in IMPURE {
                if code.contains(&format!("{impure}::")) {
                    offences.push(format!("{}:{}: `{impure}` in a pure room", source.path.display(), nth + 1));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn a_file_holds_one_noun() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines.len() > LINES_MAX)
        .map(|source| format!("{}: {} lines", source.path.display(), source.lines.len()))
        .collect();
    assert!(long.is_empty(), "files above {LINES_MAX} lines without their tests:\n{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_holds() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| !source.lines.first().is_some_and(|line| line.starts_with("//! ")))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "files without a `//!` line: {}", silent.join(", "));
}

#[test]
fn names_are_the_right_nouns() {
    let mut offences = Vec::new();
    for source in sources() {
        let stem = source.path.file_stem().unwrap().to_string_lossy().to_lowercase();
        if AVOIDED.iter().any(|word| stem.split('_').any(|part| part == *word)) {
            offences.push(source.path.display().to_string());
        }
        for (nth, line) in source.lines.iter().enumerate() {
            for keyword in ["struct ", "enum ", "trait ", "type "] {
                for name in names_after(line, keyword) {
                    let words = camel_words(name);
                    // `Data` says where an engine keeps its data, in the words of its users.
                    if name != "Data"
                        && name != "DataDirectory"
                        && AVOIDED.iter().any(|word| words.contains(&(*word).to_owned()))
                    {
                        offences.push(format!("{}:{}: `{name}`", source.path.display(), nth + 1));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "names with words that the style guide avoids:\n{}", offences.join("\n"));
}

fn camel_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    words.into_iter().map(|word| word.to_lowercase()).collect()
}

/// The architecture document shows every room.
#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    let missing: Vec<&str> =
        ROOMS.iter().map(|(room, _)| *room).filter(|room| !map.contains(&format!("`{room}`"))).collect();
    assert!(missing.is_empty(), "rooms that docs/ARCHITECTURE.md does not name: {}", missing.join(", "));
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reasons = fs::read_to_string(root.join("docs/DEPENDENCIES.md")).unwrap();
    let mut silent = Vec::new();
    for manifest in
        ["Cargo.toml", "loadtest/Cargo.toml", "tests/faulty_provider/Cargo.toml", "tests/simulation/Cargo.toml"]
    {
        let manifest = fs::read_to_string(root.join(manifest)).unwrap();
        let mut is_list = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                is_list = line.ends_with("dependencies]");
            } else if let (true, Some((name, _))) = (is_list, line.split_once(" = "))
                && name != "forthwith"
                && !reasons.contains(&format!("`{name}`"))
            {
                silent.push(name.to_owned());
            }
        }
    }
    assert!(silent.is_empty(), "docs/DEPENDENCIES.md has no line for {}", silent.join(", "));
}

/// What takes part in the protocols can be simulated: it takes its locks, atomics, channels and threads from `sync`.
#[test]
fn actors_journal_and_pool_synchronise_through_one_door() {
    const PAST_THE_DOOR: [&str; 7] =
        ["Mutex", "RwLock", "Condvar", "atomic", "mpsc", "std::thread::", "std::sync::Barrier"];
    let mut offences = Vec::new();
    for source in sources().iter().filter(|source| ["actor", "journal", "serving"].contains(&source.room.as_str())) {
        // The actors' system is actix's: a simulation has none.
        let is_simulated = !source.path.ends_with("actor/runtime.rs");
        for (nth, line) in source.lines.iter().enumerate().filter(|_| is_simulated) {
            let code = line.split("//").next().unwrap_or_default();
            let is_import = code.contains("std::sync::") || code.contains("std::thread");
            if is_import && PAST_THE_DOOR.iter().any(|name| code.contains(name)) {
                offences.push(format!("{}:{}: {}", source.path.display(), nth + 1, code.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "import it from `crate::sync`:\n{}", offences.join("\n"));
}

/// The simulation is the same sources: what they depend on, it depends on.
#[test]
fn the_simulation_depends_on_what_the_library_depends_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dependencies = |manifest: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(root.join(manifest)).unwrap();
        let list = text.lines().skip_while(|line| *line != "[dependencies]").skip(1);
        list.take_while(|line| !line.starts_with('[')).filter(|line| line.contains(" = ")).map(str::to_owned).collect()
    };
    let mut expected = dependencies("Cargo.toml");
    expected.retain(|line| !line.contains("optional = true"));
    let mut found = dependencies("tests/simulation/Cargo.toml");
    found.retain(|line| !line.starts_with("shuttle "));
    assert_eq!(found, expected, "tests/simulation/Cargo.toml is out of step with Cargo.toml");
}

/// The verifier for third parties is worth reading because it is small: hashes, proofs and signatures, and a reader of JSON.
#[test]
fn the_small_verifier_uses_the_room_tlog_alone() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/forthwith-verify.rs");
    let text = fs::read_to_string(file).unwrap();
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let rooms: BTreeSet<String> = text
        .lines()
        .map(code)
        .flat_map(|line| names_after(&line, "forthwith::").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(rooms, BTreeSet::from(["tlog".to_owned()]));
    let imported: BTreeSet<String> =
        text.lines().filter_map(|line| line.strip_prefix("use ")?.split("::").next().map(str::to_owned)).collect();
    assert_eq!(imported, BTreeSet::from(["std", "forthwith", "serde_json"].map(str::to_owned)));
}

/// A file that no `mod` names is not compiled, and tests in it never run.
#[test]
fn every_file_belongs_to_its_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests/integration", "tests/faulty_provider/src", "loadtest/src"] {
        collect(&root.join(folder), &mut files);
    }
    let mut orphans = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let (name, parent) = match name.as_str() {
            "lib" | "main" => continue,
            _ if file.parent().is_some_and(|folder| folder.ends_with("bin")) => continue,
            "mod" => {
                (file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned(), file.parent().unwrap())
            }
            _ => (name, file.as_path()),
        };
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|parent_file| parent.with_file_name(parent_file));
        let declares =
            |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("mod {name};")));
        if !parents.iter().any(declares) {
            orphans.push(file.display().to_string());
        }
    }
    assert!(orphans.is_empty(), "files that no `mod` names: {}", orphans.join(", "));
}
