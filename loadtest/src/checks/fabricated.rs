//! The checks on fabricated answers: silent on sound ones, and each fires on what breaks it.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use forthwith::DecisionId;
use forthwith::bundle::{Bundle, Sources};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::answers::{Came, Decided};

const PLAYBOOK: &str = r#"
playbook = "offers"
version  = 1
on       = ["asked"]
ack      = "disk"

[outcome]
action   = ["nothing", "offer"]
discount = { type = "decimal", min = 0, max = 50 }

[default]
then = { action = "nothing", discount = 0 }

[[rules]]
id   = "all"
when = 'event.wants'
then = { action = "offer", discount = 12.5 }

[[caps]]
id     = "two-in-ten-seconds"
action = "offer"
max    = 2
over   = "10s"

[[caps]]
id     = "a-hundred-a-minute"
action = "offer"
amount = "discount"
max    = 100
over   = "60s"
scope  = "global"
"#;

fn bundle() -> &'static Bundle {
    static COMPILED: OnceLock<Bundle> = OnceLock::new();
    COMPILED.get_or_init(compile)
}

fn compile() -> Bundle {
    let mut sources = Sources::default();
    sources.insert("context.toml", "[events.asked]\nwants = \"bool\"\n");
    sources.insert("playbooks/offers.toml", PLAYBOOK);
    Bundle::compile(sources).unwrap()
}

const OFFER: &str = r#"{"action":"offer","discount":12.5}"#;
const NOTHING: &str = r#"{"action":"nothing","discount":0}"#;

/// An answer that owns its texts, so that it can be made and broken.
#[derive(Clone, Debug)]
struct Made {
    sequence: u64,
    thread: usize,
    event: String,
    customer: String,
    named: String,
    decision: u128,
    outcome: &'static str,
    tier: &'static str,
    fallback: Option<&'static str>,
    durability: &'static str,
    is_repeat: bool,
    is_duplicate: bool,
    took: Duration,
    shed: Option<&'static str>,
}

impl Made {
    fn shown<T>(&self, show: impl FnOnce(&Answer<'_>) -> T) -> T {
        let decided = Decided {
            decision: DecisionId::from_u128(self.decision),
            customer: &self.named,
            playbook: "offers",
            bundle: "sha256:0",
            outcome: self.outcome,
            tier: self.tier,
            fallback: self.fallback,
            durability: self.durability,
            is_duplicate: self.is_duplicate,
            elapsed_us: 7,
        };
        let started = Duration::from_millis(self.sequence);
        show(&Answer {
            sequence: self.sequence,
            thread: self.thread,
            is_counted: true,
            event: &self.event,
            source: "load",
            customer: &self.customer,
            playbook: "offers",
            is_repeat: self.is_repeat,
            intended: started,
            started,
            ended: started + self.took,
            budget: Some(Duration::from_millis(50)),
            came: self.shed.map_or(Came::Decided(decided), Came::Shed),
        })
    }
}

/// The id of a decision at a time.
fn id(at_ms: u64, number: u64) -> u128 {
    u128::from(1_763_800_000_000 + at_ms) << 80 | 0x8 << 76 | 0b10 << 62 | u128::from(number)
}

/// What an engine that keeps to everything answers: customers in threads at random, repetitions in the thread of the first.
fn sound(seed: u64, calls: u64) -> Vec<Made> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut made: Vec<Made> = Vec::new();
    let mut own: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut all: Vec<u64> = Vec::new();
    let mut now = 0;
    for sequence in 0..calls {
        now += random.random_range(0..300);
        if sequence > 0 && random.random_range(0..5) == 0 {
            let first = &made[random.random_range(0..made.len())];
            if first.shed.is_none() {
                made.push(Made { sequence, is_repeat: true, is_duplicate: true, ..first.clone() });
                continue;
            }
        }
        let customer = random.random_range(0..12);
        let mine = own.entry(customer).or_default();
        mine.retain(|at| now - at < 10_000);
        all.retain(|at| now - at < 60_000);
        // Eight times 12.5 are a hundred.
        let is_granted = mine.len() < 2 && all.len() < 8;
        if is_granted {
            mine.push(now);
            all.push(now);
        }
        made.push(Made {
            sequence,
            thread: random.random_range(0..3),
            event: format!("e-{sequence}"),
            customer: format!("c-{customer}"),
            named: format!("c-{customer}"),
            decision: id(now, sequence),
            outcome: if is_granted { OFFER } else { NOTHING },
            tier: "rules",
            fallback: (!is_granted).then_some("cap_reached"),
            durability: "disk",
            is_repeat: false,
            is_duplicate: false,
            took: Duration::from_millis(random.random_range(0..50)),
            shed: (random.random_range(0..20) == 0 && !is_granted).then_some("mailbox_full"),
        });
    }
    made
}

