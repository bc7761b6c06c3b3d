//! A disk that can be filled without harm: a file system in memory that only the engine's process sees.
//!
//! `unshare` (util-linux) gives the process a mount namespace of its own, and a user namespace where the driver is not root. Where
//! the machine allows neither, nothing is filled: the scenario says that it cannot run.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::CannotRun;

/// Mounts at the first argument, of the size of the second, and becomes what the others say.
const MOUNT: &str = r#"at="$1"; size="$2"; shift 2; mount -t tmpfs -o "size=$size" forthwith-load "$at" && exec "$@""#;

/// How a process is started that sees a small disk.
#[derive(Clone, Debug)]
pub(super) struct SmallDisk {
    options: &'static [&'static str],
    bytes: u64,
}

impl SmallDisk {
    /// Finds a way, or says why there is none.
    pub(super) fn new(bytes: u64, folder: &Path) -> anyhow::Result<Self> {
        let mut said = String::new();
        for options in [&["--user", "--map-root-user", "--mount"][..], &["--mount"]] {
            let disk = Self { options, bytes };
            let tried = disk.command(folder, "true".into()).stdin(Stdio::null()).output();
            match tried {
                Ok(output) if output.status.success() => return Ok(disk),
                Ok(output) => said = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => said = format!("cannot call `unshare` (package util-linux): {error}"),
            }
        }
        let why = format!(
            "it needs a small disk that may be filled, which is made by `unshare` as a file system in memory, and that is refused here \
             ({said}); allow user namespaces, or run it as root"
        );
        Err(CannotRun(why).into())
    }

    /// A command whose process has the disk at this folder.
    pub(super) fn command(&self, folder: &Path, program: OsString) -> Command {
        let mut command = Command::new("unshare");
        command.args(self.options).args(["sh", "-c", MOUNT, "sh"]);
        command.arg(folder).arg(self.bytes.to_string()).arg(program);
        command
    }
}
