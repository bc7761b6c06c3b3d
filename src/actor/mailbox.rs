//! A mailbox: what waits for one customer, in its order and within a bound.
//!
//! First come, first served. Who comes when it is full takes the place of the turn that is worth least, if that is worth less:
//! a lower priority, and of the same priority an earlier deadline, for that one is the least likely to be kept. What tells
//! us facts, consents and settlements is worth more than any event. A turn whose caller has been answered already keeps its
//! place, because it must be taken.
//!
//! Below the bound a mailbox costs what a queue costs. When it is full for the first time its turns are sorted by worth, and
//! stay sorted while it is more than half full: a turn that is shed costs a logarithm, not a look at everything that waits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::job::{Claimed, Job, TurnJob, Worth};

/// What waits for one customer.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// By number, ascending.
    jobs: VecDeque<(u64, Job)>,
    next: u64,
    /// Turns by worth, the least first; `None` while there was room. May name turns that have left.
    by_worth: Option<BinaryHeap<Reverse<(Worth, u64)>>>,
}

/// What became of a job that was put into a full or half-full mailbox.
#[derive(Debug)]
pub(super) enum Put {
    /// It waits behind so many.
    Waits(usize),
    /// It waits, and another that was worth less does not any more.
    InPlaceOf(Box<TurnJob>, usize),
    /// There is no room for it.
    Refused,
}

impl Mailbox {
    /// Puts a job behind those that wait, whatever the bound.
    pub(super) fn push(&mut self, job: Job) {
        let nth = self.next;
        self.next += 1;
        if let (Some(by_worth), Some(worth)) = (&mut self.by_worth, job.worth()) {
            by_worth.push(Reverse((worth, nth)));
        }
        self.jobs.push_back((nth, job));
    }

    /// Puts a job behind those that wait, if there are fewer than `bound` or one of them is worth less.
    pub(super) fn put(&mut self, job: Job, bound: usize) -> Put {
        if self.jobs.len() < bound {
            self.push(job);
            return Put::Waits(self.jobs.len() - 1);
        }
        let Some(worth) = job.worth() else { return Put::Refused };
        match self.make_room(worth) {
            Some(place) => {
                self.push(job);
                let ahead = self.jobs.len() - 1;
                place.map_or(Put::Waits(ahead), |shed| Put::InPlaceOf(shed, ahead))
            }
            None => Put::Refused,
        }
    }

    /// Takes the first job.
    pub(super) fn pop(&mut self) -> Option<Job> {
        let (_, job) = self.jobs.pop_front()?;
        if let Some(by_worth) = &self.by_worth
            && self.jobs.len() < by_worth.len() / 2
        {
            self.by_worth = None;
        }
        Some(job)
    }