fn seen(made: &[Made]) -> Checks {
    let bundle = bundle();
    let config = Config { grace: Duration::ZERO, is_memory_safe: false, are_events_new: true, threads: 3 };
    let mut threads: Vec<Checks> = (0..3).map(|_| Checks::new(&config, Some(bundle))).collect();
    for made in made {
        made.shown(|answer| threads[made.thread].see(answer));
    }
    let mut whole = threads.remove(0);
    threads.into_iter().for_each(|other| whole.add(other));
    whole
}

/// The names of the checks that were broken, and their first cases.
fn broken(made: &[Made]) -> Vec<(String, String)> {
    let checks = seen(made).checks();
    assert_eq!(checks.len(), 6);
    let broken = checks.into_iter().filter(|check| check.violations > 0);
    broken.map(|check| (check.name, check.first.expect("the first case is kept").to_string())).collect()
}

/// Breaks a sound stream at a place and wants exactly this check to fire, with this in its case.
fn breaks(check: &str, case: &str, mut damage: impl FnMut(&mut Vec<Made>, &mut Pcg64Mcg)) {
    for seed in 0..8 {
        let mut made = sound(seed, 400);
        damage(&mut made, &mut Pcg64Mcg::seed_from_u64(seed + 1_000));
        let broken = broken(&made);
        assert!(broken.len() == 1 && broken[0].0 == check, "seed {seed}: {broken:?}");
        assert!(broken[0].1.contains(case), "seed {seed}: {broken:?}");
    }
}

/// The place of some decision for which something holds.
fn some(made: &[Made], random: &mut Pcg64Mcg, holds: impl Fn(&Made) -> bool) -> usize {
    loop {
        let at = random.random_range(0..made.len());
        if made[at].shed.is_none() && holds(&made[at]) {
            return at;
        }
    }
}

#[test]
fn sound_answers_break_nothing() {
    for seed in 0..40 {
        let broken = broken(&sound(seed, 600));
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
    }
    let checks = seen(&sound(7, 600)).checks();
    assert!(checks.iter().all(|check| check.checked > 20), "{checks:?}");
}

#[test]
fn an_answer_after_its_deadline_is_seen() {
    breaks("in_time", "\"ended\"", |made, random| {
        let at = some(made, random, |_| true);
        made[at].took = Duration::from_micros(50_001);
    });
}

#[test]
fn an_answer_about_somebody_else_is_seen() {
    breaks("addressed", "c-other", |made, random| {
        let at = some(made, random, |made| made.outcome == NOTHING && !made.is_repeat);
        made[at].named = "c-other".to_owned();
    });
}

#[test]
fn words_that_nobody_knows_are_seen() {
    breaks("words", "oracle", |made, random| {
        let at = some(made, random, |_| true);
        made[at].tier = "oracle";
    });
    breaks("words", "because", |made, random| {
        let at = some(made, random, |_| true);
        made[at].fallback = Some("because");
    });
    breaks("words", "no_mood", |made, random| {
        let at = random.random_range(0..made.len());
        made[at].shed = Some("no_mood");
    });
}

#[test]
fn an_event_that_is_decided_anew_is_seen() {
    // Another decision.
    breaks("repeats", "first_decision", |made, random| {
        let at = some(made, random, |made| made.is_repeat && made.outcome == NOTHING);
        made[at].decision = id(10, 1 << 40);
    });
    // Decided anew by a customer who had few decisions since.
    breaks("repeats", "first_decision", |made, random| {
        let at = some(made, random, |made| made.is_repeat && made.outcome == NOTHING);
        made[at].is_duplicate = false;
        made[at].decision += 1 << 80;
    });
    // Another outcome.
    breaks("repeats", "first_call", |made, random| {
        let at = some(made, random, |made| made.is_repeat && made.outcome == OFFER);
        made[at].outcome = NOTHING;
    });
    // Not said to be a repetition.
    breaks("repeats", "first_call", |made, random| {
        let at = some(made, random, |made| made.is_repeat && made.outcome == NOTHING);
        made[at].is_duplicate = false;
    });
}

