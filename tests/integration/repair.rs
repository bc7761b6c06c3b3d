//! `forthwith repair` as people and scripts see it, and an engine that goes on behind a repair.

use std::fs;
use std::path::Path;

use forthwith::{Config, Engine};

use crate::format::many;
use crate::support::{forthwith, root, run};

fn flip(folder: &Path, name: &str, at: usize) {
    let path = folder.join("journal").join(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Runs it; returns the exit code and what it said, with names that are the same every time.
fn repair(folder: &Path, options: &[&str]) -> (i32, String) {
    let mut command = forthwith();
    command.arg("repair").args(options).arg("--data").arg(folder);
    let (code, stdout, stderr) = run(&mut command);
    let said = format!("{stdout}--- stderr\n{stderr}").replace(&*folder.to_string_lossy(), "DATA");
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if let Some((before, time)) = line.clone().split_once(".damaged-") {
            *line = format!(
                "{before}.damaged-TIME{}",
                time.trim_start_matches(|c: char| c.is_ascii_digit() || "TZ.".contains(c))
            );
        }
        if let Some((before, _)) = line.clone().split_once("repaired at ") {
            *line = format!("{before}repaired at TIME");
        }
    }
    (code, lines.join("\n"))
}

#[test]
fn a_sound_journal_needs_no_repair() {
    let folder = tempfile::tempdir().unwrap();
    many(folder.path());
    let (code, said) = repair(folder.path(), &[]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(said);
    let format = fs::read_to_string(folder.path().join("FORMAT")).unwrap();
    assert_eq!(format, "forthwith data format 1\n", "looking changes nothing");
}

#[test]
fn a_damaged_journal_is_shown_repaired_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    many(folder.path());
    flip(folder.path(), "0000000001.seg", 300_000);
    flip(folder.path(), "0000000003.seg", 200_000);
    let refused = Engine::start(Config::load(root().join("config")).unwrap().engine.data(folder.path())).unwrap_err();
    assert!(refused.to_string().contains("0000000003.seg` is damaged at byte"), "{refused}");
    let before = fs::read(folder.path().join("journal/0000000001.seg")).unwrap();
    let (code, shown) = repair(folder.path(), &[]);
    assert_eq!(code, 4, "{shown}");
    assert_eq!(fs::read(folder.path().join("journal/0000000001.seg")).unwrap(), before, "nothing was changed");
    let (code, repaired) = repair(folder.path(), &["--yes"]);
    assert_eq!(code, 0, "{repaired}");
    let (code, after) = repair(folder.path(), &[]);
    assert_eq!(code, 0, "{after}");
    insta::assert_snapshot!([shown, repaired, after].join("\n\n=== then\n"));
    let kept = fs::read_dir(folder.path().join("journal")).unwrap().map(Result::unwrap);
    let kept = kept.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("0000000001.damaged-"));
    assert_eq!(fs::read(kept.unwrap()).unwrap(), before, "the damaged file is kept as it was");
    let engine = Engine::start(Config::load(root().join("config")).unwrap().engine.data(folder.path())).unwrap();
    assert_eq!(engine.started().gaps.len(), 2);
    // What was not lost is found; what was is not.
    let decisions = fs::read_to_string(root().join("tests/fixtures/format-1-many/decisions.txt")).unwrap();
    let (mut found, mut lost) = (0, 0);
    for id in decisions.lines().filter_map(|line| line.split(' ').next()) {
        match engine.decision(id.parse().unwrap()).unwrap() {
            Some(_) => found += 1,
            None => lost += 1,
        }
    }
    assert!(found > 80 && lost < 15, "{found} found, {lost} lost");
    engine.shutdown().unwrap();
}

#[test]
fn a_server_that_runs_is_not_repaired_under() {
    let folder = tempfile::tempdir().unwrap();
    let _holder = forthwith::journal::DataDirectory::open(folder.path()).unwrap();
    let (code, said) = repair(folder.path(), &["--yes"]);
    assert_eq!(code, 1);
    assert!(said.contains("in use by process"), "{said}");
}

/// The first record of this journal is its bundle. The store has the states, so nothing needs to be decoded under it.
#[test]
fn an_engine_starts_and_decides_after_its_bundle_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    many(folder.path());
    let config = || {
        let mut config = Config::load(root().join("config")).unwrap().engine.data(folder.path());
        config.journal.compress = false;
        config
    };
    Engine::start(config()).unwrap().shutdown().unwrap();
    flip(folder.path(), "0000000001.seg", 5_000);
    let (code, said) = repair(folder.path(), &["--yes"]);
    assert_eq!(code, 0, "{said}");
    let engine = Engine::start(config()).unwrap();
    assert_eq!(engine.started().gaps[0].first_seq, 1);
    let decisions = fs::read_to_string(root().join("tests/fixtures/format-1-many/decisions.txt")).unwrap();
    let id = decisions.lines().nth(9).and_then(|line| line.split(' ').next()).unwrap();
    let refused = engine.decision(id.parse().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("record"), "{refused}");
    let facts = forthwith::Facts { source: "crm".into(), ..forthwith::Facts::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.put_facts("ann", facts)).unwrap().into_result().unwrap();
    engine.shutdown().unwrap();
}
