//! What older releases and other tests journaled comes out again; what was falsified does not.

use std::fs;
use std::path::Path;

use forthwith::journal::{self, DataDirectory, Entry, Journal, Kind, Reader, journal_folder};
use forthwith::telemetry::Registry;
use forthwith::time::Clock;
use serde_json::Value;

use crate::format::{copied, many};
use crate::support::{folder, forthwith, own_config, root, run};

/// Every fixture of a journal, unpacked: its name, the turns in it and the decisions.
fn fixtures(to: &Path) -> Vec<(&'static str, u64, u64)> {
    copied(&root().join("tests/fixtures/format-1/data"), &to.join("format-1"));
    many(&to.join("format-1-many"));
    vec![("format-1", 6, 3), ("format-1-many", 6_117, 6_036)]
}

fn replayed(data: &Path) -> (i32, Value) {
    let (code, stdout, stderr) = run(forthwith().args(["replay", "--json", "--data"]).arg(data));
    assert_eq!(stderr, "");
    (code, serde_json::from_str(&stdout).unwrap())
}

#[test]
fn what_older_releases_have_written_comes_out_again() {
    let folder = folder();
    for (name, turns, decisions) in fixtures(folder.path()) {
        let (code, report) = replayed(&folder.path().join(name));
        assert_eq!((code, &report["is_same"]), (0, &true.into()), "{name}: {report:#}");
        assert_eq!((report["turns"].as_u64(), report["decisions"].as_u64()), (Some(turns), Some(decisions)), "{name}");
        assert_eq!(report["other_semantics"], 0, "{name}: a change of meaning needs a fixture of its own");
    }
}

/// Every fixture of a journal that there is, is in the list above.
#[test]
fn no_fixture_is_left_out() {
    let folder = folder();
    let known: Vec<&str> = fixtures(folder.path()).into_iter().map(|(name, ..)| name).collect();
    for entry in fs::read_dir(root().join("tests/fixtures")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        assert!(!name.starts_with("format-") || known.contains(&name.as_str()), "`{name}` is not replayed");
    }
}

/// Writes a journal anew with other bytes in the bundles, every checksum and hash made right.
fn falsified(from: &Path, to: &Path, text: &str, other: &str) {
    assert_eq!(text.len(), other.len());
    let directory = DataDirectory::open(to).unwrap();
    let metrics = journal::Metrics::new(&Registry::default());
    let config = journal::Config { segment_bytes: 8 << 20, ..journal::Config::default() };
    let (journal, _) = Journal::open(&directory.journal(), &config, Clock::system(), metrics).unwrap();
    let mut reader = Reader::new(&journal_folder(from), 1).unwrap();
    let mut each = |read: journal::Read<'_>| {
        let (keys, mut payload): (Vec<u128>, _) = (read.frame.keys().collect(), read.frame.payload.to_vec());
        let at = payload.windows(text.len()).position(|window| window == text.as_bytes());
        if let (Kind::Bundle, Some(at)) = (read.frame.kind, at) {
            payload[at..at + other.len()].copy_from_slice(other.as_bytes());
        }
        let entry = Entry { kind: read.frame.kind, partition: read.frame.partition, keys: &keys, payload: &payload };
        assert_eq!(journal.append(&entry).unwrap(), read.seq);
        if journal.is_full() {
            journal.wait_synced_blocking(read.seq).unwrap();
        }
    };
    while reader.next_batch(&mut each).unwrap() {}
    journal.close().unwrap();
}

#[test]
fn a_rule_that_somebody_changed_in_the_journal_is_found() {
    let folder = folder();
    fixtures(folder.path());
    let (sound, changed) = (folder.path().join("format-1"), folder.path().join("changed"));
    falsified(&sound, &changed, "event.total < 100000", "event.total > 100000");
    let (code, stdout, stderr) = run(forthwith().args(["replay", "--data"]).arg(&changed));
    assert_eq!((code, stderr.as_str()), (1, ""), "{stdout}");
    assert!(
        stdout.contains("shipping.rule\n    recorded  share-of-the-total\n    came out  (default)")
            && stdout.contains("came out otherwise"),
        "{stdout}"
    );
}

#[test]
fn a_backtest_says_what_a_configuration_would_change_and_writes_nothing() {
    let folder = folder();
    fixtures(folder.path());
    let data = folder.path().join("format-1-many");
    let before: Vec<_> = fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let config = own_config(folder.path());
    let table = config.join("tables/ticket_routing.csv");
    let rows = fs::read_to_string(&table).unwrap();
    // Without its last rows some tickets go elsewhere.
    let kept: Vec<&str> = rows.lines().take(rows.lines().count() / 2).collect();
    fs::write(&table, kept.join("\n")).unwrap();
    let backtest = |more: &[&str]| {
        let mut command = forthwith();
        command.arg("backtest").arg("--config").arg(&config).arg("--data").arg(&data).args(more);
        run(&mut command)
    };
    let (code, stdout, stderr) = backtest(&["--json", "--playbook", "ticket_routing"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let [recorded, decided, changed] = ["recorded", "decided", "changed"].map(|name| report[name].as_u64().unwrap());
    assert!(recorded > 1_000 && decided == recorded && changed > 0 && changed < decided, "{report:#}");
    let moved = &report["playbooks"][0]["rules"][0];
    assert!(moved["examples"][0]["decision"].as_str().is_some_and(|id| id.len() == 36), "{moved:#}");
    let (code, stdout, _) = backtest(&["--fail-on-change"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("\nticket_routing: ") && stdout.contains("\nnot decided again\n"), "{stdout}");
    let after: Vec<_> = fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(before, after);
}