#[test]
fn a_new_event_that_is_taken_for_a_repetition_is_seen() {
    breaks("repeats", "\"is_duplicate\":true", |made, random| {
        let repeated: Vec<String> = made.iter().filter(|made| made.is_repeat).map(|made| made.event.clone()).collect();
        let fits = |made: &Made| !made.is_repeat && made.outcome == NOTHING && !repeated.contains(&made.event);
        let at = some(made, random, fits);
        let customer = made[at].customer.clone();
        let earlier =
            made[..at].iter().rev().find(|made| fits(made) && made.shed.is_none() && made.customer == customer);
        let earlier = earlier.map_or(made[at].decision, |earlier| earlier.decision);
        (made[at].decision, made[at].is_duplicate) = (earlier, true);
    });
}

#[test]
fn who_has_had_many_decisions_since_may_have_forgotten() {
    let template = sound(1, 10).remove(0);
    let decided = |nth: u64, event: u64| Made {
        sequence: nth,
        thread: (event % 3) as usize,
        event: format!("e-{event}"),
        decision: id(10 * nth, nth),
        outcome: NOTHING,
        fallback: None,
        shed: None,
        ..template.clone()
    };
    for (between, is_broken) in [(20, true), (31, true), (33, false), (500, false)] {
        let mut made: Vec<Made> = (0..between).map(|nth| decided(nth, nth)).collect();
        // The first event again, decided anew: its own decision counts, too.
        made.push(Made { is_repeat: true, ..decided(between, 0) });
        let broken = broken(&made);
        assert_eq!(!broken.is_empty(), is_broken, "{between} decisions: {broken:?}");
    }
}

#[test]
fn what_is_said_without_a_look_at_the_customer_is_no_other_decision() {
    let mut made = sound(4, 300);
    let at = some(&made, &mut Pcg64Mcg::seed_from_u64(9), |made| made.is_repeat);
    (made[at].fallback, made[at].durability, made[at].outcome) = (Some("late"), "pending", NOTHING);
    (made[at].is_duplicate, made[at].decision) = (false, id(7, 1 << 42));
    assert_eq!(broken(&made), []);
    let checks = seen(&made).checks();
    let asks = |name: &str| checks.iter().find(|check| check.name == name).map(|check| check.asks.clone()).unwrap();
    assert!(asks("repeats").contains("1 repetitions were answered as `pending`"), "{}", asks("repeats"));
    assert!(asks("ids").contains(" answers were `pending`"), "{}", asks("ids"));
    // The same under a durability that promises something breaks the check.
    made[at].durability = "disk";
    assert_eq!(broken(&made)[0].0, "repeats");
}

#[test]
fn an_id_of_what_may_be_gone_may_be_given_again() {
    let template = sound(1, 10).remove(0);
    let decided = |sequence: u64, durability: &'static str| Made {
        sequence,
        thread: sequence as usize % 3,
        event: format!("e-{sequence}"),
        decision: id(10, 1),
        outcome: NOTHING,
        fallback: None,
        shed: None,
        durability,
        ..template.clone()
    };
    assert_eq!(broken(&[decided(0, "pending"), decided(1, "disk"), decided(3, "pending")]), []);
    assert_eq!(broken(&[decided(0, "pending"), decided(1, "disk"), decided(2, "memory")])[0].0, "ids");
}

#[test]
fn two_events_with_one_id_are_seen() {
    for other_thread in [false, true] {
        breaks("ids", "call", |made, random| {
            let fits = |made: &Made| !made.is_repeat && made.outcome == NOTHING;
            let first = some(made, random, fits);
            let repeated: Vec<String> =
                made.iter().filter(|made| made.is_repeat).map(|made| made.event.clone()).collect();
            let (thread, number) = (made[first].thread, made[first].sequence);
            let second = some(made, random, |made| {
                let is_other = made.sequence != number && !repeated.contains(&made.event);
                fits(made) && is_other && (made.thread != thread) == other_thread
            });
            made[second].decision = made[first].decision;
        });
    }
}

