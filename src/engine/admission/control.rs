//! The share of what is offered that keeps the delay near its target: a controller without a clock.
//!
//! What waits is an integral: it grows by what is admitted beyond what can be done. A controller that only looks at the delay
//! goes on shedding while what waits is being worked off, and then stands idle; this one looks at how the delay moves as well
//! (as PIE does, RFC 8033), and moves the share by a factor and not by a step, so that it behaves the same whether twice or ten
//! times the capacity is offered.

use std::time::Duration;

/// The controller of one lane.
#[derive(Clone, Debug)]
pub(super) struct Control {
    share: f64,
    /// The delay at the last step, in seconds.
    delay: f64,
}

/// The smallest share: overload beyond this factor is met by the deadlines of what is admitted.
const SHARE_MIN: f64 = 1.0 / 256.0;

/// By what factor the share grows in a second while nothing waits, as its logarithm: from the smallest to everything takes
/// 0.55 s, so that what was shed under any overload is admitted again within a second of its end.
const RECOVERY_PER_SECOND: f64 = 10.0;

/// What a delay is learnt later than it was suffered, beside the delay itself: the time between two steps.
const LAG: f64 = 0.01;

/// How quickly the controller acts, in terms of the lag of what it sees: slow enough not to swing.
const QUICKNESS: f64 = 0.4;

/// The most that one step does, as a logarithm.
const FALL_MAX: f64 = 1.5;
const RISE_MAX: f64 = 0.3;

/// After so long a silence nothing is known.
const SILENCE: Duration = Duration::from_secs(1);

impl Default for Control {
    fn default() -> Self {
        Self { share: 1.0, delay: 0.0 }
    }
}

impl Control {
    /// Learns the delay after some time has passed, and says what share to admit from now on.
    pub(super) fn step(&mut self, passed: Duration, delay: Duration, target: Duration) -> f64 {
        if passed > SILENCE {
            *self = Self::default();
        }
        let (passed, now, target) = (passed.min(SILENCE).as_secs_f64(), delay.as_secs_f64(), target.as_secs_f64());
        let change = if now < target / 2.0 {
            RECOVERY_PER_SECOND * passed
        } else {
            let omega = QUICKNESS / (target + LAG);
            -2.0 * omega * (now - self.delay) - omega * omega * (now - target) * passed
        };
        let change = change.clamp(-FALL_MAX, RISE_MAX);
        // As `exp`, near enough, and without it.
        let factor = if change < 0.0 { 1.0 / (1.0 - change) } else { 1.0 + change };
        self.share = (self.share * factor).clamp(SHARE_MIN, 1.0);
        self.delay = now;
        self.share
    }

    /// The share that is admitted.
    pub(super) fn share(&self) -> f64 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(20);
    const TARGET: Duration = Duration::from_millis(20);

    #[test]
    fn everything_is_admitted_while_the_delay_is_small() {
        let mut control = Control::default();
        for ms in [0, 9, 3, 9, 0] {
            assert_eq!(control.step(STEP, Duration::from_millis(ms), TARGET), 1.0);
        }
    }

    #[test]
    fn a_delay_that_grows_is_answered_before_it_has_reached_the_target() {
        let mut control = Control::default();
        control.step(STEP, Duration::ZERO, TARGET);
        assert!(control.step(STEP, Duration::from_millis(15), TARGET) < 0.9);
    }

    #[test]
    fn the_share_never_falls_to_nothing_and_is_whole_again_within_a_second() {
        let mut control = Control::default();
        for ms in 0..100 {
            control.step(STEP, Duration::from_millis(ms * 50), TARGET);
        }
        assert_eq!(control.share(), SHARE_MIN);
        let steps = (0..50).take_while(|_| control.step(STEP, Duration::ZERO, TARGET) < 1.0).count();
        assert!(steps < 40, "{steps} steps of 20 ms");
    }

    #[test]
    fn after_a_silence_nothing_is_held_against_anyone() {
        let mut control = Control::default();
        (0..50).for_each(|ms| _ = control.step(STEP, Duration::from_millis(ms * 50), TARGET));
        assert_eq!(control.step(Duration::from_secs(2), Duration::ZERO, TARGET), 1.0);
    }
}
