//! The pool as its callers meet it: real threads, and models whose batches end when the test says so.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline, Timer};

/// Long enough that nobody is late on a slow machine.
const LONG: Duration = Duration::from_secs(60);

struct House {
    pool: Pool,
    clock: Clock,
    registry: Registry,
}

impl House {
    fn open(config: Config) -> Self {
        let (clock, registry) = (Clock::system(), Registry::default());
        let timer = Timer::start(clock.clone()).unwrap();
        let pool = Pool::start(config, clock.clone(), timer, Metrics::new(&registry)).unwrap();
        Self { pool, clock, registry }
    }

    fn within(&self, budget: Duration) -> Deadline {
        Deadline::new(self.clock.instant(), budget)
    }

    /// The numbers of a series, by its line on the page.
    fn count(&self, line: &str) -> u64 {
        let page = self.registry.render();
        let found = page.lines().find_map(|l| l.strip_prefix(line)).and_then(|rest| rest.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no `{line}` in\n{page}"))
    }

    fn answers(&self, answer: &str) -> u64 {
        self.count(&format!(r#"forthwith_inference_answers_total{{answer="{answer}",model="m"}}"#))
    }
}

/// How a batch ends.
type Ending = Box<dyn FnOnce(&[&str]) -> Result<Vec<Scores>, ModelFault> + Send>;

/// A model that tells of each batch and waits to be told how it ends.
struct Told {
    batches: mpsc::Sender<Vec<String>>,
    endings: mpsc::Receiver<Ending>,
    rebuilt: Arc<AtomicUsize>,
}

/// The other side of it.
struct Teller {
    batches: mpsc::Receiver<Vec<String>>,
    endings: mpsc::Sender<Ending>,
    rebuilt: Arc<AtomicUsize>,
}

fn told() -> (Box<Told>, Teller) {
    let ((batch_in, batch_out), (ending_in, ending_out)) = (mpsc::channel(), mpsc::channel());
    let rebuilt = Arc::<AtomicUsize>::default();
    let told = Told { batches: batch_in, endings: ending_out, rebuilt: Arc::clone(&rebuilt) };
    (Box::new(told), Teller { batches: batch_out, endings: ending_in, rebuilt })
}

impl SlowModel for Told {
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault> {
        let _ = self.batches.send(texts.iter().map(|text| (*text).to_owned()).collect());
        match self.endings.recv() {
            Ok(ending) => ending(texts),
            Err(_) => Ok(lengths(texts)),
        }
    }

    fn rebuild(&mut self) -> Result<(), ModelFault> {
        match self.rebuilt.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(ModelFault::of_model("the file is gone")),
        }
    }
}

impl Teller {
    fn batch(&self) -> Vec<String> {
        self.batches.recv().unwrap()
    }

    fn ends(&self, ending: impl FnOnce(&[&str]) -> Result<Vec<Scores>, ModelFault> + Send + 'static) {
        self.endings.send(Box::new(ending)).unwrap();
    }

    fn ends_well(&self) {
        self.ends(|texts| Ok(lengths(texts)));
    }
}

/// What the made-up models say: how long the text is.
fn lengths(texts: &[&str]) -> Vec<Scores> {
    texts.iter().map(|text| Scores { probabilities: [text.len() as f32].into(), scope: 1.0 }).collect()
}

fn scored(text: &str) -> Answer {
    Answer::Scored(lengths(&[text]).remove(0))
}

fn failed(reason: &str) -> Answer {
    Answer::Failed(reason.into())
}

#[test]
fn texts_that_come_while_the_model_is_busy_share_a_batch_and_each_gets_its_own_scores() {
    let house = House::open(Config { batch_max: 3, ..Config::default() });
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let first = model.ask("a", house.within(LONG));
    assert_eq!(teller.batch(), ["a"], "an idle model is asked at once");
    let others = ["bb", "ccc", "dddd", "eeeee"].map(|text| (text, model.ask(text, house.within(LONG))));
    teller.ends_well();
    assert_eq!(first.wait(), scored("a"));
    assert_eq!(teller.batch(), ["bb", "ccc", "dddd"], "no more than `batch_max`");
    teller.ends_well();
    assert_eq!(teller.batch(), ["eeeee"]);
    teller.ends_well();
    for (text, pending) in others {
        assert_eq!(pending.wait(), scored(text));
    }
    assert_eq!(house.count(r#"forthwith_inference_batches_total{closed_by="full",model="m"}"#), 1);
    assert_eq!(house.count(r#"forthwith_inference_batches_total{closed_by="idle",model="m"}"#), 1);
    assert_eq!(house.count(r#"forthwith_inference_batch_texts_sum{model="m"}"#), 5);
    assert_eq!(house.count("forthwith_inference_waiting"), 0);
}

#[tokio::test]
async fn an_answer_can_be_awaited_on_any_runtime() {
    let house = House::open(Config::default());
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let pending = model.ask("abc", house.within(LONG));
    teller.ends_well();
    assert_eq!(pending.await, scored("abc"));
}

#[test]
fn a_model_that_hangs_holds_nobody_beyond_the_deadline_and_its_answer_is_dropped_and_counted() {
    let house = House::open(Config::default());
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let asked = model.ask("asked", house.within(Duration::from_millis(20)));
    teller.batch();
    let waiting = model.ask("waiting", house.within(Duration::from_millis(20)));
    assert_eq!((asked.wait(), waiting.wait()), (Answer::Late, Answer::Late));
    teller.ends_well();
    let next = model.ask("next", house.within(LONG));
    assert_eq!(teller.batch(), ["next"], "what is late does not cost the model");
    teller.ends_well();
    assert_eq!(next.wait(), scored("next"));
    assert_eq!((house.answers("overdue"), house.answers("late"), house.answers("scored")), (1, 1, 1));
}

#[test]
fn who_has_no_time_and_who_has_no_room_is_told_at_once() {
    let house = House::open(Config { queue_max: 1, ..Config::default() });
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    assert_eq!(model.ask("a", house.within(Duration::ZERO)).wait(), Answer::Late);
    let (asked, ()) = (model.ask("b", house.within(LONG)), drop(teller.batch()));
    let waiting = model.ask("c", house.within(LONG));
    assert_eq!(model.ask("d", house.within(LONG)).wait(), Answer::Shed);
    teller.ends_well();
    teller.ends_well();
    assert_eq!((asked.wait(), waiting.wait()), (scored("b"), scored("c")));
    assert_eq!((house.answers("late"), house.answers("shed"), house.answers("scored")), (1, 1, 2));
}

#[test]
fn a_batch_that_fails_or_panics_is_answered_so_and_the_model_is_kept_or_rebuilt_by_its_own_word() {
    let house = House::open(Config::default());
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let ask = || model.ask("a", house.within(LONG)).wait();

    teller.ends(|_| Err(ModelFault::of_batch("too long")));
    assert_eq!(ask(), failed("too long"));
    teller.ends(|texts| Ok(lengths(&[texts, texts].concat())));
    assert_eq!(ask(), failed("it gave 2 scores for 1 texts"));
    assert_eq!(teller.rebuilt.load(Ordering::SeqCst), 0, "it did not ask to be rebuilt");

    teller.ends(|_| std::panic::resume_unwind(Box::new("out of luck")));
    assert_eq!(ask(), failed("it panicked: out of luck"));
    teller.ends_well();
    assert_eq!(ask(), scored("a"));
    assert_eq!(teller.rebuilt.load(Ordering::SeqCst), 1);

    teller.ends(|_| Err(ModelFault::of_model("the session is lost")));
    assert_eq!(ask(), failed("the session is lost"));
    assert_eq!(ask(), failed("it could not be rebuilt: the file is gone"));
    assert_eq!(ask(), failed("it could not be rebuilt: the file is gone"));
    assert_eq!(teller.rebuilt.load(Ordering::SeqCst), 2, "it is not tried for every question");
    assert_eq!(house.answers("failed"), 6);
}

#[test]
fn one_model_that_hangs_does_not_hold_up_another_that_has_a_thread() {
    let house = House::open(Config { threads: 2, ..Config::default() });
    let ((slow, slow_teller), (quick, quick_teller)) = (told(), told());
    let (slow, quick) = (house.pool.register("slow", slow), house.pool.register("quick", quick));
    let stuck = slow.ask("a", house.within(LONG));
    slow_teller.batch();
    quick_teller.ends_well();
    assert_eq!(quick.ask("b", house.within(LONG)).wait(), scored("b"));
    slow_teller.ends_well();
    assert_eq!(stuck.wait(), scored("a"));
}

#[test]
fn a_shutdown_answers_who_waits_and_lets_a_batch_come_to_its_end() {
    let house = House::open(Config::default());
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let asked = model.ask("a", house.within(LONG));
    teller.batch();
    let waiting = [(); 5].map(|()| model.ask("b", house.within(LONG)));
    teller.ends_well();
    house.pool.shutdown();
    assert_eq!(asked.wait(), scored("a"));
    for pending in waiting {
        let answer = pending.wait();
        // Those whose batch closed before the shutdown came get their scores.
        assert!(answer == Answer::Stopped || answer == scored("b"), "{answer:?}");
    }
    assert_eq!(model.ask("c", house.within(LONG)).wait(), Answer::Stopped);
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_model_that_hangs() {
    let house = House::open(Config::default());
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let asked = model.ask("a", house.within(Duration::from_millis(50)));
    teller.batch();
    house.pool.shutdown();
    assert_eq!(asked.wait(), Answer::Late);
    drop(teller);
}

#[test]
fn a_model_is_let_go_with_its_last_handle_once_it_has_answered() {
    let house = House::open(Config::default());
    let (model, teller) = told();
    let model = house.pool.register("m", model);
    let pending = model.ask("a", house.within(LONG));
    teller.batch();
    drop(model.clone());
    drop(model);
    teller.ends_well();
    assert_eq!(pending.wait(), scored("a"));
    assert!(teller.batches.recv().is_err(), "its end of the channel is gone with it");
}

/// A model that notes whom it scored, and whose batches go in turn as the test wishes.
struct Noting {
    seen: Arc<Mutex<Vec<String>>>,
    moods: Vec<u8>,
    asked: usize,
}

impl SlowModel for Noting {
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault> {
        self.seen.lock().unwrap().extend(texts.iter().map(|text| (*text).to_owned()));
        self.asked += 1;
        match self.moods[self.asked % self.moods.len()] {
            0 => Err(ModelFault::of_batch("no")),
            1 => Err(ModelFault::of_model("no more")),
            2 => std::panic::resume_unwind(Box::new("no!")),
            mood => {
                std::thread::sleep(Duration::from_micros(u64::from(mood) * 20));
                Ok(lengths(texts))
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nobody_is_answered_twice_and_nobody_is_forgotten(
        budgets_us in prop::collection::vec(prop_oneof![0_u64..2_000, 2_000_u64..60_000], 1..120),
        moods in prop::collection::vec(any::<u8>(), 1..8),
        callers in 1_usize..4,
        threads in 1_usize..3,
        (batch_max, queue_max) in (1_usize..9, 1_usize..40),
        is_shut_early in any::<bool>(),
    ) {
        let config = Config { threads, batch_max, queue_max, ..Config::default() };
        let house = House::open(config);
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let model = house.pool.register("m", Box::new(Noting { seen: Arc::clone(&seen), moods, asked: 0 }));
        let answered: Vec<(String, Answer)> = std::thread::scope(|scope| {
            let asking = budgets_us.chunks(budgets_us.len().div_ceil(callers)).enumerate().map(|(caller, budgets)| {
                let (model, house) = (model.clone(), &house);
                scope.spawn(move || {
                    let ask = |(nth, budget): (usize, &u64)| {
                        let text = format!("{caller} {nth}");
                        let pending = model.ask(text.clone(), house.within(Duration::from_micros(*budget)));
                        // Every seventh is taken back.
                        (nth % 7 != 6).then_some((text, pending))
                    };
                    let pending: Vec<_> = budgets.iter().enumerate().filter_map(ask).collect();
                    pending.into_iter().map(|(text, pending)| (text, pending.wait())).collect::<Vec<_>>()
                })
            }).collect::<Vec<_>>();
            if is_shut_early {
                house.pool.shutdown();
            }
            asking.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
        });
        house.pool.shutdown();
        let seen = seen.lock().unwrap();
        let once: BTreeSet<&String> = seen.iter().collect();
        prop_assert_eq!(once.len(), seen.len(), "a text was put to the model twice");
        for (text, answer) in &answered {
            if let Answer::Scored(_) = answer {
                prop_assert!(once.contains(text));
                prop_assert_eq!(answer, &scored(text));
            }
        }
        let counted: u64 = ["scored", "overdue", "late", "shed", "failed", "stopped", "taken_back"]
            .iter().map(|answer| house.answers(answer)).sum();
        prop_assert_eq!(counted, budgets_us.len() as u64, "each question is counted under one answer");
        let scored = answered.iter().filter(|(_, answer)| matches!(answer, Answer::Scored(_))).count() as u64;
        // One that was taken back as it was scored may be counted as either.
        prop_assert!(house.answers("scored") >= scored);
        prop_assert_eq!(house.count("forthwith_inference_waiting"), 0);
    }
}
