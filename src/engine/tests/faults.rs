//! Engines on disks that fail, dawdle or are full: what is answered meanwhile, and what is there afterwards.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::actor::Shed;
use crate::bundle::cap_tests::{ONE_A_QUARTER, offers};
use crate::domain::{FallbackReason, Settlement};
use crate::journal::{FaultyDisk, JournalError, Operation};

/// Three playbooks that differ in what they promise: `routing` waits for the disk, `quick` does not, `steady` does without it.
fn three() -> Bundle {
    let mut sources = sources();
    let of = |name: &str, ack: &str| {
        let playbook = PLAYBOOK.replace("\"routing\"", &format!("\"{name}\""));
        playbook.replace("ack      = \"disk\"", ack)
    };
    sources.insert("playbooks/quick.toml", of("quick", "ack = \"memory\""));
    sources.insert("playbooks/steady.toml", of("steady", "ack = \"memory\"\nwhen_disk_full = \"answer\""));
    Bundle::compile(sources).unwrap()
}

fn start(disk: &Arc<FaultyDisk>, bundle: Bundle, data: &Path) -> Engine {
    let mut config = Config::new(bundle).data(data);
    config.journal.segment_bytes = 256 << 10;
    config.journal.queue_bytes = 16 << 10;
    config.journal.overflow_bytes = 48 << 10;
    Engine::start_on(disk, config).unwrap()
}

fn as_long_as_it_takes() -> Options {
    Options { budget: Budget::Unlimited, ..Options::default() }
}

/// One of another customer each time, large enough that some dozens fill a queue.
fn large(nth: usize) -> Event {
    let mut event = ticket(&format!("t-{nth}"), &"x".repeat(1_000));
    event.customer = format!("c-{nth}");
    event
}

async fn decide_on(engine: &Engine, playbook: &str, event: Event) -> Result<Answer<Decision>, Error> {
    engine.decide_with(playbook, event, &as_long_as_it_takes()).await
}

async fn shed_of(engine: &Engine, playbook: &str, event: Event) -> Option<Shed> {
    decide_on(engine, playbook, event).await.unwrap().into_result().err()
}

fn vip() -> Facts {
    let values = [("vip".to_owned(), Raw::from(true))];
    Facts { source: "crm".to_owned(), observed_at: None, values: values.into_iter().collect() }
}

