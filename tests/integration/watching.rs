//! `forthwith top` beside a running server.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{Server, folder, forthwith, run, ticket};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Decides until it is told to stop; every other ticket is Ann's.
fn load(server: &Server, is_over: &AtomicBool) {
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let customer = if number % 2 == 0 { "ann".to_owned() } else { format!("c{number}") };
        let answer =
            server.post("/v1/decide/ticket_routing", &ticket(&format!("t{number}"), &customer, "My invoice is wrong."));
        assert_eq!(answer.status, 200);
    }
}

fn top(server: &Server, options: &[&str]) -> (i32, String, String) {
    let url = format!("http://{}", server.address);
    run(forthwith().args(["top", "--every", "300ms", "--url", &url]).args(options))
}

#[test]
fn a_server_under_load_is_seen_as_text_and_as_json() {
    let data = folder();
    let server = Server::start(data.path());
    let is_over = AtomicBool::new(false);
    let (json, paper) = std::thread::scope(|scope| {
        scope.spawn(|| load(&server, &is_over));
        let is_ann_seen = |(_, json, _): &(i32, String, String)| {
            let frame: Value = serde_json::from_str(json).unwrap_or_default();
            frame["busiest"][0]["customer"] == "ann"
        };
        // One turn in sixty-four is looked at: the load may have to go on for a while until she has been met three times.
        let json = (0..100).map(|_| top(&server, &["--json"])).find(is_ann_seen);
        let paper = top(&server, &["--once"]);
        is_over.store(true, Ordering::Relaxed);
        (json, paper)
    });
    let (code, json, stderr) = json.unwrap();
    assert_eq!((code, stderr.as_str()), (0, ""));
    let frame: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(frame["engine"]["ready"], true, "{frame:#}");
    assert!(frame["rates"]["decisions"].as_f64().unwrap() > 0.0, "{frame:#}");
    let decision = frame["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "decision").unwrap();
    let (p50, p99) = (&decision["p50"], &decision["p99"]);
    assert!(p50.as_f64().unwrap() > 0.0 && p50.as_f64() <= p99.as_f64(), "{frame:#}");
    let playbook = frame["playbooks"].as_array().unwrap().iter().find(|of| of["name"] == "ticket_routing").unwrap();
    assert!(playbook["latency"]["per_second"].as_f64().unwrap() > 0.0 && playbook["tiers"][0]["share"].is_number());
    assert_eq!(frame["shed"], Value::Array(Vec::new()));

    let (code, paper, stderr) = paper;
    assert_eq!((code, stderr.as_str()), (0, ""));
    for told in ["decisions", "▸ticket_routing", "journal", "ann", "percentiles are interpolated"] {
        assert!(paper.contains(told), "{told}: {paper}");
    }
}

#[test]
fn a_token_is_presented_and_a_wrong_one_told() {
    let data = folder();
    let server = Server::start_with(data.path(), |command| _ = command.env("FORTHWITH__SERVER__TOKEN", TOKEN));
    let file = |name: &str, token: &str| {
        let file = data.path().join(name);
        fs::write(&file, token).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (right, wrong, empty) = (file("right", &format!("{TOKEN}\n")), file("wrong", "wrong"), file("empty", "\n"));
    let (code, _, stderr) = top(&server, &["--once", "--token-file", &right]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let refused = |options: &[&str], told: &str| {
        let (code, stdout, stderr) = top(&server, options);
        assert!(code == 1 && stdout.is_empty() && stderr.contains(told), "{stderr}");
    };
    refused(&["--once"], "error: the server wants a token; name a file that has it with `--token-file FILE`");
    refused(&["--once", "--token-file", &wrong], "error: the server does not know this token");
    refused(&["--once", "--token-file", &empty], "the file is empty");
    refused(&["--once", "--token-file", "/nowhere"], "`--token-file /nowhere`: No such file");
}

#[test]
fn what_is_no_server_is_told() {
    let told = |url: &str| {
        let (code, stdout, stderr) = run(forthwith().args(["top", "--once", "--url", url]));
        assert!(code == 1 && stdout.is_empty(), "{stdout}");
        stderr
    };
    // Nobody listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = told(&format!("http://{free}"));
    assert!(refused.starts_with(&format!("error: no answer from http://{free}: ")), "{refused}");
    assert_eq!(told("ftp://x"), "error: `ftp://x` is no address such as `http://127.0.0.1:8080`\n");
    let data = folder();
    let server = Server::start(data.path());
    let elsewhere = told(&format!("http://{}/elsewhere", server.address));
    assert!(elsewhere.contains("answers with status 404: is this the address of a `forthwith serve`?"), "{elsewhere}");
}
