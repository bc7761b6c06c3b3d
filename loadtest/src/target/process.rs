//! An engine in a process of its own: this binary, called with a hidden command.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail};

use super::folder::Folder;
use super::small_disk::SmallDisk;

/// How long it may take to start, or to do what it is told. Reading back a long journal takes its time.
const PATIENCE: Duration = Duration::from_secs(300);

/// An engine in a process of its own.
#[derive(Debug)]
pub(super) struct Process {
    plan: Plan,
    running: Running,
}

/// How it is started, again and again.
#[derive(Debug)]
struct Plan {
    config: PathBuf,
    data: PathBuf,
    settings: Vec<(String, String)>,
    disk: Option<SmallDisk>,
}

/// A process that runs.
#[derive(Debug)]
struct Running {
    child: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Process {
    /// Starts an engine on a configuration folder, with its data in another, and waits until it listens.
    pub(super) fn start(folder: &Folder, data: &Path, disk: Option<SmallDisk>) -> anyhow::Result<Self> {
        let plan = Plan {
            config: folder.path().to_owned(),
            data: data.to_owned(),
            settings: folder.settings().to_vec(),
            disk,
        };
        let running = plan.start(0)?;
        Ok(Self { plan, running })
    }

    pub(super) fn has_small_disk(&self) -> bool {
        self.plan.disk.is_some()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.address
    }

    pub(super) fn id(&self) -> u32 {
        self.running.child.id()
    }

    /// Kills it as nothing else does, and starts it again on the same data and port.
    pub(super) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.running.child.kill().context("cannot kill the engine")?;
        self.running.child.wait()?;
        self.running = self.plan.start(self.running.address.port())?;
        Ok(())
    }

    /// Stops it in good order and starts it again; the last record.
    pub(super) fn stop_and_restart(&mut self) -> anyhow::Result<u64> {
        let last = self.running.stop()?;
        self.running = self.plan.start(self.running.address.port())?;
        Ok(last)
    }

    /// Fills the disk or frees it; what it says.
    pub(super) fn order(&mut self, order: &str) -> anyhow::Result<String> {
        let orders = self.running.orders.as_mut().context("the engine takes no orders any more")?;
        writeln!(orders, "{order}").context("the engine takes no orders any more")?;
        self.running.line()
    }

    /// Stops it in good order; the last record.
    pub(super) fn stop(mut self) -> anyhow::Result<u64> {
        self.running.stop()
    }
}

impl Plan {
    fn start(&self, port: u16) -> anyhow::Result<Running> {
        let program: OsString = std::env::current_exe().context("cannot find this program")?.into();
        let mut command = match &self.disk {
            Some(disk) => disk.command(self.data.parent().unwrap_or(&self.data), program),
            None => Command::new(program),
        };
        command.arg("serve").arg("--config").arg(&self.config).arg("--data").arg(&self.data);
        command.args(["--port", &port.to_string()]);
        command
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().context("cannot start a process for the engine")?;
        let (told, lines) = channel();
        let out = child.stdout.take().context("the engine has no output")?;
        std::thread::Builder::new().name("engine-output".to_owned()).spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        })?;
        let orders = child.stdin.take();
        let mut running = Running { child, orders, lines, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        let line = running.line().context("the engine did not start")?;
        let address = line.strip_prefix("listening ").and_then(|address| address.parse().ok());
        running.address = address.with_context(|| format!("the engine said `{line}` in place of where it listens"))?;
        Ok(running)
    }
}

impl Running {
    /// What it says next.
    fn line(&mut self) -> anyhow::Result<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("the engine says nothing for {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the engine has ended: {}", self.child.wait()?),
        }
    }

    fn stop(&mut self) -> anyhow::Result<u64> {
        drop(self.orders.take());
        let line = self.line().context("the engine did not stop in good order")?;
        let ended = self.child.wait()?;
        let last = line.strip_prefix("stopped ").and_then(|last| last.parse().ok());
        match last {
            Some(last) if ended.success() => Ok(last),
            _ => bail!("the engine did not stop in good order: it said `{line}` and ended with {ended}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever went wrong, nothing is left behind.
        if self.orders.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