/// Waits until the engine knows that the disk is full: something must be written first.
async fn fill(engine: &Engine, disk: &FaultyDisk) {
    disk.fill_to_the_brim();
    let Ok(Answer::Given(_)) = engine.decide("quick", large(0)).await else { panic!("it is not full yet") };
    while !engine.is_disk_full() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_after_a_failed_sync_and_everything_that_was_is_there_after_a_restart() {
    for after in [0, 1, 7] {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::default());
        let engine = start(&disk, three(), folder.path());
        disk.fail(Operation::Sync, after, ErrorKind::Other);
        let mut acknowledged = Vec::new();
        let error = loop {
            match decide_on(&engine, "routing", large(acknowledged.len())).await {
                Ok(answer) => acknowledged.push(answer.given().unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(acknowledged.len(), after);
        assert!(acknowledged.iter().all(|decision| decision.durability == Durability::Disk));
        let reason = engine.stopped_because().unwrap().to_string();
        assert!(reason.starts_with("cannot sync `") && reason.ends_with("the disk of the test fails"), "{reason}");
        let told = format!("the journal has stopped: {reason}");
        assert_eq!(error.to_string(), told);
        // Later neither: not what waits for the disk, not what does not, not what was asked before.
        for playbook in ["routing", "quick", "steady"] {
            let error = decide_on(&engine, playbook, large(after)).await.unwrap_err();
            assert_eq!(error.to_string(), told, "{playbook}");
        }
        assert!(engine.put_facts("c-0", vip()).await.is_err());
        assert!(matches!(engine.change_bundle(bundle()), Err(Error::Journal(JournalError::Stopped(_)))));
        assert!(engine.metrics().contains("forthwith_journal_stopped 1"));
        assert!(!engine.is_disk_full());
        let (_, failed) = disk.since_failure()[0].clone();
        assert_eq!(disk.since_failure().iter().filter(|(_, path)| *path == failed).count(), 1, "it is not tried again");
        // What is on disk can still be looked at.
        for decision in &acknowledged {
            assert!(engine.explain(decision.id).unwrap().is_some());
        }
        assert_eq!(engine.shutdown().unwrap_err().to_string(), told);
        drop(engine);
        let engine = start(&Arc::default(), three(), folder.path());
        for (nth, decision) in acknowledged.iter().enumerate() {
            let again = decide_on(&engine, "routing", large(nth)).await.unwrap().given().unwrap();
            assert_eq!((again.id, again.is_duplicate), (decision.id, true));
        }
        assert!(decide_on(&engine, "routing", large(99)).await.unwrap().given().is_some(), "it goes on");
    }
}

/// What takes something of a cap is not granted while the disk is silent, and not granted twice whatever the disk says then.
#[tokio::test]
async fn what_was_in_flight_when_a_sync_failed_was_in_doubt() {
    let cart = |id: &str| Event::new(id, "shop", "cart.left", "c-1").with("worth", 10);
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let engine = start(&disk, offers("", ONE_A_QUARTER), folder.path());
    disk.hold();
    let hasty = Options { budget: Budget::AtMost(Duration::from_millis(20)), ..Options::default() };
    let first = engine.decide_with("offers", cart("1"), &hasty).await.unwrap().given().unwrap();
    assert_eq!((first.fallback, first.durability), (Some(FallbackReason::InDoubt), Durability::Pending));
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.decide_with("offers", cart("2"), &as_long_as_it_takes()).await }
    });
    disk.wait_until_held();
    // The second is queued behind the sync by then.
    tokio::time::sleep(Duration::from_millis(50)).await;
    disk.fail(Operation::Sync, 0, ErrorKind::Other);
    disk.release();
    assert!(matches!(waiting.await.unwrap(), Err(Error::Journal(JournalError::Stopped(_)))));
    let again = engine.decide("offers", cart("1")).await;
    assert!(matches!(again, Err(Error::Journal(JournalError::Stopped(_)) | Error::Failed(_))), "{again:?}");
    assert!(engine.shutdown().is_err());
    drop(engine);
    // The record of the first may be on disk or not; either way there is one discount.
    let engine = start(&Arc::default(), offers("", ONE_A_QUARTER), folder.path());
    let mut granted = 0;
    for id in ["1", "2", "3"] {
        let decision = engine.decide_with("offers", cart(id), &as_long_as_it_takes()).await.unwrap().given().unwrap();
        assert_eq!(decision.durability, Durability::Disk);
        granted += usize::from(decision.outcome().text("action") == Some("offer_discount"));
    }
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn a_full_disk_sheds_at_once_what_waits_for_it_and_answers_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let engine = start(&disk, three(), folder.path());
    let before = decide_on(&engine, "routing", ticket("before", "my card")).await.unwrap().given().unwrap();
    fill(&engine, &disk).await;
    // However long they would wait.
    for playbook in ["routing", "quick"] {
        assert_eq!(shed_of(&engine, playbook, large(1)).await, Some(Shed::DiskFull), "{playbook}");
    }
    assert_eq!(engine.observe(large(1)).await.unwrap().into_result().unwrap_err(), Shed::DiskFull, "one would wait");
    let told = engine.put_facts("c-1", vip()).await.unwrap();
    assert_eq!(told.into_result().unwrap_err(), Shed::DiskFull);
    let unknown = engine.settle(DecisionId::from_u128(1), Settlement::Commit).await.unwrap();
    assert_eq!(unknown.into_result().unwrap_err(), Shed::DiskFull, "perhaps it is on its way to the disk");
    assert!(matches!(engine.change_bundle(bundle()), Err(Error::DiskFull(JournalError::DiskFull))));
    assert!(engine.metrics().contains("forthwith_shed_total{reason=\"disk_full\"} 5"), "{}", engine.metrics());
    // Looking needs no room.
    assert!(engine.explain(before.id).unwrap().is_some());
    assert!(engine.customer("c-1").await.unwrap().given().is_some());
    // Up to the bound, what need not wait is answered.
    let mut answered = Vec::new();
    let shed = loop {
        match decide_on(&engine, "steady", large(100 + answered.len())).await.unwrap() {
            Answer::Given(decision) => answered.push(decision),
            Answer::Shed(shed) => break shed,
        }
        assert!(answered.len() < 100, "the bound is not kept");
    };
    assert!(answered.len() > 20 && shed == Shed::DiskFull, "{}: {shed}", answered.len());
    assert!(answered.iter().all(|decision| decision.durability == Durability::Memory));
    assert!(!engine.answers_without_disk(), "no more");
    // Nobody can say yet that a repetition is what was decided.
    assert_eq!(shed_of(&engine, "steady", large(100)).await, Some(Shed::DiskFull));
    disk.make_room();
    let after = loop {
        match decide_on(&engine, "routing", large(1)).await.unwrap() {
            Answer::Given(decision) => break decision,
            Answer::Shed(shed) => assert_eq!(shed, Shed::DiskFull),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((after.is_duplicate, after.durability), (false, Durability::Disk), "what was shed was not decided");
    let stopped = engine.shutdown().unwrap();
    assert_eq!(
        stopped.last_seq as usize,
        1 + 2 + answered.len() + 1,
        "the bundle, two before, those in memory, and one after"
    );
    drop(engine);
    let engine = start(&Arc::default(), three(), folder.path());
    for (nth, decision) in answered.iter().enumerate() {
        let again = decide_on(&engine, "steady", large(100 + nth)).await.unwrap().given().unwrap();
        assert_eq!((again.id, again.is_duplicate, again.durability), (decision.id, true, Durability::Disk));
    }
}

/// What does not wait for the disk is lost with the engine, and that is said.
#[tokio::test]
async fn an_engine_that_stops_while_the_disk_is_full_keeps_what_was_acknowledged_as_durable() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let engine = start(&disk, three(), folder.path());
    let before = decide_on(&engine, "routing", ticket("before", "my card")).await.unwrap().given().unwrap();
    fill(&engine, &disk).await;
    let memory = decide_on(&engine, "steady", large(1)).await.unwrap().given().unwrap();
    assert_eq!(memory.durability, Durability::Memory);
    let told = engine.shutdown().unwrap_err().to_string();
    assert!(
        told.starts_with("the journal has stopped: cannot write") && told.contains("make room on the disk"),
        "{told}"
    );
    drop(engine);
    disk.make_room();
    let engine = start(&disk, three(), folder.path());
    let again = decide_on(&engine, "routing", ticket("before", "my card")).await.unwrap().given().unwrap();
    assert_eq!((again.id, again.is_duplicate), (before.id, true));
    let anew = decide_on(&engine, "steady", large(1)).await.unwrap().given().unwrap();
    assert!(!anew.is_duplicate);
}

/// States that are at rest need not be stored, and those who come need not wait for them.
#[tokio::test]
async fn customers_come_and_go_while_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let mut config = Config::new(three()).data(folder.path());
    config.customers.hot_customers_max = 8;
    config.customers.passivate_after = Duration::from_secs(1);
    (config.journal.segment_bytes, config.journal.overflow_bytes) = (256 << 10, 1 << 20);
    let engine = Engine::start_on(&disk, config).unwrap();
    for nth in 1..30 {
        decide_on(&engine, "routing", large(nth)).await.unwrap().given().unwrap();
    }
    fill(&engine, &disk).await;
    // Far more than there is room for, old and new: nobody is turned away because others cannot be put to rest.
    for nth in 1..60 {
        let decision = decide_on(&engine, "steady", Event { id: format!("s-{nth}"), ..large(nth) }).await.unwrap();
        assert_eq!(decision.given().unwrap().fallback, None, "{nth}");
    }
    disk.make_room();
    while engine.is_disk_full() {
        tokio::task::yield_now().await;
    }
    for nth in 1..60 {
        let again = decide_on(&engine, "steady", Event { id: format!("s-{nth}"), ..large(nth) }).await.unwrap();
        assert!(again.given().unwrap().is_duplicate, "{nth}");
    }
    engine.shutdown().unwrap();
}

