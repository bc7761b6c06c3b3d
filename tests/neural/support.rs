//! The folder that `prepare` made, and the sample tickets.

use std::path::{Path, PathBuf};
use std::process::Command;

use forthwith::inference::neural::{EncoderFiles, Runtime};
use forthwith::training::LabelledText;

/// The labels of the sample, in the order of their names.
pub(crate) const QUEUES: [&str; 4] = ["access", "cards", "delivery", "refunds"];

pub(crate) const CONTEXT: &str = r#"
[events."ticket.created"]
subject = "string"
"#;

/// Tickets go where the model says, if it is rather sure.
pub(crate) const PLAYBOOK: &str = r#"
playbook = "routing"
on       = ["ticket.created"]
ack      = "memory"
budget   = "10s"

[outcome]
queue = ["general", "access", "cards", "delivery", "refunds"]

[default]
then   = { queue = "general" }
permit = { queue = "any" }

[[models]]
use    = "meaning@1"
reads  = ["event.subject"]
sets   = { queue = "label" }
accept = { above = 0.5 }
"#;

/// What `prepare` made.
pub(crate) struct Folder {
    path: PathBuf,
    model: Vec<u8>,
    tokenizer: Vec<u8>,
}

/// What Python makes of a text.
#[derive(serde::Deserialize)]
pub(crate) struct Expected {
    pub(crate) text: String,
    pub(crate) vector: Vec<f64>,
}

impl Folder {
    /// The folder that the environment names.
    #[allow(clippy::print_stderr, reason = "who runs the tests should know that these did nothing")]
    pub(crate) fn find() -> Option<Self> {
        let Some(path) = std::env::var_os("FORTHWITH_NEURAL_FOLDER") else {
            eprintln!(
                "SKIPPED: run `tests/neural/prepare target/neural` and set FORTHWITH_NEURAL_FOLDER=target/neural to test with a \
                 real encoder"
            );
            return None;
        };
        // Relative to the package, wherever the test was started.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let read =
            |name: &str| std::fs::read(path.join(name)).unwrap_or_else(|e| panic!("{}/{name}: {e}", path.display()));
        let (model, tokenizer) = (read("model.onnx"), read("tokenizer.json"));
        Some(Self { path, model, tokenizer })
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path.join(name)).unwrap()
    }

    pub(crate) fn library(&self) -> PathBuf {
        PathBuf::from(std::fs::read_to_string(self.path.join("library")).unwrap().trim())
    }

    pub(crate) fn runtime(&self) -> Runtime {
        Runtime::load(Some(&self.library())).unwrap()
    }

    pub(crate) fn encoder(&self) -> EncoderFiles<'_> {
        EncoderFiles { model: &self.model, tokenizer: &self.tokenizer }
    }

    /// Trains a head on the sample tickets by the command; its report.
    pub(crate) fn train(&self, out: &Path) -> serde_json::Value {
        let heldout = out.with_extension("csv");
        std::fs::create_dir_all(out.parent().unwrap()).unwrap();
        let rows = heldout_rows();
        std::fs::write(&heldout, rows).unwrap();
        let tickets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/neural/tickets.csv");
        let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith"));
        command.arg("train").arg("--data").arg(tickets).args(["--text", "text", "--label", "queue", "--json"]);
        command.arg("--test").arg(heldout).arg("--encoder").arg(&self.path).arg("--out").arg(out);
        let output = command.env("ORT_DYLIB_PATH", self.library()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn expected(&self) -> Vec<Expected> {
        serde_json::from_slice(&self.file("expected.json")).unwrap()
    }
}

/// The sample tickets.
pub(crate) fn tickets() -> Vec<LabelledText> {
    let mut reader = csv::Reader::from_reader(include_bytes!("tickets.csv").as_slice());
    let rows = reader.records().enumerate().map(|(nth, row)| {
        let row = row.unwrap();
        LabelledText { parts: vec![row[0].to_owned()], label: row[1].to_owned(), line: nth as u64 + 2 }
    });
    rows.collect()
}

/// Tickets that say the like in other words.
pub(crate) fn heldout() -> [(&'static str, &'static str); 12] {
    [
        ("the ATM ate my plastic", "cards"),
        ("my visa got rejected when I tried to pay for petrol", "cards"),
        ("somebody nicked my wallet, please freeze everything in it", "cards"),
        ("can't log in any more", "access"),
        ("your site does not recognise my credentials", "access"),
        ("no SMS with the security number turns up", "access"),
        ("there are two identical charges on my bill", "refunds"),
        ("give me back what I paid for the broken kettle", "refunds"),
        ("an unknown merchant has taken money from me", "refunds"),
        ("the postman never came", "delivery"),
        ("what I ordered is still on the road after two weeks", "delivery"),
        ("the carton was crushed in transit", "delivery"),
    ]
}

fn heldout_rows() -> String {
    let rows = heldout().iter().map(|(text, queue)| format!("\"{text}\",{queue}\n")).collect::<String>();
    format!("text,queue\n{rows}")
}

/// The position of the highest number.
pub(crate) fn best(row: &[f32]) -> usize {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
}
