//! Where it runs.

use std::fs;

use crate::outcome::Machine;

/// This machine, as far as it says.
pub(super) fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let memory_kib = memory.and_then(|text| text.trim_end_matches(" kB").trim().parse::<u64>().ok());
    Machine {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        model: after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        memory_bytes: memory_kib.unwrap_or_default() * 1_024,
        system: format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_optimized: !cfg!(debug_assertions),
    }
}
