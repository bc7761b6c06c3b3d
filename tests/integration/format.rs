//! What older releases have written stays readable: a data directory that was made when format 1 was new.

use std::fs;
use std::path::{Path, PathBuf};

use forthwith::journal::{FORMAT, Reader, segments};
use forthwith::{Config, Engine, Event, Facts};

use crate::support::{forthwith, root, run};

/// Decisions in the fixture, by their events.
const DECISIONS: &str = "decisions.txt";

fn fixture() -> PathBuf {
    root().join("tests/fixtures/format-1")
}

pub(crate) fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Makes the fixture. Run it by hand, into a new folder, when the format has a new version; the old folder stays.
#[test]
#[ignore = "the fixture is made once for each version of the format"]
fn makes_the_fixture() {
    let data = fixture().join("data");
    assert!(!data.exists(), "a fixture is never made again: {}", data.display());
    let mut config = Config::load(fixture().join("config")).unwrap().engine.data(&data);
    config.journal.segment_bytes = 64 << 10;
    config.journal.queue_bytes = 8 << 10;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let decisions = runtime.block_on(async {
        let engine = Engine::start(config).unwrap();
        let mut decisions = String::new();
        for nth in 1..=3 {
            let order = Event::new(format!("o-{nth}"), "shop", "order.placed", "ann");
            let order = order.with("total", 2_500 * nth).with("country", "de").with("note", "größer");
            let decision = engine.decide("shipping", order).await.unwrap().into_result().unwrap();
            decisions.push_str(&format!("{} {}\n", decision.id, decision.outcome()));
            let values = vec![("plan".into(), "pro".into()), ("since".into(), "2020-02-29T12:00:00.5Z".into())];
            let facts = Facts { source: "crm".into(), values: values.into_iter().collect(), ..Facts::default() };
            engine.put_facts("ann", facts).await.unwrap().into_result().unwrap();
        }
        engine.shutdown().unwrap();
        decisions
    });
    fs::write(fixture().join(DECISIONS), decisions).unwrap();
    fs::remove_dir_all(data.join("store")).unwrap();
}

#[test]
fn a_journal_of_format_1_is_explained_and_recovered() {
    let folder = tempfile::tempdir().unwrap();
    copied(&fixture().join("data"), folder.path());
    let decisions = fs::read_to_string(fixture().join(DECISIONS)).unwrap();
    let decisions: Vec<(&str, &str)> = decisions.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(decisions.len(), 3);
    let mut shown = String::new();
    for (id, _) in [decisions[0], decisions[2]] {
        let mut command = forthwith();
        command.arg("explain").arg(id).arg("--data").arg(folder.path());
        let (code, stdout, stderr) = run(&mut command);
        assert_eq!((code, stderr.as_str()), (0, ""));
        shown.push_str(&stdout);
        shown.push('\n');
    }
    insta::assert_snapshot!(shown);
    let engine = Engine::start(Config::load(fixture().join("config")).unwrap().engine.data(folder.path())).unwrap();
    for (id, outcome) in decisions {
        let decision = engine.decision(id.parse().unwrap()).unwrap().unwrap();
        assert_eq!(decision.outcome().to_string(), outcome);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ann = runtime.block_on(engine.customer("ann")).unwrap().given().unwrap().unwrap();
    assert_eq!((ann.decisions[0].playbook.as_str(), ann.decisions[0].count), ("shipping", 3));
    let fact = |name: &str| ann.facts.iter().find(|fact| fact.name == name).unwrap().value.clone();
    assert_eq!(fact("plan").map(|plan| plan.to_string()).as_deref(), Some("\"pro\""));
    assert_eq!(fact("since").map(|since| since.to_string()).as_deref(), Some("2020-02-29T12:00:00.5Z"));
    engine.shutdown().unwrap();
}

/// Records that the fixture of many records holds, and how many of its segments are full.
const MANY: u64 = 6_119;
const MANY_FULL: usize = 2;

/// Unpacks the fixture of many records.
pub(crate) fn many(to: &Path) {
    let from = root().join("tests/fixtures/format-1-many/data");
    fs::create_dir_all(to.join("journal")).unwrap();
    fs::copy(from.join("FORMAT"), to.join("FORMAT")).unwrap();
    for entry in fs::read_dir(from.join("journal")).unwrap().map(Result::unwrap) {
        let packed = fs::read(entry.path()).unwrap();
        let segment = zstd::bulk::decompress(&packed, 1 << 20).unwrap();
        fs::write(to.join("journal").join(entry.path().file_stem().unwrap()), segment).unwrap();
    }
}

fn count(folder: &Path, ending: &str) -> usize {
    let entries = fs::read_dir(folder.join("journal")).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.path().extension().is_some_and(|found| found == ending)).count()
}

