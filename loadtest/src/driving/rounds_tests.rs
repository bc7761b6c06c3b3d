//! The loop, before doors that are slow, few, or silent.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::Duration;

use forthwith::DecisionId;
use tokio::sync::oneshot;

use super::alarm::block_on;
use super::course::{Course, Share};
use super::door::{Door, Returned};
use super::effort::Effort;
use super::rounds::{Desk, Terms, drive};
use super::tally::{Part, Tally};
use crate::answers::{Answer, Came, Checker, Decided};
use crate::clock::now;
use crate::outcome::Check;
use crate::population::{Outgoing, Stream, Workload};
use crate::scenario::{Scenario, read};

/// What a door does with its calls.
type Conduct = Box<dyn FnMut(u64) -> oneshot::Receiver<()>>;

/// A door with so many lines that answers as it is told.
struct Fake {
    lines: usize,
    made: u64,
    conduct: Conduct,
    /// Whether its answers are decisions.
    decides: bool,
}

impl Door for Fake {
    type Line = ();
    type Heard = ();

    fn line(&mut self) -> Option<()> {
        self.lines = self.lines.checked_sub(1)?;
        Some(())
    }

    fn give_back(&mut self, (): ()) {
        self.lines += 1;
    }

    fn call(&mut self, (): (), _: &Stream, _: &Outgoing) -> impl Future<Output = Returned<(), ()>> + use<> {
        self.made += 1;
        let answer = (self.conduct)(self.made);
        async move {
            let _ = answer.await;
            Returned { line: (), ended: now(), heard: () }
        }
    }

    fn read<T>(&mut self, (): &(), then: impl FnOnce(Came<'_>) -> T) -> T {
        if !self.decides {
            return then(Came::Shed("fake"));
        }
        then(Came::Decided(Decided {
            decision: DecisionId::from_u128(0x8 << 76 | 0b10 << 62),
            customer: "c",
            playbook: "p",
            bundle: "b",
            outcome: "{}",
            tier: "rules",
            fallback: None,
            durability: "memory",
            is_duplicate: false,
            elapsed_us: 1,
        }))
    }
}

/// What was seen: number, due, made, heard, and whether it failed.
#[derive(Default)]
struct Looks(Vec<(u64, Duration, Duration, Duration, bool)>);

impl Checker for Looks {
    fn see(&mut self, answer: &Answer<'_>) {
        let has_failed = matches!(answer.came, Came::Failed { .. });
        self.0.push((answer.sequence, answer.intended, answer.started, answer.ended, has_failed));
    }

    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn checks(self) -> Vec<Check> {
        Vec::new()
    }
}

fn scenario(phase: &str) -> Scenario {
    let text = format!(
        "name = \"t\"\ndescription = \"t\"\ntransport = \"json\"\ngive_up = \"20ms\"\n[population]\nkind = \"uniform\"\n\
         customers = 10\nstart = \"new\"\n[[phases]]\nname = \"p\"\n{phase}"
    );
    read("t.toml", &text, None).unwrap()
}

/// Drives a phase before a door; what its checker saw, what was counted, and the seconds.
fn driven(phase: &str, lines: usize, conduct: Conduct) -> (Looks, Tally, Vec<Part>) {
    let scenario = scenario(phase);
    driven_of(&scenario, Fake { lines, made: 0, conduct, decides: false })
}

fn driven_of(scenario: &Scenario, door: Fake) -> (Looks, Tally, Vec<Part>) {
    let budget = Some(Duration::from_millis(10));
    let workload = Workload::new(scenario, "run".to_owned(), |_| budget).unwrap();
    let (tell, parts) = channel();
    let share = Share { thread: 0, threads: 1, seed: 1, at_a_time: 1 };
    let desk = Desk {
        door,
        course: Course::new(&scenario.phases, share, Vec::new()),
        stream: Stream::new(&workload, 0),
        checker: Looks::default(),
        tally: Tally::new(scenario.phases.len()),
        terms: Terms {
            begin: now() + Duration::from_millis(2),
            thread: 0,
            threads: 1,
            counted: scenario.phases.iter().map(|phase| phase.is_counted).collect(),
            give_up: scenario.give_up,
            timeout: scenario.timeout,
            grace: scenario.grace(),
            only_disk_is_safe: false,
        },
        parts: tell,
        taken: Duration::ZERO,
        under_way: vec![0; scenario.phases.len()],
        effort: Effort::default(),
    };
    let Desk { checker, tally, parts: told, .. } = block_on(|alarm| drive(desk, alarm));
    drop(told);
    (checker, tally, parts.iter().collect())
}

fn at_once() -> oneshot::Receiver<()> {
    let (answer, waiting) = oneshot::channel();
    answer.send(()).unwrap();
    waiting
}

#[test]
fn every_call_is_made_at_its_time_or_later_and_heard_once() {
    let phase = "seconds = 0.2\narrivals = \"constant\"\nrate = 2000";
    let (Looks(mut seen), tally, parts) = driven(phase, 8, Box::new(|_| at_once()));
    seen.sort();
    assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), (0..400).collect::<Vec<_>>());
    for (nth, due, made, heard, _) in &seen {
        assert!((due.as_secs_f64() - *nth as f64 / 2_000.0).abs() < 1e-6, "call {nth} is due at {due:?}");
        assert!(due <= made && made <= heard, "call {nth}: {due:?}, {made:?}, {heard:?}");
    }
    assert_eq!((tally.phases[0].offered, tally.phases[0].shed, tally.lag.count()), (400, 400, 400));
    let of_seconds =
        parts.iter().map(|part| (part.offered, part.shed)).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    assert_eq!(of_seconds, (400, 400), "every call is in a second");
}

