//! wrk, its script and what it says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use super::Seen;
use crate::population::Sample;

/// What begins the line in which our script says what wrk has measured.
const MARK: &str = "measured:";

/// How wrk is called; `FORTHWITH_WRK` names another.
const PROGRAM: &str = "wrk";

/// wrk, as it is installed here.
#[derive(Clone, Debug)]
pub(super) struct Wrk {
    program: String,
    /// What it calls itself.
    pub(super) version: String,
}

/// What wrk is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    pub(super) address: SocketAddr,
    pub(super) path: &'a str,
    pub(super) samples: &'a [Sample],
    pub(super) customers: u64,
    pub(super) connections: usize,
    pub(super) threads: usize,
    pub(super) seconds: u64,
    /// What the ids begin with.
    pub(super) run: &'a str,
}

impl Wrk {
    /// Finds it; an error says how to get it.
    pub(super) fn find() -> anyhow::Result<Self> {
        let program = std::env::var("FORTHWITH_WRK").unwrap_or_else(|_| PROGRAM.to_owned());
        let said = Command::new(&program).arg("-v").output();
        let Ok(said) = said else {
            bail!(
                "`{program}` cannot be run, and it is what our driver is checked against: install it (`apt install wrk` on Debian and \
                 Ubuntu, `brew install wrk` on macOS, or from https://github.com/wg/wrk), or name it in FORTHWITH_WRK"
            );
        };
        // It says its version with the exit code of a wrong call.
        let text = [said.stdout, said.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let version = text.lines().find(|line| line.contains("wrk") && !line.contains("Usage"));
        let version = version.and_then(|line| line.split(" Copyright").next());
        let version = version.with_context(|| format!("`{program} -v` does not say that it is wrk: {text}"))?;
        Ok(Self { program, version: version.trim().to_owned() })
    }

    /// Has it call, and reads what it has measured.
    pub(super) fn measure(&self, job: Job<'_>) -> anyhow::Result<Seen> {
        let mut script = NamedTempFile::with_suffix(".lua").context("cannot write a script for wrk")?;
        script.write_all(lua(&job).as_bytes())?;
        script.flush()?;
        let url = format!("http://{}{}", job.address, job.path);
        let threads = job.threads.clamp(1, job.connections.max(1));
        let output = Command::new(&self.program)
            .args(["--timeout", "60s", "-t", &threads.to_string(), "-c", &job.connections.to_string()])
            .args(["-d", &format!("{}s", job.seconds), "-s"])
            .arg(script.path())
            .arg(&url)
            .output()
            .with_context(|| format!("cannot run {}", self.program))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{} ended with {}: {said}{complaint}", self.program, output.status);
        }
        read(&said)
    }
}

/// Reads the line that our script has wrk print.
fn read(said: &str) -> anyhow::Result<Seen> {
    let line = said.lines().find_map(|line| line.strip_prefix(MARK));
    let line = line.with_context(|| format!("wrk did not print the line `{MARK} …` that its script is for: {said}"))?;
    let number = |name: &str| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let number = value.and_then(|value| value.parse::<f64>().ok());
        number.with_context(|| format!("the line of wrk's script has no number `{name}`: {line}"))
    };
    let seconds = number("duration_us")? / 1e6;
    let failed = number("refused")? + number("broken")?;
    Ok(Seen {
        calls_per_second: (number("requests")? - number("refused")?) / seconds.max(f64::MIN_POSITIVE),
        mean_us: number("mean_us")?,
        p50_us: number("p50_us")?,
        p99_us: number("p99_us")?,
        max_us: number("max_us")?,
        failed: failed as u64,
    })
}

/// A script that sends events with ids and customers of their own, and prints one line in the end.
fn lua(job: &Job<'_>) -> String {
    let mut events = String::new();
    for Sample { kind, text, .. } in job.samples {
        let rest = format!(r#","source":"load","type":{},"data":{text}}}"#, serde_json::Value::from(kind.as_str()));
        let _ = writeln!(events, "  {},", quoted(&rest));
    }
    let Job { run, customers, .. } = job;
    format!(
        r#"-- Written by forthwith-load: events as its own driver sends them.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local events = {{
{events}}}
local headers = {{ ["Content-Type"] = "application/json" }}
local sent = 0

function init(args)
  math.randomseed(1000 + number)
end

function request()
  sent = sent + 1
  local customer = math.random(0, {customers} - 1)
  local head = string.format('{{"specversion":"1.0","id":"{run}-%d-%d","subject":"customer-%08d"', number, sent, customer)
  return wrk.format("POST", nil, headers, head .. events[sent % #events + 1])
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("{MARK} duration_us=%d requests=%d refused=%d broken=%d mean_us=%.3f p50_us=%d p99_us=%d max_us=%d\n",
    summary.duration, summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency.mean, latency:percentile(50.0), latency:percentile(99.0), latency.max))
end
"#
    )
}

/// A text in Lua.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\0' => quoted.push_str("\\0"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_prints_is_read() {
        let said = "Running 1s test\nmeasured: duration_us=2000000 requests=1010 refused=10 broken=2 mean_us=12.500 p50_us=11 p99_us=40 max_us=90\n";
        let seen = read(said).unwrap();
        assert_eq!((seen.calls_per_second, seen.mean_us, seen.p99_us, seen.failed), (500.0, 12.5, 40.0, 12));
        assert!(read("Running 1s test").unwrap_err().to_string().contains("did not print"));
        assert!(read("measured: duration_us=1").unwrap_err().to_string().contains("`refused`"));
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("a \"b\" \\ ü\n"), r#""a \"b\" \\ ü\n""#);
    }
}
