//! The threads that the engine cannot do without, and how each shows that it moves.
//!
//! A thread with work of its own in a loop gives a sign of life in passing; one that only serves a queue is asked, through that very
//! queue. The threads that answer HTTP are not among them: who asks for the engine's health is answered by one, or is not.

use tokio::sync::oneshot;

use crate::actor::ActorPulses;
use crate::gateway::Gateway;
use crate::journal::Journal;
use crate::time::{Alarm, Clock, Place, Pulse, Timer};

/// What a look at a thread finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It has moved since the last look, or has no reason to.
    Moved,
    /// It has not, for it waits for the disk.
    AtDisk,
    /// It has not.
    Still,
}

/// A thread that the engine cannot do without.
pub(super) struct Vital {
    pub(super) name: String,
    /// Whether nothing is acknowledged while it waits for the disk.
    pub(super) is_journal: bool,
    pub(super) look: Box<dyn FnMut() -> Sign + Send>,
}

/// What the threads of an engine are found by.
pub(super) struct Anatomy {
    pub(super) journal: Journal,
    pub(super) actors: ActorPulses,
    pub(super) gateway: Gateway,
    pub(super) timer: Timer,
    pub(super) clock: Clock,
}

impl Anatomy {
    /// All of them.
    pub(super) fn vitals(self) -> Vec<Vital> {
        let Self { journal, actors, gateway, timer, clock } = self;
        let keepers = (0..actors.keepers()).map(|nth| keeper(actors.clone(), nth));
        let mut vitals = vec![committer(journal), archivist(actors.clone()), alarms(timer, clock), calls(gateway)];
        vitals.extend(keepers);
        vitals
    }
}

/// What a thread's own sign of life says.
fn sign(pulse: &Pulse, last: &mut u64, has_work: bool) -> Sign {
    let beats = pulse.beats();
    let has_moved = std::mem::replace(last, beats) != beats;
    match pulse.place() {
        _ if has_moved => Sign::Moved,
        Place::Disk => Sign::AtDisk,
        Place::Idle if !has_work => Sign::Moved,
        Place::Idle | Place::Work => Sign::Still,
    }
}

/// The thread that writes the journal. While records wait for it, it has no reason to be idle.
fn committer(journal: Journal) -> Vital {
    let mut last = u64::MAX;
    let look = move || sign(journal.pulse(), &mut last, journal.is_anything_waiting());
    Vital { name: "journal".to_owned(), is_journal: true, look: Box::new(look) }
}

/// A keeper gives a sign of life every second.
fn keeper(actors: ActorPulses, nth: usize) -> Vital {
    let mut last = u64::MAX;
    let look = move || actors.keeper(nth).map_or(Sign::Moved, |pulse| sign(pulse, &mut last, true));
    Vital { name: format!("keeper-{nth}"), is_journal: false, look: Box::new(look) }
}

/// So does the archivist.
fn archivist(actors: ActorPulses) -> Vital {
    let mut last = u64::MAX;
    let look = move || sign(actors.archivist(), &mut last, true);
    Vital { name: "archivist".to_owned(), is_journal: false, look: Box::new(look) }
}

/// The thread that wakes others is asked to wake us at once.
fn alarms(timer: Timer, clock: Clock) -> Vital {
    let mut asked: Option<Alarm> = None;
    let look = move || {
        if asked.as_mut().is_some_and(|alarm| !alarm.has_rung()) {
            return Sign::Still;
        }
        asked = Some(timer.at(clock.instant()));
        Sign::Moved
    };
    Vital { name: "timer".to_owned(), is_journal: false, look: Box::new(look) }
}

/// The thread that calls large models is asked for an answer.
fn calls(gateway: Gateway) -> Vital {
    let mut asked: Option<oneshot::Receiver<()>> = None;
    let look = move || {
        let is_answered = asked.as_mut().is_none_or(|answer| answer.try_recv().is_ok());
        // An answer that is still to come stays the one that is waited for; one that cannot come was never taken on.
        if is_answered || asked.as_ref().is_some_and(oneshot::Receiver::is_terminated) {
            asked = gateway.sign_of_life();
        }
        if is_answered { Sign::Moved } else { Sign::Still }
    };
    Vital { name: "gateway".to_owned(), is_journal: false, look: Box::new(look) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_work_that_is_there_does_not_move() {
        let pulse = Pulse::default();
        let mut last = u64::MAX;
        assert_eq!(sign(&pulse, &mut last, false), Sign::Moved, "the first look");
        assert_eq!(sign(&pulse, &mut last, false), Sign::Still, "at work and nothing done");
        pulse.beat();
        assert_eq!(sign(&pulse, &mut last, false), Sign::Moved);
        let idle = pulse.idle();
        assert_eq!(sign(&pulse, &mut last, true), Sign::Moved, "it has just gone to wait");
        assert_eq!(sign(&pulse, &mut last, true), Sign::Still, "and sleeps on while there is work");
        assert_eq!(sign(&pulse, &mut last, false), Sign::Moved, "there is none: it may");
        drop(idle);
        let _disk = pulse.at_disk();
        assert_eq!(sign(&pulse, &mut last, true), Sign::Moved);
        assert_eq!(sign(&pulse, &mut last, true), Sign::AtDisk);
    }

    #[test]
    fn a_timer_that_rings_moves() {
        let timer = Timer::start(Clock::system()).unwrap();
        let mut vital = alarms(timer, Clock::system());
        assert_eq!((vital.look)(), Sign::Moved);
        // It rings when it is scheduled, and until then it is still: both are looked for.
        while (vital.look)() != Sign::Moved {
            std::thread::yield_now();
        }
    }
}
