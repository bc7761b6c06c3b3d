//! The protocol of cells and registry by itself, small enough to be tried in every order: callers, someone who puts cells to
//! rest, someone who gives one up. A job adds one to the customer's state and answers with what it has become.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::super::cell::{Cell, Entered, Left, Owner};
use super::super::job::Job;
use super::super::registry::Registry;
use super::super::watch;
use super::premises::bundle;
use crate::context::{CustomerState, Layout};
use crate::domain::{CustomerId, Partition, TenantId};
use crate::sync::Mutex;
use crate::sync::thread;

/// What takes part.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Callers, each on a thread.
    pub callers: usize,
    /// Jobs that each caller hands in, one after the other without waiting for the answer.
    pub jobs: usize,
    /// Whether the customer is in memory when they begin, by a job of its own.
    pub begun: bool,
    /// How often someone puts the customer to rest.
    pub rests: usize,
    /// How often someone takes the customer's cell, if it is idle, and gives it up with all that waits.
    pub abandons: usize,
    /// Jobs that an owner does before it hands the cell to another thread.
    pub drain: usize,
    /// Whether whoever puts the customer to rest makes a mistake that was made on purpose.
    pub mistake: Mistake,
}

/// Mistakes that the checks must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// None.
    None,
    /// The cell leaves the registry before it is out of use.
    ForgetsFirst,
    /// The state is put away after the cell is out of use.
    StoresLast,
    /// The cell is put out of use without a look at who waits.
    LooksAway,
}

type Reply = oneshot::Receiver<Option<Box<CustomerState>>>;

/// A customer, the registry, and a store that holds the one number.
struct Stage {
    registry: Registry,
    customer: CustomerId,
    layout: Arc<Layout>,
    stored: Mutex<u64>,
    cast: Cast,
}

/// What the customers' states are made of. Made once: it takes longer than a run.
pub fn layout() -> Arc<Layout> {
    Arc::clone(bundle().layout())
}

/// One run, in the order that the scheduler chooses. Returns how often the customer was activated.
pub fn play(cast: Cast, layout: &Arc<Layout>) -> usize {
    watch::begin();
    let stage = Arc::new(Stage {
        registry: Registry::default(),
        customer: CustomerId::new("c").unwrap(),
        layout: Arc::clone(layout),
        stored: Mutex::new(0),
        cast,
    });
    let mut answers = vec![if cast.begun { vec![answer(stage.hand_in())] } else { Vec::new() }];
    let callers: Vec<_> = (0..cast.callers).map(|_| thread::spawn(with(&stage, Stage::call))).collect();
    let resting = (cast.rests > 0).then(|| thread::spawn(with(&stage, Stage::rest)));
    let abandoning = (cast.abandons > 0).then(|| thread::spawn(with(&stage, Stage::abandon)));
    answers.extend(callers.into_iter().map(|caller| caller.join().unwrap()));
    resting.into_iter().chain(abandoning).for_each(|thread| thread.join().unwrap());
    stage.check(&answers);
    watch::end()
}

fn with<T>(stage: &Arc<Stage>, act: fn(&Stage) -> T) -> impl FnOnce() -> T + use<T> {
    let stage = Arc::clone(stage);
    move || act(&stage)
}

impl Stage {
    /// A caller: all its jobs, then all their answers.
    fn call(&self) -> Vec<Option<u64>> {
        let replies: Vec<Reply> = (0..self.cast.jobs).map(|_| self.hand_in()).collect();
        replies.into_iter().map(answer).collect()
    }

    fn hand_in(&self) -> Reply {
        let (reply, received) = oneshot::channel();
        let mut job = Job::View(reply);
        loop {
            let vacant = || Cell::loading(self.customer.clone(), Partition::of(&TenantId::default(), "c"));
            let cell = match self.registry.find_or_enter(&self.customer, vacant) {
                Ok(cell) => cell,
                Err(loading) => {
                    loading.push(job);
                    loading.install(self.load());
                    self.drive(loading);
                    return received;
                }
            };
            match cell.enter(job, usize::MAX) {
                Entered::Owner(owner, job) => {
                    owner.push(job);
                    self.drive(owner);
                    return received;
                }
                Entered::Queued(..) => return received,
                Entered::Full => panic!("the mailbox has no bound"),
                Entered::Gone(back) => {
                    self.registry.forget(&cell);
                    job = back;
                }
            }
        }
    }

    /// Does what waits, share by share.
    fn drive(&self, mut owner: Owner) {
        while let Left::More(more) = owner.leave(self.cast.drain, |owner, job| self.perform(owner, job)) {
            owner = more;
        }
    }

    fn perform(&self, owner: &Owner, job: Job) -> ControlFlow<()> {
        let mut state = owner.state();
        let state = state.as_mut().unwrap();
        state.last_seq += 1;
        if let Job::View(reply) = job {
            let _ = reply.send(Some(Box::new(state.clone())));
        }
        ControlFlow::Continue(())
    }

    fn load(&self) -> CustomerState {
        let mut state = CustomerState::new(Arc::clone(&self.layout));
        state.last_seq = *self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        state
    }

    fn store(&self, last_seq: u64) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = last_seq;
    }

    /// Puts the customer to rest as the archive does: stored first, then out of use, then out of the registry.
    fn rest(&self) {
        for _ in 0..self.cast.rests {
            let Some(owner) = self.registry.find(&self.customer).and_then(|cell| cell.try_own()) else { continue };
            let last_seq = owner.state().as_ref().unwrap().last_seq;
            match self.cast.mistake {
                Mistake::ForgetsFirst => self.registry.forget(owner.cell()),
                Mistake::StoresLast => {}
                _ => self.store(last_seq),
            }
            let retired = match self.cast.mistake {
                Mistake::LooksAway => Ok(owner.abandon().0),
                _ => owner.retire(),
            };
            match retired {
                Ok(gone) => {
                    if self.cast.mistake == Mistake::StoresLast {
                        self.store(last_seq);
                    }
                    self.registry.forget(&gone);
                }
                Err(owner) => self.drive(owner),
            }
        }
    }

    /// Gives the cell up as a keeper does that cannot read a state: all that waits is turned away.
    fn abandon(&self) {
        for _ in 0..self.cast.abandons {
            let Some(owner) = self.registry.find(&self.customer).and_then(|cell| cell.try_own()) else { continue };
            let last_seq = owner.state().as_ref().unwrap().last_seq;
            self.store(last_seq);
            let (gone, jobs) = owner.abandon();
            self.registry.forget(&gone);
            drop(jobs);
        }
    }

    /// Every job was done once, in the order of its caller, and none between two others was lost.
    fn check(&self, answers: &[Vec<Option<u64>>]) {
        for answers in answers {
            let done: Vec<u64> = answers.iter().flatten().copied().collect();
            assert!(done.is_sorted(), "a caller's jobs were done in another order: {answers:?}");
        }
        let mut done: Vec<u64> = answers.iter().flatten().flatten().copied().collect();
        done.sort_unstable();
        let expected: Vec<u64> = (1..=done.len() as u64).collect();
        assert_eq!(done, expected, "a job was lost or done twice");
        if self.cast.abandons == 0 {
            let asked = self.cast.callers * self.cast.jobs + usize::from(self.cast.begun);
            assert_eq!(done.len(), asked, "a job was not answered");
        }
    }
}

/// What the state had become; nothing for a job that was turned away.
fn answer(reply: Reply) -> Option<u64> {
    shuttle::future::block_on(reply).ok().flatten().map(|state| state.last_seq)
}