#[test]
fn a_call_without_an_answer_holds_up_no_other() {
    // The first is answered when the last is made: in a closed loop of one caller that would be never.
    let phase = "seconds = 0.05\narrivals = \"constant\"\nrate = 2000";
    let first: Rc<RefCell<Option<oneshot::Sender<()>>>> = Rc::default();
    let conduct = move |nth| match nth {
        1 => {
            let (answer, waiting) = oneshot::channel();
            *first.borrow_mut() = Some(answer);
            waiting
        }
        100 => {
            first.borrow_mut().take().unwrap().send(()).unwrap();
            at_once()
        }
        _ => at_once(),
    };
    let (Looks(seen), tally, _) = driven(phase, 1_000, Box::new(conduct));
    assert_eq!((seen.len(), tally.phases[0].offered), (100, 100));
    let place = seen.iter().position(|seen| seen.0 == 0).unwrap();
    assert!(place >= 98, "the first was heard among the last: {place}");
}

#[test]
fn a_call_that_finds_no_line_waits_and_is_given_up_in_the_end() {
    // One line, and who has it keeps it for longer than anyone waits.
    let phase = "seconds = 0.03\narrivals = \"constant\"\nrate = 1000";
    let (tell, told) = channel::<oneshot::Sender<()>>();
    let releases = std::thread::spawn(move || {
        for sender in told {
            std::thread::sleep(Duration::from_millis(150));
            let _ = sender.send(());
        }
    });
    let conduct = move |_| {
        let (answer, waiting) = oneshot::channel();
        tell.send(answer).unwrap();
        waiting
    };
    let (Looks(seen), tally, _) = driven(phase, 1, Box::new(conduct));
    releases.join().unwrap();
    let given_up = seen.iter().filter(|seen| seen.4).count() as u64;
    assert!(given_up > 0, "{seen:?}");
    assert_eq!((tally.phases[0].offered, tally.phases[0].failed + tally.phases[0].shed), (30, 30));
    assert_eq!((tally.phases[0].failed, tally.waited.count()), (given_up, 30 - given_up));
}

