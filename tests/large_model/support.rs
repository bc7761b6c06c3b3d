//! The folder that `prepare` made, and the server that runs from it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

/// How long a server may take to be ready; on a quiet machine it takes two seconds.
const START_MAX: Duration = Duration::from_secs(120);
/// How often it is asked whether it is.
const ASKED_EVERY: Duration = Duration::from_millis(100);

/// A server with a model of its own kind, on a free port.
pub(crate) struct Server {
    /// As in `http://127.0.0.1:40857`.
    address: String,
    agent: ureq::Agent,
    child: Child,
    /// The server ends when this is closed: with the test, however that ends.
    _open: ChildStdin,
}

/// A response, with the status that it had.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) keep_alive: Option<String>,
    pub(crate) body: Value,
}

impl Server {
    /// The server that all tests of the run share; none where no folder is named.
    #[allow(clippy::print_stderr, reason = "who runs the tests should know that these did nothing")]
    pub(crate) fn find() -> Option<&'static Self> {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let Some(folder) = std::env::var_os("FORTHWITH_LARGE_MODEL_FOLDER") else {
            eprintln!(
                "SKIPPED: run `tests/large_model/prepare target/large_model` and set \
                 FORTHWITH_LARGE_MODEL_FOLDER=target/large_model to test with llama.cpp's server and a real model"
            );
            return None;
        };
        // Relative to the package, wherever the test was started.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        Some(SERVER.get_or_init(|| Self::start(&folder)))
    }

    fn start(folder: &Path) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/large_model/serve.py");
        let mut command = Command::new(folder.join("venv/bin/python"));
        command.arg("-B").arg(script).arg(folder.join("model.gguf"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let started = command.spawn();
        let mut child = started.unwrap_or_else(|e| panic!("{}: {e}; run tests/large_model/prepare", folder.display()));
        let open = child.stdin.take().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("http://127.0.0.1:"), "the server gave no address but {address:?}");
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(START_MAX)).build();
        let server = Self { address: address.trim().to_owned(), agent: config.into(), child, _open: open };
        server.wait();
        server
    }

    fn wait(&self) {
        let tries = START_MAX.as_millis() / ASKED_EVERY.as_millis();
        for _ in 0..tries {
            if self.agent.get(format!("{}/health", self.address)).call().is_ok_and(|health| health.status() == 200) {
                return;
            }
            std::thread::sleep(ASKED_EVERY);
        }
        panic!("the server at {} is not ready after {START_MAX:?}", self.address);
    }

    /// What an OpenAI client is given as its base.
    pub(crate) fn base_url(&self) -> String {
        format!("{}/v1", self.address)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.agent.post(format!("{}{path}", self.address)).header("content-type", "application/json");
        let mut response = request.send(body.to_string()).unwrap();
        let keep_alive = response.headers().get("keep-alive").map(|value| value.to_str().unwrap().to_owned());
        let text = response.body_mut().read_to_string().unwrap();
        Response {
            status: response.status().as_u16(),
            keep_alive,
            body: serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")),
        }
    }

    /// Asks for the queue of a ticket, in the form that `schema` gives.
    pub(crate) fn ask(&self, ticket: &str, schema: &Value, tokens: u32) -> Response {
        let body = json!({
            "model": "gemma-3-270m",
            "messages": [
                {"role": "system", "content": "Route the ticket to the queue of those who can help."},
                {"role": "user", "content": ticket},
            ],
            "max_tokens": tokens,
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}},
        });
        self.post("/v1/chat/completions", &body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Response {
    /// What the model said.
    pub(crate) fn said(&self) -> &str {
        self.body["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("{:#}", self.body))
    }

    pub(crate) fn finish(&self) -> &str {
        self.body["choices"][0]["finish_reason"].as_str().unwrap_or_else(|| panic!("{:#}", self.body))
    }
}