    /// Takes everything.
    pub(super) fn take(self) -> impl Iterator<Item = Job> + use<> {
        self.jobs.into_iter().map(|(_, job)| job)
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Makes room for something of this worth: removes a turn that was given up, or one that is worth less and is handed
    /// back. `None` if there is neither.
    fn make_room(&mut self, worth: Worth) -> Option<Option<Box<TurnJob>>> {
        let by_worth = self.by_worth.get_or_insert_with(|| {
            let worth = |(nth, job): &(u64, Job)| Some(Reverse((job.worth()?, *nth)));
            self.jobs.iter().filter_map(worth).collect()
        });
        while let Some(Reverse((least, nth))) = by_worth.peek().copied() {
            let place = self.jobs.binary_search_by_key(&nth, |(nth, _)| *nth).ok();
            let turn = place.and_then(|place| match &self.jobs[place].1 {
                Job::Turn(turn) => Some((place, turn)),
                Job::Snapshot(_) | Job::View(_) => None,
            });
            let Some((place, turn)) = turn else {
                by_worth.pop();
                continue;
            };
            let is_shed = match turn.claim.look() {
                Claimed::Waiting if least >= worth => return None,
                // A caller who is answered at this very moment has the turn taken.
                Claimed::Waiting => turn.claim.shed(),
                Claimed::Answered => false,
                Claimed::GivenUp => {
                    by_worth.pop();
                    self.jobs.remove(place);
                    return Some(None);
                }
            };
            by_worth.pop();
            if is_shed && let Some((_, Job::Turn(turn))) = self.jobs.remove(place) {
                return Some(Some(turn));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::sync::oneshot;

    use super::*;
    use crate::actor::job::{Claim, Counted};
    use crate::actor::{InForce, Request};
    use crate::bundle::tests::tiny_bundle;
    use crate::domain::{CustomerId, DecisionId, Settlement, Timestamp};
    use crate::sync::atomic::AtomicUsize;
    use crate::time::{Clock, Deadline};
    use crate::turn::{Input, Readings, SettlementInput};

    /// A turn of a worth, and the claim on it.
    fn turn(bundle: &Arc<InForce>, nth: usize, priority: u8, deadline: u64) -> (Job, Claim) {
        let start = Clock::manual(Timestamp::from_micros(0)).instant();
        let deadline = Deadline::new(start, Duration::from_secs(deadline));
        let decision = DecisionId::from_u128(nth as u128);
        let customer = CustomerId::new("c").unwrap();
        let input = Input::Settlement(SettlementInput { customer, decision, settlement: Settlement::Commit });
        let readings = Readings::at(Timestamp::from_micros(0));
        let request =
            Arc::new(Request { input, readings, bundle: Arc::clone(bundle), deadline, span: tracing::Span::none() });
        let (claim, counted) = (Claim::default(), Counted::new(&Arc::new(AtomicUsize::new(0))));
        let worth = Worth::new(priority, deadline);
        let turn = TurnJob {
            request,
            worth,
            claim: claim.clone(),
            reply: oneshot::channel().0,
            counted,
            queue: tracing::Span::none(),
        };
        (Job::Turn(Box::new(turn)), claim)
    }

    fn nth(job: &TurnJob) -> usize {
        match &job.request.input {
            Input::Settlement(input) => input.decision.to_u128() as usize,
            _ => unreachable!(),
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Put { priority: u8, deadline: u64 },
        Pop,
        Answer(prop::sample::Index),
        GiveUp(prop::sample::Index),
        Snapshot,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0_u8..3, 0_u64..6).prop_map(|(priority, deadline)| Step::Put { priority, deadline }),
            2 => Just(Step::Pop),
            1 => any::<prop::sample::Index>().prop_map(Step::Answer),
            1 => any::<prop::sample::Index>().prop_map(Step::GiveUp),
            1 => Just(Step::Snapshot),
        ]
    }

    /// What a list that is searched from end to end would hold: number, worth, claim; `None` for a snapshot.
    type Naive = Vec<Option<(usize, (u8, u64), Claim, bool)>>;

    /// Where the naive list makes room for a worth; `Err` if nowhere.
    fn place(list: &Naive, worth: (u8, u64)) -> Result<usize, ()> {
        let mut turns: Vec<_> =
            list.iter().enumerate().filter_map(|(at, turn)| turn.as_ref().map(|t| (t.1, t.0, at))).collect();
        turns.sort_unstable();
        for (least, _, at) in turns {
            let (_, _, claim, is_answered) = list[at].as_ref().unwrap();
            match (claim.look(), is_answered) {
                // Its caller waits for nothing, but the event must be kept.
                (Claimed::Answered, true) => {}
                (Claimed::GivenUp, true) => return Ok(at),
                (Claimed::Waiting, false) => return if least < worth { Ok(at) } else { Err(()) },
                other => panic!("{other:?}"),
            }
        }
        Err(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        /// First come, first served; never above the bound; what is shed is what a search of everything would shed.
        #[test]
        fn sheds_what_is_worth_least_and_keeps_the_order(steps in proptest::collection::vec(step(), 0..120)) {
            const BOUND: usize = 5;
            let bundle = Arc::new(InForce::new(Arc::new(tiny_bundle()), 1));
            let (mut mailbox, mut naive) = (Mailbox::default(), Naive::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put { priority, deadline } => {
                        let (job, claim) = turn(&bundle, number, priority, deadline);
                        let expected = if naive.len() < BOUND { None } else { Some(place(&naive, (priority, deadline))) };
                        let put = mailbox.put(job, BOUND);
                        let shed = match expected {
                            Some(Err(())) => {
                                prop_assert!(matches!(put, Put::Refused), "{put:?}");
                                continue;
                            }
                            Some(Ok(at)) => naive.remove(at).filter(|(.., is_answered)| !is_answered),
                            None => None,
                        };
                        naive.push(Some((number, (priority, deadline), claim, false)));
                        match put {
                            Put::Waits(ahead) => prop_assert!(shed.is_none() && ahead == naive.len() - 1),
                            Put::InPlaceOf(turn, _) => prop_assert_eq!(Some(nth(&turn)), shed.map(|shed| shed.0)),
                            Put::Refused => prop_assert!(false, "there was room"),
                        }
                    }
                    Step::Pop => {
                        let expected = if naive.is_empty() { None } else { Some(naive.remove(0)) };
                        let found = mailbox.pop().map(|job| match job {
                            Job::Turn(turn) => Some(nth(&turn)),
                            _ => None,
                        });
                        prop_assert_eq!(found, expected.map(|turn| turn.map(|turn| turn.0)));
                    }
                    Step::Answer(index) if !naive.is_empty() => {
                        let at = index.index(naive.len());
                        if let Some((_, _, claim, is_answered)) = &mut naive[at] {
                            *is_answered |= claim.answer();
                        }
                    }
                    Step::GiveUp(index) if !naive.is_empty() => {
                        let at = index.index(naive.len());
                        if let Some((_, _, claim, is_answered)) = &mut naive[at]
                            && claim.give_up()
                        {
                            *is_answered = true;
                        }
                    }
                    Step::Snapshot if naive.len() < BOUND => {
                        let (reply, _) = crate::sync::mpsc::sync_channel(1);
                        mailbox.push(Job::Snapshot(reply));
                        naive.push(None);
                    }
                    Step::Answer(_) | Step::GiveUp(_) | Step::Snapshot => {}
                }
                prop_assert_eq!(mailbox.len(), naive.len());
                prop_assert!(mailbox.len() <= BOUND);
                prop_assert!(mailbox.by_worth.as_ref().is_none_or(|by_worth| by_worth.len() <= 4 * BOUND));
            }
        }
    }

    #[test]
    fn a_turn_is_claimed_once() {
        let claims: [fn(&Claim) -> bool; 3] = [Claim::answer, Claim::give_up, Claim::shed];
        for (nth, first) in claims.into_iter().enumerate() {
            let claim = Claim::default();
            assert!(first(&claim) && claims.into_iter().all(|other| !other(&claim)));
            assert_eq!(claim.take(), if nth == 0 { Claimed::Answered } else { Claimed::GivenUp });
        }
        assert_eq!(Claim::default().take(), Claimed::Waiting);
    }
}
