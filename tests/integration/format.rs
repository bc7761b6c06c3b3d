//! What older releases have written stays readable: a data directory that was made when format 1 was new.

use std::fs;
use std::path::{Path, PathBuf};

use forthwith::{Config, Engine, Event, Facts};

use crate::support::{forthwith, root, run};

/// Decisions in the fixture, by their events.
const DECISIONS: &str = "decisions.txt";

fn fixture() -> PathBuf {
    root().join("tests/fixtures/format-1")
}

fn copied(from: &Path, to: &Path) {
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
