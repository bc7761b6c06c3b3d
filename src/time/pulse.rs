//! A thread's sign of life, for whoever watches whether it moves.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What a thread says of itself in passing: that it moves, or why it need not. One thread gives the signs, any may read them. A sign
/// costs two stores.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    place: AtomicU8,
}

/// Where a thread is when nothing is heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its own work: it must move.
    Work,
    /// Waiting for work.
    Idle,
    /// In a call to the disk, which takes as long as the disk does.
    Disk,
}

/// A thread is elsewhere until this is dropped, also by a panic.
#[derive(Debug)]
pub struct Elsewhere<'a> {
    pulse: &'a Pulse,
    /// Where the thread goes back to.
    before: u8,
}

impl Pulse {
    /// The thread moves.
    #[inline]
    pub fn beat(&self) {
        // One thread gives the signs, so nothing is lost between the two.
        let beats = self.beats.load(Ordering::Relaxed);
        self.beats.store(beats.wrapping_add(1), Ordering::Release);
    }

    /// The thread waits for work until what is returned is dropped.
    pub fn idle(&self) -> Elsewhere<'_> {
        self.go(Place::Idle)
    }

    /// The thread is at the disk until what is returned is dropped.
    pub fn at_disk(&self) -> Elsewhere<'_> {
        self.go(Place::Disk)
    }

    /// That of a thread which there is not.
    pub fn ended() -> Self {
        let pulse = Self::default();
        pulse.end();
        pulse
    }

    /// The thread has come to its end in good order, and moves no more.
    pub fn end(&self) {
        self.place.store(Place::Idle as u8, Ordering::Release);
    }

    fn go(&self, place: Place) -> Elsewhere<'_> {
        self.beat();
        Elsewhere { pulse: self, before: self.place.swap(place as u8, Ordering::AcqRel) }
    }

    /// How often the thread has moved. Two looks that find the same found it at rest.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Acquire)
    }

    /// Where the thread is.
    pub fn place(&self) -> Place {
        match self.place.load(Ordering::Acquire) {
            of if of == Place::Idle as u8 => Place::Idle,
            of if of == Place::Disk as u8 => Place::Disk,
            _ => Place::Work,
        }
    }
}

impl Drop for Elsewhere<'_> {
    fn drop(&mut self) {
        self.pulse.place.store(self.before, Ordering::Release);
        self.pulse.beat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_at_work_unless_it_says_otherwise() {
        let pulse = Pulse::default();
        assert_eq!((pulse.place(), pulse.beats()), (Place::Work, 0));
        pulse.beat();
        assert_eq!(pulse.beats(), 1);
        let before = pulse.beats();
        let disk = pulse.at_disk();
        assert_eq!(pulse.place(), Place::Disk);
        drop(disk);
        assert_eq!(pulse.place(), Place::Work);
        assert!(pulse.beats() > before, "coming back is a move");
    }

    #[test]
    fn a_panic_at_the_disk_leaves_the_thread_at_work() {
        let pulse = std::sync::Arc::new(Pulse::default());
        let of_thread = std::sync::Arc::clone(&pulse);
        let thread = std::thread::spawn(move || {
            let _disk = of_thread.at_disk();
            panic!("as a test wants it");
        });
        assert!(thread.join().is_err());
        assert_eq!(pulse.place(), Place::Work);
    }
}