#[test]
fn a_customer_who_was_granted_too_much_is_seen() {
    breaks("caps", "two-in-ten-seconds", |made, _| {
        // The global cap has room for three within a minute of nobody else's.
        made.retain(|made| made.outcome == NOTHING && !made.is_repeat);
        let last = made.last().map_or(0, |made| made.sequence);
        for nth in 1..=3 {
            let mut grant = made[0].clone();
            grant.sequence = last + nth;
            // Threads see a part each.
            grant.thread = nth as usize % 3;
            grant.event = format!("granted-{nth}");
            grant.decision = id(1_000_000 + 4_999 * (nth - 1), 1 << 41 | nth);
            (grant.outcome, grant.fallback, grant.shed) = (OFFER, None, None);
            made.push(grant);
        }
    });
}

#[test]
fn what_is_granted_right_after_the_window_is_no_excess() {
    let mut made = sound(3, 50);
    made.retain(|made| made.outcome == NOTHING && !made.is_repeat && made.shed.is_none());
    let grant = |nth: u64, at_ms: u64| Made {
        sequence: 1_000 + nth,
        event: format!("granted-{nth}"),
        decision: id(1_000_000 + at_ms, 1 << 41 | nth),
        outcome: OFFER,
        fallback: None,
        ..made[0].clone()
    };
    assert_eq!(broken(&[grant(1, 0), grant(2, 0), grant(3, 10_000), grant(4, 10_000), grant(5, 20_000)]), []);
    assert_eq!(broken(&[grant(1, 0), grant(2, 9_000), grant(3, 9_998)]).len(), 1);
    // A repetition of what was granted is no third grant.
    let again = Made { is_repeat: true, is_duplicate: true, sequence: 2_000, ..grant(1, 0) };
    assert_eq!(broken(&[grant(1, 0), grant(2, 1), again]), []);
}

#[test]
fn all_together_who_were_granted_too_much_are_seen() {
    breaks("caps", "a-hundred-a-minute", |made, _| {
        made.retain(|made| made.outcome == NOTHING && !made.is_repeat);
        for nth in 1..=9 {
            let mut grant = made[0].clone();
            (grant.sequence, grant.thread) = (10_000 + nth, nth as usize % 3);
            (grant.customer, grant.named) = (format!("g-{nth}"), format!("g-{nth}"));
            grant.event = format!("granted-{nth}");
            grant.decision = id(1_000_000 + 7_000 * nth, 1 << 41 | nth);
            (grant.outcome, grant.fallback, grant.shed) = (OFFER, None, None);
            made.push(grant);
        }
    });
}

#[test]
fn the_shipped_caps_are_counted() {
    let config = forthwith::Config::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../config")).unwrap();
    let (rules, uncountable) = cap_rule::CapRule::of(&config.engine.bundle);
    let ids: Vec<&str> = rules.iter().map(|rule| &*rule.id).collect();
    assert_eq!((ids, uncountable.len()), (vec!["one-discount-a-quarter", "retention-budget"], 0));
    // Nobody settles: what is granted is free again after half an hour.
    assert!(rules.iter().all(|rule| rule.window_ms == Some(1_800_000)));
}

#[test]
fn what_is_kept_is_bounded_and_still_finds_what_breaks_a_check() {
    let bundle = bundle();
    let mut checks = Checks {
        repeats: repeats::Repeats::new(100, true, Some(bundle)),
        ids: ids::Ids::new(100, false),
        caps: caps::Caps::new(100, Some(bundle)),
        ..Checks::new(&Config { grace: Duration::ZERO, is_memory_safe: false, are_events_new: true, threads: 1 }, None)
    };
    let template = sound(1, 10).remove(0);
    for nth in 0..20_000_u64 {
        let customer = format!("c-{}", nth / 4);
        let made = Made {
            sequence: nth,
            event: format!("e-{nth}"),
            named: customer.clone(),
            customer,
            decision: id(nth, nth),
            outcome: OFFER,
            fallback: None,
            shed: None,
            ..template.clone()
        };
        made.shown(|answer| checks.see(answer));
    }
    assert!(checks.acknowledged().len() <= 100);
    let checks = checks.checks();
    let caps = checks.iter().find(|check| check.name == "caps").unwrap();
    // Every customer has twice the cap; the sample still sees some, and says that it is one.
    assert!(caps.violations > 10 && caps.asks.contains("one customer of"), "{caps:?}");
    assert!(checks.iter().find(|check| check.name == "ids").unwrap().asks.contains("one decision of"));
}

mod journal {
    //! The journal of a real engine.

    use forthwith::{Engine, Event, FallbackReason, Options};
    use tokio::runtime::Builder;

    use super::*;

