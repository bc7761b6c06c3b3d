//! A server of one's own, and what is needed to talk to it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use forthwith::replay::{Limits, Range};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary under test.
pub(crate) fn forthwith() -> Command {
    settled(Command::new(env!("CARGO_BIN_EXE_forthwith")))
}

/// The binary under test on a disk that fails: what exists can be read, and nothing can be written beyond the first pages of a file.
pub(crate) fn forthwith_on_a_failing_disk() -> Command {
    let mut command = Command::new("sh");
    // The signal that would come with the error is ignored.
    command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_forthwith")]);
    settled(command)
}

fn settled(mut command: Command) -> Command {
    command.current_dir(root()).env_remove("RUST_LOG");
    // Small files: a hundred servers start and stop in these tests.
    command.env("FORTHWITH__JOURNAL__SEGMENT_BYTES", "1MiB").env("FORTHWITH__JOURNAL__QUEUE_BYTES", "256KiB");
    // Records are counted in them.
    command.env("FORTHWITH__SELFCHECK__EVERY", "off");
    command
}

/// The repository's root, with the shipped configuration.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command to its end; returns its exit code, standard output and standard error.
pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// What it said before it was ready.
    pub(crate) banner: String,
    stdout: BufReader<std::process::ChildStdout>,
    agent: ureq::Agent,
    data: PathBuf,
    /// Whether what it journaled is replayed when it has ended.
    pub(crate) is_replayed: bool,
}

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Server {
    /// Starts a server with the shipped configuration on a free port.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, |_| {})
    }

    pub(crate) fn start_with(data: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = forthwith();
        change(&mut command);
        Self::start_command(command, data)
    }

    pub(crate) fn start_command(mut command: Command, data: &Path) -> Self {
        command.arg("--data").arg(data).env("FORTHWITH__SERVER__LISTEN", "127.0.0.1:0");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        // The last line of the banner says how to stop.
        while !banner.contains("Ctrl-C") {
            let read = stdout.read_line(&mut banner).unwrap();
            if read == 0 {
                let mut stderr = String::new();
                child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("the server did not start: {banner}{stderr}");
            }
        }
        let address = banner.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        Self { child, address, banner, stdout, agent, data: data.to_owned(), is_replayed: true }
    }

    /// Starts a server and kills it a while later, whatever it is doing by then.
    pub(crate) fn start_and_kill(data: &Path, change: impl FnOnce(&mut Command), delay: Duration) {
        let mut command = forthwith();
        command.arg("--data").arg(data).env("FORTHWITH__SERVER__LISTEN", "127.0.0.1:0");
        change(&mut command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a server by a configuration, with its data beside it.
    pub(crate) fn start_by(config: &Path) -> Self {
        let data = config.parent().unwrap().join("data");
        Self::start_with(&data, |command| _ = command.arg("--config").arg(config))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call()).unwrap()
    }

    /// Gets from a server that may be gone.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        answer(self.agent.get(self.url(path)).call()).ok()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_post(path, headers, body).unwrap()
    }

    /// Posts to a server that may be gone.
    pub(crate) fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.post(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.put(self.url(path)).header("content-type", "application/json");
        answer(request.send(body.to_string().as_bytes())).unwrap()
    }

    /// Puts to a server that may be gone.
    pub(crate) fn try_put(&self, path: &str, body: &Value) -> Result<Answer, ureq::Error> {
        let request = self.agent.put(self.url(path)).header("content-type", "application/json");
        answer(request.send(body.to_string().as_bytes()))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// Waits until the process has ended; returns its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Stops in good order; returns the exit code and what it said last.
    pub(crate) fn stop(mut self) -> (i32, String) {
        self.signal("TERM");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), rest)
    }
}

impl Server {
    /// Stops a server that has something to complain of; returns the exit code and what it said to standard error.
    pub(crate) fn stop_complaining(mut self) -> (i32, String) {
        self.signal("TERM");
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.is_replayed && !std::thread::panicking() {
            replays(&self.data);
        }
    }
}

/// Every turn that is in a data directory comes out again as it was recorded.
pub(crate) fn replays(data: &Path) {
    let replayed = forthwith::replay::replay(data, &Range::default(), &Limits::default(), &mut |_| {});
    let report = replayed.unwrap_or_else(|error| panic!("`{}` cannot be replayed: {error}", data.display()));
    assert!(report.is_same() && report.counts.different_after_gap == 0, "it does not replay: {report:#?}");
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, ureq::Error> {
    let mut response = response?;
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let content_type =
        headers.iter().find(|(name, _)| name == "content-type").map(|(_, v)| v.clone()).unwrap_or_default();
    Ok(Answer {
        status: response.status().as_u16(),
        content_type,
        headers,
        body: response.body_mut().with_config().limit(64 << 20).read_to_vec()?,
    })
}

/// A ticket as a CloudEvent.
pub(crate) fn ticket(id: &str, customer: &str, body: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "helpdesk", "type": "ticket.created", "subject": customer,
        "data": { "subject": "Help", "body": body, "channel": "email" }
    })
}

/// A folder for a test's data.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a configuration of these texts, a playbook by name each, and returns its folder.
pub(crate) fn written_config(folder: &Path, context: &str, playbooks: &[(&str, &str)]) -> PathBuf {
    let config = folder.join("config");
    fs::create_dir_all(config.join("playbooks")).unwrap();
    fs::write(config.join("context.toml"), context).unwrap();
    for (name, playbook) in playbooks {
        fs::write(config.join(format!("playbooks/{name}.toml")), playbook).unwrap();
    }
    config
}

/// A copy of the shipped configuration that a test may change.
pub(crate) fn own_config(folder: &Path) -> PathBuf {
    let to = folder.join("config");
    for subfolder in ["playbooks", "tables", "agents", "models/ticket_queue-1"] {
        fs::create_dir_all(to.join(subfolder)).unwrap();
    }
    let texts = [
        "forthwith.toml",
        "context.toml",
        "playbooks/ticket_routing.toml",
        "tables/ticket_routing.csv",
        "agents/ticket_router.toml",
    ];
    let model = ["manifest.toml", "calibration.csv", "model.bin"].map(|file| format!("models/ticket_queue-1/{file}"));
    for file in texts.map(str::to_owned).into_iter().chain(model) {
        let file = file.as_str();
        fs::copy(root().join("config").join(file), to.join(file)).unwrap();
    }
    to
}