#[test]
fn a_closed_loop_has_as_many_calls_under_way_as_callers() {
    let phase = "seconds = 2\narrivals = \"closed\"\ncallers = 3";
    let waiting: Rc<RefCell<Vec<oneshot::Sender<()>>>> = Rc::default();
    // The first three are answered when the third is made, all others at once.
    let conduct = move |nth| {
        if nth > 3 {
            return at_once();
        }
        let (answer, receiver) = oneshot::channel();
        waiting.borrow_mut().push(answer);
        if nth == 3 {
            waiting.borrow_mut().drain(..).for_each(|answer| answer.send(()).unwrap());
        }
        receiver
    };
    let (Looks(seen), tally, _) = driven(phase, 100, Box::new(conduct));
    assert!(seen.len() >= 3, "with fewer than three under way none would ever be answered");
    assert!(seen.iter().all(|(_, due, made, ..)| due == made), "nobody is late in a closed loop: {seen:?}");
    assert_eq!((tally.lag.count(), tally.phases[0].offered), (0, seen.len() as u64));
}

#[test]
fn whoever_waited_for_a_line_is_late_though_the_answer_to_the_call_was_quick() {
    // One line: the first answer comes after a fifth of a second, and all others at once. Budget and grace are 10 ms each.
    let mut scenario = scenario("seconds = 0.05\narrivals = \"constant\"\nrate = 1000");
    scenario.give_up = Duration::from_secs(60);
    scenario.promise.grace = Some(Duration::from_millis(10));
    let conduct = |nth| {
        if nth > 1 {
            return at_once();
        }
        let (answer, waiting) = oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            answer.send(()).unwrap();
        });
        waiting
    };
    let door = Fake { lines: 1, made: 0, conduct: Box::new(conduct), decides: true };
    let (Looks(seen), tally, parts) = driven_of(&scenario, door);
    assert!(seen.iter().all(|(_, due, made, heard, _)| due <= made && made <= heard), "{seen:?}");
    // The last was due at 49 ms and heard after 200 ms: all have waited for over 150 ms.
    let late_in_seconds = parts.iter().map(|part| part.late).sum::<u64>();
    assert_eq!((tally.phases[0].answered, tally.phases[0].in_time, tally.late, late_in_seconds), (50, 0, 50, 50));
}

#[test]
fn lag_and_waiting_are_of_counted_phases_alone() {
    let phases = "seconds = 0.05\narrivals = \"constant\"\nrate = 1000\ncounted = false\n[[phases]]\nname = \"q\"\nseconds = 0.02\n\
                  arrivals = \"constant\"\nrate = 1000";
    let (_, tally, _) = driven(phases, 100, Box::new(|_| at_once()));
    assert_eq!((tally.phases[0].offered, tally.phases[1].offered), (50, 20));
    assert_eq!((tally.lag.count(), tally.waited.count()), (20, 20));
}

#[test]
fn a_call_that_is_never_answered_is_its_own_phases_failure() {
    let phases = "seconds = 0.01\narrivals = \"constant\"\nrate = 1000\ncounted = false\n[[phases]]\nname = \"q\"\nseconds = 0.01\n\
                  arrivals = \"constant\"\nrate = 1000";
    let mut scenario = scenario(phases);
    scenario.timeout = Duration::ZERO;
    let held: Rc<RefCell<Vec<oneshot::Sender<()>>>> = Rc::default();
    let conduct = move |nth| {
        if nth > 2 {
            return at_once();
        }
        let (answer, waiting) = oneshot::channel();
        held.borrow_mut().push(answer);
        waiting
    };
    let door = Fake { lines: 100, made: 0, conduct: Box::new(conduct), decides: true };
    let (_, tally, _) = driven_of(&scenario, door);
    assert_eq!((tally.phases[0].failed, tally.phases[0].answered), (2, 8));
    assert_eq!((tally.phases[1].failed, tally.phases[1].answered), (0, 10));
}