    /// Decides on events and shows the checks what came; the checks, and the data directory of the engine that was stopped.
    fn decided(events: u64) -> (Checks, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let config = forthwith::engine::Config::new(compile()).data(folder.path());
        let engine = Engine::start(config).unwrap();
        let mut checks = Checks::new(
            &Config { grace: Duration::from_secs(60), is_memory_safe: false, are_events_new: true, threads: 1 },
            Some(bundle()),
        );
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let options = Options { budget: forthwith::Budget::Unlimited, ..Options::default() };
        for nth in 0..events {
            let (event, customer) = (format!("e-{}", nth % (events - 5)), format!("c-{}", nth % (events - 5) % 7));
            let asked = Event::new(event.as_str(), "load", "asked", customer.as_str()).with("wants", true);
            let decision = runtime.block_on(engine.decide_with("offers", asked, &options)).unwrap().given().unwrap();
            let value = serde_json::to_value(&decision).unwrap();
            let outcome = value["outcome"].to_string();
            let decided = Decided {
                decision: decision.id,
                customer: decision.customer.as_str(),
                playbook: &decision.playbook,
                bundle: "",
                outcome: &outcome,
                tier: decision.tier.as_str(),
                fallback: decision.fallback.map(FallbackReason::as_str),
                durability: decision.durability.as_str(),
                is_duplicate: decision.is_duplicate,
                elapsed_us: 0,
            };
            checks.see(&Answer {
                sequence: nth,
                thread: 0,
                is_counted: true,
                event: &event,
                source: "load",
                customer: &customer,
                playbook: "offers",
                is_repeat: nth >= events - 5,
                intended: Duration::ZERO,
                started: Duration::ZERO,
                ended: Duration::ZERO,
                budget: None,
                came: Came::Decided(decided),
            });
        }
        let acknowledged = checks.acknowledged();
        let asked = asked(&acknowledged, 10, |id| {
            let kept = engine.decision(id).map_err(Into::into).map(|found| {
                found.map(|found| Kept { outcome: Some(serde_json::to_value(&found).unwrap()["outcome"].to_string()) })
            });
            std::future::ready(kept)
        });
        let asked = runtime.block_on(asked).unwrap();
        assert!(asked.violations == 0 && (5..=10).contains(&asked.checked), "{asked:?}");
        engine.shutdown().unwrap();
        (checks, folder)
    }

    #[test]
    fn has_all_that_was_acknowledged_and_verifies() {
        let (checks, folder) = decided(45);
        let acknowledged = checks.acknowledged();
        assert_eq!(acknowledged.len(), 40);
        let [complete, sound] = in_directory(&acknowledged, folder.path()).unwrap();
        assert_eq!((complete.checked, complete.violations), (40, 0), "{complete:?}");
        assert!(sound.violations == 0 && sound.checked >= 40, "{sound:?}");
        let broken: Vec<Check> = checks.checks().into_iter().filter(|check| check.violations > 0).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }

    #[test]
    fn a_decision_that_it_does_not_have_is_seen() {
        let (mut checks, folder) = decided(30);
        let lost = Made { decision: id(5, 5), ..sound(1, 1).remove(0) };
        Made { sequence: 777, event: "lost".to_owned(), shed: None, ..lost }.shown(|answer| checks.see(answer));
        let [complete, sound] = in_directory(&checks.acknowledged(), folder.path()).unwrap();
        assert_eq!((complete.violations, sound.violations), (1, 0));
        assert_eq!(complete.first.unwrap()["call"], 777);
        let runtime = Builder::new_current_thread().build().unwrap();
        let asked = runtime.block_on(asked(&checks.acknowledged(), 1_000, |_| std::future::ready(Ok(None)))).unwrap();
        assert_eq!((asked.checked, asked.violations), (26, 26));
    }

    #[test]
    fn a_damaged_byte_is_seen() {
        let (checks, folder) = decided(30);
        let journal = forthwith::journal::journal_folder(folder.path());
        let files = std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
        let segment = files.filter(|path| path.is_file()).max_by_key(|path| path.metadata().unwrap().len()).unwrap();
        let mut bytes = std::fs::read(&segment).unwrap();
        // Somewhere in the text of a customer's id, early in the records.
        let at = bytes.windows(3).position(|part| part == b"c-1").unwrap();
        bytes[at + 2] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
        let [complete, sound] = in_directory(&checks.acknowledged(), folder.path()).unwrap();
        assert!(sound.violations > 0, "{sound:?}");
        assert!(complete.violations > 0, "{complete:?}");
    }
}
