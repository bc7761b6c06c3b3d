//! Where it runs.

use std::fs;
use std::hash::BuildHasher;
use std::path::Path;

use foldhash::quality::FixedState;

use crate::outcome::Machine;

/// This machine, as far as it says.
pub(super) fn machine(is_drivers: bool) -> Machine {
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
        is_drivers,
        version: format!("{}{}", env!("CARGO_PKG_VERSION"), build()),
        is_optimized: !cfg!(debug_assertions),
    }
}

/// What tells this build from another one of the same version: of the bytes of the program.
fn build() -> String {
    let bytes = std::env::current_exe().and_then(fs::read);
    bytes.map_or_else(
        |_| String::new(),
        |bytes| format!(" build {:08x}", FixedState::default().hash_one(&bytes[..]) as u32),
    )
}

/// The kind of file system that a folder is on, where the system tells.
pub(super) fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    kind_of(&folder, &fs::read_to_string("/proc/mounts").ok()?)
}

/// The kind of the last of the innermost mounts that hold a folder.
fn kind_of(folder: &Path, mounts: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then_some((at.len(), kind))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_says_what_a_folder_is_on() {
        let mounts = "a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmpx xfs rw 0 0\n";
        assert_eq!(kind_of(Path::new("/tmp/data"), mounts).as_deref(), Some("tmpfs"));
        assert_eq!(kind_of(Path::new("/tmpy"), mounts).as_deref(), Some("ext4"));
        assert_eq!(kind_of(Path::new("/tmpx/1"), mounts).as_deref(), Some("xfs"));
    }
}
