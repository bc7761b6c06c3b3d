//! What the engine takes of the machine, once a second, as the kernel says.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::outcome::Usage;

/// Ticks a second in which `/proc` counts: 100 on every Linux that is in use.
const TICKS: f64 = 100.0;

/// Reads what a process takes.
#[derive(Debug)]
pub(crate) struct Meter {
    /// The process; 0 for none that can be looked at.
    process: Arc<AtomicU32>,
    /// Which process it was the last time, when, and its processor time then.
    last: Option<(u32, Instant, f64)>,
}

impl Meter {
    pub(super) fn new(process: Arc<AtomicU32>) -> Self {
        Self { process, last: None }
    }

    /// What it has taken since the last time, and what it holds.
    pub(crate) fn read(&mut self, at: Duration) -> Option<Usage> {
        let process = self.process.load(Ordering::Acquire);
        if process == 0 {
            return None;
        }
        let time = now();
        let folder = format!("/proc/{process}");
        let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
        // The name in brackets may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |nth: usize| fields.get(nth).and_then(|field| field.parse::<f64>().ok());
        let busy = (number(11)? + number(12)?) / TICKS;
        let status = fs::read_to_string(format!("{folder}/status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident_kib: u64 = resident.trim().trim_end_matches(" kB").trim().parse().ok()?;
        let processors = match self.last {
            Some((known, since, before)) if known == process => {
                (busy - before) / (time - since).as_secs_f64().max(0.001)
            }
            // Another process, which was started since: all that it took, its recovery too.
            Some((_, since, _)) => busy / (time - since).as_secs_f64().max(0.001),
            None => 0.0,
        };
        self.last = Some((process, time, busy));
        Some(Usage {
            at_s: at.as_secs_f64(),
            processors: processors.max(0.0),
            resident_bytes: resident_kib * 1_024,
            open_files: fs::read_dir(format!("{folder}/fd")).map_or(0, |files| files.count() as u64),
            threads: number(17)? as u64,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_takes_is_read() {
        let mut meter = Meter::new(Arc::new(AtomicU32::new(std::process::id())));
        let usage = meter.read(Duration::from_secs(3)).unwrap();
        assert!(usage.resident_bytes > 100_000 && usage.open_files >= 3 && usage.threads >= 1, "{usage:?}");
        assert_eq!((usage.at_s, usage.processors), (3.0, 0.0));
        let _held: Vec<fs::File> = (0..20).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        assert!(meter.read(Duration::from_secs(4)).unwrap().open_files >= 20);
        // A process that was not there the last time: what it has taken is of the time since.
        let mut restarted = Meter::new(Arc::new(AtomicU32::new(std::process::id())));
        restarted.last = Some((u32::MAX, now(), 0.0));
        // As the meter reads it.
        let has_taken_any = || {
            let stat = fs::read_to_string("/proc/self/stat").unwrap();
            let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
            fields[11..13].iter().any(|field| *field != "0")
        };
        while !has_taken_any() {}
        assert!(restarted.read(Duration::from_secs(5)).unwrap().processors > 0.0);
        assert!(Meter::new(Arc::default()).read(Duration::ZERO).is_none());
    }
}