/// A full queue holds callers off within their deadlines, then sheds; what was taken on is all there.
#[tokio::test]
async fn a_queue_that_is_full_is_waited_for_or_shed_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let engine = start(&disk, three(), folder.path());
    disk.hold();
    let mut taken = Vec::new();
    let shed = loop {
        match engine.decide("quick", large(taken.len())).await.unwrap() {
            Answer::Given(decision) => taken.push(decision),
            Answer::Shed(shed) => break shed,
        }
        assert!(taken.len() < 200, "the queue has no bound");
    };
    assert_eq!(shed, Shed::JournalBehind, "within its budget");
    let patient: Vec<_> = [1_000, 1_001]
        .map(|nth| {
            tokio::spawn({
                let engine = engine.clone();
                async move { decide_on(&engine, "routing", large(nth)).await }
            })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(patient.iter().all(|waiting| !waiting.is_finished()), "who has time waits");
    disk.release();
    for waiting in patient {
        taken.push(waiting.await.unwrap().unwrap().given().unwrap());
    }
    assert_eq!(engine.shutdown().unwrap().last_seq as usize, 1 + taken.len(), "the bundle and all that was taken on");
    drop(engine);
    let engine = start(&Arc::default(), three(), folder.path());
    for decision in &taken {
        assert!(engine.explain(decision.id).unwrap().is_some());
    }
}
