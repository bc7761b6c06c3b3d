//! What the program takes of the machine: processor time, memory, open files. Read from `/proc` when the page is scraped; where
//! there is none, there are no such series.
//!
//! The names are those that Prometheus' own libraries use, so that dashboards made for any program work for this one.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Gauge, Level, Registry, Sum};

/// Ticks of the kernel's accounts in a second: fixed for programs, whatever the kernel itself counts in.
const TICKS: f64 = 100.0;

/// What the program takes of the machine.
#[derive(Clone, Debug)]
pub struct Footprint(Option<Gauges>);

#[derive(Clone, Debug)]
struct Gauges {
    /// Held by whoever reads: two pages at once would count the same seconds twice.
    reading: Arc<Mutex<()>>,
    cpu_seconds: Sum,
    resident_bytes: Gauge,
    virtual_bytes: Gauge,
    open_files: Gauge,
    open_files_max: Gauge,
    threads: Gauge,
    start_seconds: Level,
}

/// What `/proc/self/stat` says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Account {
    cpu_seconds: f64,
    threads: i64,
    /// After the machine's own start.
    started_seconds: f64,
    virtual_bytes: i64,
}

impl Footprint {
    /// Declares the series, where there is something to be read.
    pub fn new(registry: &Registry) -> Self {
        let is_readable = Path::new("/proc/self/stat").exists();
        Self(is_readable.then(|| Gauges::new(registry)))
    }

    /// Reads how things stand. Some six small reads, no disk.
    pub fn read(&self) {
        let Some(gauges) = &self.0 else { return };
        let _reading = gauges.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |name: &str| fs::read_to_string(Path::new("/proc").join(name)).ok();
        if let Some(account) = text("self/stat").as_deref().and_then(Account::parse) {
            gauges.cpu_seconds.add(account.cpu_seconds - gauges.cpu_seconds.get());
            gauges.threads.set(account.threads);
            gauges.virtual_bytes.set(account.virtual_bytes);
            if let Some(boot) = text("stat").as_deref().and_then(boot_seconds) {
                gauges.start_seconds.set(boot + account.started_seconds);
            }
        }
        if let Some(kilobytes) = text("self/status").as_deref().and_then(|text| number_after(text, "VmRSS:")) {
            gauges.resident_bytes.set(kilobytes * 1024);
        }
        if let Some(max) = text("self/limits").as_deref().and_then(|text| number_after(text, "Max open files")) {
            gauges.open_files_max.set(max);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            gauges.open_files.set(files.count() as i64 - 1);
        }
    }
}

impl Gauges {
    fn new(registry: &Registry) -> Self {
        Self {
            reading: Arc::default(),
            cpu_seconds: registry.sum(
                "process_cpu_seconds_total",
                (
                    "Processor time that the program has used, in user mode and in the kernel, in seconds.",
                    "Its rate is the number of busy cores; near that of the machine, or of the container's share, the engine is at its \
                     limit.",
                ),
            ),
            resident_bytes: registry.gauge(
                "process_resident_memory_bytes",
                (
                    "Memory that the program holds, in bytes.",
                    "Look when it grows while `forthwith_hot_bytes` and `forthwith_warm_bytes` do not.",
                ),
            ),
            virtual_bytes: registry
                .gauge("process_virtual_memory_bytes", "Addresses that the program has reserved, in bytes."),
            open_files: registry.gauge(
                "process_open_fds",
                ("Files and connections that the program has open.", "Look when it nears `process_max_fds`."),
            ),
            open_files_max: registry
                .gauge("process_max_fds", "How many files and connections the program may have open."),
            threads: registry.gauge("process_threads", "Threads of the program."),
            start_seconds: registry.level(
                "process_start_time_seconds",
                (
                    "When the program was started, in seconds since 1970.",
                    "A change is a restart: every counter began at zero then.",
                ),
            ),
        }
    }
}

impl Account {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in brackets, which may have spaces and brackets itself.
        let rest: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |nth: usize| rest.get(nth - 3)?.parse::<i64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS,
            threads: field(20)?,
            started_seconds: field(22)? as f64 / TICKS,
            virtual_bytes: field(23)?,
        })
    }
}

/// When the machine was started.
fn boot_seconds(text: &str) -> Option<f64> {
    number_after(text, "btime").map(|seconds| seconds as f64)
}

/// The number after a word that begins a line.
fn number_after(text: &str, word: &str) -> Option<i64> {
    text.lines().find_map(|line| line.strip_prefix(word))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_whatever_the_program_is_called() {
        let text = "42 (a) b) S 1 2 3 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 7 0 123450 8192000 300 184467 1 1";
        let account = Account { cpu_seconds: 2.0, threads: 7, started_seconds: 1234.5, virtual_bytes: 8_192_000 };
        assert_eq!(Account::parse(text), Some(account));
        assert_eq!(Account::parse("42 (a) S 1"), None);
        assert_eq!(boot_seconds("cpu  1 2 3\nbtime 1700000000\n"), Some(1_700_000_000.0));
        let limits = "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(number_after(limits, "Max open files"), Some(1024));
        assert_eq!(number_after("Max open files   unlimited", "Max open files"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_program_has_a_footprint() {
        let registry = Registry::default();
        let footprint = Footprint::new(&registry);
        footprint.read();
        footprint.read();
        let page = registry.render();
        let number = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is not on the page:\n{page}")).parse().unwrap()
        };
        assert!(number("process_resident_memory_bytes") > 1e5);
        assert!(number("process_virtual_memory_bytes") >= number("process_resident_memory_bytes"));
        assert!(number("process_open_fds") >= 1.0);
        assert!(number("process_max_fds") >= number("process_open_fds"));
        assert!(number("process_threads") >= 1.0);
        assert!(number("process_start_time_seconds") > 1.6e9);
        assert!(number("process_cpu_seconds_total") >= 0.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_at_once_do_not_count_the_same_seconds_twice() {
        let registry = Registry::default();
        let footprint = Footprint::new(&registry);
        let gauges = footprint.0.as_ref().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_000).for_each(|_| footprint.read()));
            }
        });
        let account = Account::parse(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        let counted = gauges.cpu_seconds.get();
        assert!(counted > 0.0 && counted < account.cpu_seconds + 0.5 / TICKS, "{counted} of {}", account.cpu_seconds);
    }
}