fn bytes(folder: &Path, endings: &[&str]) -> u64 {
    let entries = fs::read_dir(folder.join("journal")).unwrap().map(Result::unwrap);
    let is_of = |path: &Path| path.extension().is_some_and(|found| endings.iter().any(|ending| found == *ending));
    let of_endings = entries.filter(|entry| is_of(&entry.path()));
    of_endings.map(|entry| entry.metadata().unwrap().len()).sum()
}

/// Every decision that the fixture lists is found and is the one that was made.
fn agrees(engine: &Engine, decisions: &str, every: usize) {
    for line in decisions.lines().step_by(every) {
        let (id, rest) = line.split_once(' ').unwrap();
        let decision = engine.decision(id.parse().unwrap()).unwrap().unwrap_or_else(|| panic!("{line}"));
        let (playbook, rest) = rest.split_once(' ').unwrap();
        let (outcome, rule) = rest.rsplit_once("} ").map(|(outcome, rule)| (format!("{outcome}}}"), rule)).unwrap();
        assert_eq!(&*decision.playbook, playbook);
        let outcome: serde_json::Value = serde_json::from_str(&outcome).unwrap();
        assert_eq!(serde_json::to_value(&decision).unwrap()["outcome"], outcome, "{line}");
        let rule = rule.split(' ').next().filter(|rule| *rule != "None");
        assert_eq!(decision.rule.as_deref().map(ToString::to_string).as_deref(), rule, "{line}");
        assert!(engine.explain(id.parse().unwrap()).unwrap().is_some());
    }
}

#[test]
fn a_full_journal_of_format_1_is_migrated_sealed_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    many(folder.path());
    let decisions = fs::read_to_string(root().join("tests/fixtures/format-1-many/decisions.txt")).unwrap();
    let config = || {
        let mut config = Config::load(root().join("config")).unwrap().engine.data(folder.path());
        (config.journal.segment_bytes, config.journal.queue_bytes) = (1 << 20, 256 << 10);
        config
    };
    let engine = Engine::start(config()).unwrap();
    let migrated = engine.started().migrated.unwrap();
    assert_eq!((migrated.from, migrated.to, migrated.segments), (1, FORMAT, MANY_FULL as u64 + 1));
    assert_eq!(engine.started().recovered.last_seq, MANY);
    agrees(&engine, &decisions, 7);
    while !engine.metrics().contains("forthwith_journal_unsealed_segments 0\n") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!((count(folder.path(), "sealed"), count(folder.path(), "seg")), (MANY_FULL, 1));
    agrees(&engine, &decisions, 1);
    engine.shutdown().unwrap();
    drop(engine);
    let mut read = 0;
    let mut reader = Reader::new(&folder.path().join("journal"), 1).unwrap();
    while reader.next_batch(|_| read += 1).unwrap() {}
    assert!(read > MANY);
    // Two of three segments are sealed: what a record takes in them, the index by decision included.
    let sealed = segments(&folder.path().join("journal")).unwrap()[MANY_FULL].first_seq - 1;
    let each = bytes(folder.path(), &["sealed", "idx"]) / sealed;

    assert!(each < 200, "{each} bytes");
    let engine = Engine::start(config()).unwrap();
    assert_eq!(engine.started().migrated, None, "once");
    engine.shutdown().unwrap();
}
