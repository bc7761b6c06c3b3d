//! What an engine in a process of its own does: it serves until its standard input ends.
//!
//! It says where it listens in a line on standard output, and takes orders on standard input, a line each: `fill` and `free` for the
//! disk that its data is on. The driver that started it holds the other end; when that is gone, the engine stops in good order.

use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::path::Path;

use anyhow::Context;
use forthwith::engine::Patrol;
use forthwith::{Config, Doors, Engine};

use super::server::Server;
use crate::args::Serve;

/// What fills the disk, beside the data.
const BALLAST: &str = "ballast";

/// Serves until standard input ends.
pub(crate) fn serve(options: &Serve) -> anyhow::Result<()> {
    let Config { engine, settings } = Config::load(&options.config)?;
    let engine = Engine::start(engine.data(&options.data))?;
    let folder = options.config.clone();
    let doors = Doors::new(engine.clone(), &settings.server).reload_with(move || Config::load_bundle(&folder));
    let server = Server::start(options.port, &settings.server, move |app| doors.configure(app))?;
    // As the `forthwith` command does: what checks itself takes its part of the machine.
    let mut patrol = Patrol::start(engine.clone(), settings.selfcheck).context("cannot start the self-check")?;
    say(&format!("listening {}", server.address))?;
    let ballast = options.data.with_file_name(BALLAST);
    for order in io::stdin().lock().lines() {
        match order.context("cannot read orders")?.as_str() {
            "fill" => say(&format!("filled {}", fill(&ballast)?))?,
            "free" => {
                fs::remove_file(&ballast).with_context(|| format!("cannot remove {}", ballast.display()))?;
                say("freed")?;
            }
            other => anyhow::bail!("`{other}` is no order"),
        }
    }
    server.stop()?;
    patrol.stop();
    let stopped = engine.shutdown()?;
    say(&format!("stopped {}", stopped.last_seq))
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Takes all room that there is; how many bytes that was.
fn fill(ballast: &Path) -> anyhow::Result<u64> {
    let mut file = File::create(ballast).with_context(|| format!("cannot make {}", ballast.display()))?;
    let (mut bytes, mut chunk) = (0, 1 << 20);
    let zeros = vec![0; chunk];
    while chunk >= 512 {
        match file.write(&zeros[..chunk]) {
            Ok(written) if written > 0 => bytes += written as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) => chunk /= 2,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => chunk /= 2,
            Err(error) => return Err(error).context("cannot fill the disk"),
        }
    }
    Ok(bytes)
}
