//! `forthwith train`, from a file to a folder that a bundle loads.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{folder, forthwith, run};

/// Tickets of three queues, told apart by a word or two.
fn tickets(rows: usize) -> String {
    const SAID: [(&str, [&str; 4]); 3] = [
        ("cards", ["my card is lost", "the card was stolen", "please block the card", "a new card is needed"]),
        ("payments", ["where is my transfer", "the transfer is late", "a payment is missing", "money is pending"]),
        ("general", ["thank you very much", "happy holidays to all", "how are you today", "nice weather, is it not"]),
    ];
    let mut text = "id,subject,body,queue,written\n".to_owned();
    for row in 0..rows {
        let (queue, said) = SAID[row % 3];
        let (said, day) = (said[row / 3 % 4], 1 + row % 28);
        text.push_str(&format!("{row},ticket {row},\"{said}, customer {}\",{queue},2026-03-{day:02}\n", row * 7));
    }
    text
}

fn train(data: &Path, out: &Path, more: &[&str]) -> (i32, String, String) {
    let mut command = forthwith();
    command.arg("train").arg("--data").arg(data).args(["--text", "subject", "--text", "body", "--label", "queue"]);
    run(command.arg("--out").arg(out).args(more))
}

#[test]
fn a_model_is_trained_measured_and_written() {
    let folder = folder();
    let (data, test) = (folder.path().join("tickets.csv"), folder.path().join("test.csv"));
    fs::write(&data, tickets(90)).unwrap();
    fs::write(&test, "subject,body,queue\n,card stolen!,cards\n,transfer late,payments\n,?,other\n").unwrap();
    let strange: String = (0..60).map(|n| format!("{{\"body\":\"apple cake recipe number {n}\"}}\n")).collect();
    fs::write(folder.path().join("strange.jsonl"), strange).unwrap();
    let out = folder.path().join("models/queue-2");
    let strange = folder.path().join("strange.jsonl");
    let more = ["--json", "--time", "written", "--purpose", "service", "--owner", "support", "--test"];
    let more = [&more[..], &[test.to_str().unwrap(), "--out-of-scope", strange.to_str().unwrap()]].concat();
    let (code, told, err) = train(&data, &out, &more);
    // The file of strangers has no subject: a column that no row has is a mistake.
    assert_eq!((code, told.as_str()), (1, ""), "{err}");
    assert!(err.contains("strange.jsonl: there is no column `subject`; it has body"), "{err}");
    assert!(!out.exists());

    let more: Vec<&str> = more.into_iter().filter(|arg| !arg.contains("strange") && *arg != "--out-of-scope").collect();
    let (code, told, err) = train(&data, &out, &more);
    assert_eq!(code, 0, "{err}");
    assert_eq!(err, "", "nothing beside the report is told to a pipe");
    let report: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&report["id"], &report["version"], &report["rows"]), (&"queue".into(), &2.into(), &90.into()));
    for measured in ["heldout", "test"] {
        for figure in ["accuracy", "macro_f1", "ece"] {
            assert!(report[measured][figure].as_f64().is_some_and(|figure| (0.0..=1.0).contains(&figure)), "{told}");
        }
    }
    assert!(report["heldout"]["accuracy"].as_f64() > Some(0.9), "{told}");
    assert_eq!(report["test"]["rows_of_unknown_labels"], 1);
    let manifest = fs::read_to_string(out.join("manifest.toml")).unwrap();
    assert!(manifest.contains("from        = \"2026-03-01\"\nuntil       = \"2026-03-28\""), "{manifest}");
    let calibration = fs::read_to_string(out.join("calibration.csv")).unwrap();
    assert_eq!(calibration.lines().count(), 91);
}

#[test]
fn the_same_data_and_seed_give_the_same_model_and_nothing_is_overwritten_unasked() {
    let folder = folder();
    let data = folder.path().join("tickets.csv");
    fs::write(&data, tickets(60)).unwrap();
    let (one, other) = (folder.path().join("queue-1"), folder.path().join("queue-2"));
    for out in [&one, &other] {
        assert_eq!(train(&data, out, &[]).0, 0);
    }
    let read = |out: &Path, file| fs::read(out.join(file)).unwrap();
    assert_eq!(read(&one, "model.bin"), read(&other, "model.bin"));
    assert_eq!(read(&one, "calibration.csv"), read(&other, "calibration.csv"));
    let (code, _, err) = train(&data, &one, &[]);
    assert_eq!(code, 1);
    assert!(err.contains("replace it with `--replace`"), "{err}");
    let (code, told, _) = train(&data, &one, &["--replace", "--seed", "5"]);
    assert_eq!(code, 0);
    assert!(told.contains("60 rows of 3 labels, 20 to 20 of each"), "{told}");
    assert!(told.contains("No purpose was named"), "{told}");
}

#[test]
fn what_cannot_be_learnt_from_is_refused_with_the_reason() {
    let folder = folder();
    let (data, out) = (folder.path().join("tickets.csv"), folder.path().join("queue-1"));
    fs::write(&data, tickets(20)).unwrap();
    let (code, told, err) = train(&data, &out, &[]);
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(err.contains("labels with fewer than 10 rows: `cards` has 7, `general` has 6, `payments` has 7"), "{err}");
    // The label says nothing of the text.
    let label = |row: u64| {
        let mixed = row.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        if (mixed ^ (mixed >> 31)) & 1 == 0 { "a" } else { "b" }
    };
    let mixed: String = (0..200).map(|row| format!("ticket {row},please help,{}\n", label(row))).collect();
    fs::write(&data, format!("subject,body,queue\n{mixed}")).unwrap();
    let (code, _, err) = train(&data, &out, &[]);
    assert_eq!(code, 1);
    assert!(
        err.contains("of the texts rightly that it was not trained on") && err.contains("always saying `"),
        "{err}"
    );
    assert!(!out.exists(), "no model is written");
}
