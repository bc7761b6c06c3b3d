//! How busy a driver thread is, second by second.

use std::time::Duration;

/// A shorter time says little: the kernel counts by its own ticks on some machines.
const LEAST: Duration = Duration::from_millis(200);

/// The time and the thread's processor time when they were last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort(Option<(Duration, Duration)>);

impl Effort {
    /// For which share of the time since the last look it was busy.
    pub(super) fn since_last(&mut self, time: Duration, busy: Duration) -> Option<f64> {
        let (time_before, busy_before) = self.0.replace((time, busy))?;
        let passed = time.saturating_sub(time_before);
        (passed >= LEAST).then(|| busy.saturating_sub(busy_before).as_secs_f64() / passed.as_secs_f64())
    }

    /// Looks for the first time.
    pub(super) fn begin(&mut self, time: Duration, busy: Duration) {
        self.0.get_or_insert((time, busy));
    }
}

/// Processor time that this thread has taken.
#[cfg(target_os = "linux")]
pub(super) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// It is not known here.
#[cfg(not(target_os = "linux"))]
pub(super) fn processor_time() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_share() {
        let ms = Duration::from_millis;
        let mut effort = Effort::default();
        effort.begin(ms(0), ms(40));
        assert_eq!(effort.since_last(ms(1_000), ms(140)), Some(0.1));
        assert_eq!(effort.since_last(ms(2_000), ms(1_140)), Some(1.0));
        assert_eq!(effort.since_last(ms(2_100), ms(1_240)), None, "too short to tell");
        assert_eq!(effort.since_last(ms(4_100), ms(2_240)), Some(0.5));
    }
}
