//! A Prometheus of one's own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Where the programs are.
pub(crate) struct Programs(PathBuf);

/// It scrapes every second and evaluates the rules of this repository as often.
pub(crate) struct Prometheus {
    child: Child,
    base: String,
    agent: ureq::Agent,
}

impl Programs {
    /// What `FORTHWITH_PROMETHEUS` names; says that a test was skipped without it.
    pub(crate) fn find() -> Option<Self> {
        let Some(folder) = std::env::var_os("FORTHWITH_PROMETHEUS") else {
            eprintln!(
                "skipped: FORTHWITH_PROMETHEUS names no folder with `prometheus` and `promtool`, such as /usr/bin"
            );
            return None;
        };
        let programs = Self(PathBuf::from(folder));
        for name in ["prometheus", "promtool"] {
            assert!(programs.0.join(name).exists(), "there is no `{name}` in {}", programs.0.display());
        }
        Some(programs)
    }

    /// Runs promtool, with something on its standard input; what it says if it finds fault.
    pub(crate) fn promtool(&self, arguments: &[&str], input: &str) -> Result<(), String> {
        let mut command = Command::new(self.0.join("promtool"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
        // Beside the reading of what it says, so that neither waits for the other.
        let writing = thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(said) }
    }
}

impl Prometheus {
    /// Starts one that scrapes `target` under the name that the rules look for.
    pub(crate) fn start(programs: &Programs, target: &str, rules: &Path, folder: &Path) -> Self {
        let place = folder.join("prometheus");
        fs::create_dir_all(place.join("rules")).unwrap();
        for entry in fs::read_dir(rules).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap().replace("    interval: 2m\n", "");
            fs::write(place.join("rules").join(path.file_name().unwrap()), text).unwrap();
        }
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules/*.yml]\n\
             scrape_configs: [{{job_name: forthwith, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(place.join("prometheus.yml"), config).unwrap();
        let mut command = Command::new(programs.0.join("prometheus"));
        command.arg(format!("--config.file={}", place.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", place.join("tsdb").display()));
        command.args(["--web.listen-address=127.0.0.1:0", "--log.level=info"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let base = listening(child.stderr.take().unwrap());
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        Self { child, base, agent }
    }

    /// What the API answers to a path and parameters; an error as Prometheus words it.
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in parameters {
            request = request.query(*name, *value);
        }
        let mut response = request.call().map_err(|e| e.to_string())?;
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().map_err(|e| e.to_string())?;
        let answer: Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer["error"].to_string()) }
    }

    /// The numbers that a query gives now.
    pub(crate) fn query(&self, expr: &str) -> Result<Vec<f64>, String> {
        let found = self.ask("/api/v1/query", &[("query", expr)])?;
        let number = |value: &Value| value[1].as_str().unwrap().parse::<f64>().unwrap();
        Ok(match found["resultType"].as_str() {
            Some("vector") => {
                found["result"].as_array().unwrap().iter().map(|sample| number(&sample["value"])).collect()
            }
            Some("scalar") => vec![number(&found["result"])],
            other => return Err(format!("the result is a {other:?}")),
        })
    }

    /// The values that a label has, of the series that a selector matches.
    pub(crate) fn label_values(&self, selector: &str, label: &str) -> Result<Vec<Value>, String> {
        let found = self.ask(&format!("/api/v1/label/{label}/values"), &[("match[]", selector)])?;
        Ok(found.as_array().unwrap().clone())
    }

    /// All rules, as they were evaluated.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let found = self.ask("/api/v1/rules", &[]).unwrap();
        let groups = found["groups"].as_array().unwrap();
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).cloned().collect()
    }

    /// Waits until a query gives a number that is asked for.
    pub(crate) fn wait_for(&self, expr: &str, is_enough: impl Fn(f64) -> bool) {
        // A bound for a test that would otherwise hang; nothing is told from the time.
        for _ in 0..600 {
            if self.query(expr).is_ok_and(|numbers| numbers.iter().any(|number| is_enough(*number))) {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
        panic!("`{expr}` did not come to what is waited for: {:?}", self.query(expr));
    }

    /// Waits until the target was scraped so many times more.
    pub(crate) fn wait_for_scrapes(&self, more: usize) {
        let count =
            || self.query("count_over_time(up[1h])").ok().and_then(|numbers| numbers.first().copied()).unwrap_or(0.0);
        let until = count() + more as f64;
        self.wait_for("count_over_time(up[1h])", |scrapes| scrapes >= until);
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address that it says it listens on. What it says later is read and dropped, so that it is never held up.
fn listening(stderr: ChildStderr) -> String {
    let mut lines = BufReader::new(stderr).lines();
    let mut said = String::new();
    let address = loop {
        let Some(Ok(line)) = lines.next() else { panic!("Prometheus did not start: {said}") };
        if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
            break address.split_whitespace().next().unwrap().to_owned();
        }
        said.push_str(&line);
        said.push('\n');
    };
    thread::spawn(move || lines.for_each(drop));
    format!("http://{address}")
}
