//! What is proved of the journal: tree heads, proofs and packets over HTTP, `forthwith verify`, `forthwith packet`, and the small
//! verifier for third parties.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Server, folder, forthwith, root, run, ticket};

const ORIGIN: &str = "example.com/forthwith/test";

fn server(data: &Path) -> Server {
    Server::start_with(data, |command| _ = command.env("FORTHWITH__JOURNAL__ORIGIN", ORIGIN))
}

fn decide(server: &Server, id: &str) -> String {
    let answer = server.post("/v1/decide/ticket_routing", &ticket(id, "c-1", "my card was declined"));
    assert_eq!(answer.status, 200);
    answer.json()["decision_id"].as_str().unwrap().to_owned()
}

fn text(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/plain; charset=utf-8"));
    String::from_utf8(answer.body.clone()).unwrap()
}

fn third_party() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-verify"));
    command.current_dir(root());
    command
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// The report without what differs from run to run.
fn steady(report: &str, of: &[(&str, &str)]) -> String {
    of.iter().fold(report.to_owned(), |report, (what, name)| report.replace(what, name))
}

#[test]
fn a_third_party_verifies_a_packet_by_the_key_alone() {
    let data = folder();
    let held = data.path();
    let server = server(&held.join("data"));
    decide(&server, "t-1");
    let old = text(&server.get("/v1/log/checkpoint"));
    fs::write(held.join("old-head"), &old).unwrap();
    let id = decide(&server, "t-2");
    decide(&server, "t-3");
    let key = text(&server.get("/v1/log/key")).trim().to_owned();
    assert!(key.starts_with(&format!("{ORIGIN}+")), "{key}");
    let answer = server.get(&format!("/v1/decisions/{id}/packet"));
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
    let packet = answer.json();
    assert_eq!(packet["decision"]["decision_id"], id.as_str());
    assert_eq!(packet["explanation"]["decision"], packet["decision"]);
    fs::write(held.join("packet"), &answer.body).unwrap();
    let size = packet["record"]["proof"].as_str().unwrap().lines().find_map(|line| line.parse::<u64>().ok()).unwrap();
    let proof = server.get(&format!("/v1/log/consistency?from=2&to={size}"));
    fs::write(held.join("consistency"), &proof.body).unwrap();
    let names = [(id.as_str(), "DECISION"), (key.as_str(), "KEY"), (held.to_str().unwrap(), "FOLDER")];

    let packet_file = path(held, "packet");
    let (code, out, err) = run(third_party().args([&packet_file, "--key", &key]));
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(steady(&out, &names));
    let with_head = |head: &str, consistency: &str| {
        let (head, consistency) = (path(held, head), path(held, consistency));
        run(third_party().args([&packet_file, "--key", &key, "--head", &head, "--consistency", &consistency]))
    };
    let (code, out, err) = with_head("old-head", "consistency");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("the log begins with the 2 records that the head in"), "{out}");
    let (code, _, err) = run(third_party().args([&packet_file, "--key", &key, "--head", &path(held, "old-head")]));
    assert!(code == 1 && err.contains(&format!("GET /v1/log/consistency?from=2&to={size}")), "{err}");

    // Forthwith itself makes decision and explanation again, without the data directory.
    let nowhere = path(held, "nowhere");
    let verify = |file: &str| run(forthwith().args(["verify", "--data", &nowhere, "--key", &key, "--packet", file]));
    let (code, out, err) = verify(&packet_file);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(steady(&out, &names));

    // What was changed does not hold.
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut packet = packet.clone();
        change(&mut packet);
        fs::write(held.join("changed"), packet.to_string()).unwrap();
        let file = path(held, "changed");
        (run(third_party().args([&file, "--key", &key])), verify(&file))
    };
    let swap = |packet: &mut Value, pointer: &str, from: &str, to: &str| {
        let text = packet.pointer(pointer).unwrap().as_str().unwrap().replacen(from, to, 1);
        *packet.pointer_mut(pointer).unwrap() = json!(text);
    };
    let (small, whole) = changed(&|packet| {
        let leaf = packet["record"]["leaf_base64"].as_str().unwrap().to_owned();
        let changed = if leaf.starts_with("AQ") { leaf.replacen("AQ", "AA", 1) } else { leaf.replacen('A', "B", 1) };
        packet["record"]["leaf_base64"] = json!(changed);
    });
    assert!(small.0 == 1 && small.2.contains("the proof does not lead to the root"), "{small:?}");
    assert!(whole.0 == 1 && whole.2.contains("the proof does not lead to the root"), "{whole:?}");
    let (small, whole) =
        changed(&|packet| swap(packet, "/record/proof", &format!("\n{size}\n"), &format!("\n{}\n", size + 1)));
    assert!(small.0 == 1 && small.2.contains(&format!("the signature of `{ORIGIN}` is wrong")), "{small:?}");
    assert_eq!(whole.0, 1);
    let (small, whole) = changed(&|packet| packet["decision"]["outcome"]["queue"] = json!("vip"));
    assert_eq!(small.0, 0, "the small verifier says that it does not look at the outcome");
    assert!(
        whole.0 == 1
            && whole.2.contains("its decision is not the one that its records make: they differ at `/outcome/queue`"),
        "{whole:?}"
    );
    let (_, whole) = changed(&|packet| packet["explanation"]["rules"][0]["rule"] = json!("another"));
    assert!(whole.0 == 1 && whole.2.contains("they differ at `/rules/0/"), "{whole:?}");
    let (small, _) =
        changed(&|packet| packet["decision"]["decision_id"] = json!("019aab01-9900-8401-9607-964e9ed70c8a"));
    assert!(small.0 == 1 && small.2.contains("does not name decision"), "{small:?}");
    let (small, whole) = changed(&|packet| packet["record"] = packet["bundle"].clone());
    assert_eq!((small.0, whole.0), (1, 1), "{small:?} {whole:?}");

    let (small, _) = changed(&|packet| packet["bundle"] = packet["record"].clone());
    assert!(
        small.0 == 1 && small.2.contains("`/bundle` of the packet is a record of the log, but not of a bundle"),
        "{small:?}"
    );

    // A data directory that names no key.
    let (code, _, err) = run(forthwith().args(["verify", "--data", &path(held, ""), "--packet", &packet_file]));
    assert!(
        code == 1 && err.contains("names no key that tree heads are signed with; give yours: `--key KEY`"),
        "{err}"
    );

    // Another's key, or a head of another log.
    let other = folder();
    let stranger = Server::start(&other.path().join("data"));
    let strange_key = text(&stranger.get("/v1/log/key")).trim().to_owned();
    assert!(strange_key.starts_with("localhost/forthwith/"), "{strange_key}");
    let (code, _, err) = run(third_party().args([&packet_file, "--key", &strange_key]));
    assert!(code == 1 && err.contains("the note is not signed by"), "{err}");
    fs::write(held.join("strange-head"), stranger.get("/v1/log/checkpoint").body).unwrap();
    assert_eq!(with_head("strange-head", "consistency").0, 1);
    let wrong =
        [vec![], vec![packet_file.as_str()], vec![&packet_file, "--key", "x"], vec![&packet_file, "--keys", "x"]];
    for words in wrong {
        let (code, _, err) = run(third_party().args(&words));
        assert!(code == 64 && err.contains("Usage: forthwith-verify PACKET"), "{words:?}: {err}");
    }
}

#[test]
fn proofs_are_given_for_what_there_is() {
    let data = folder();
    let server = server(data.path());
    let id = decide(&server, "t-1");
    let head = text(&server.get("/v1/log/checkpoint"));
    assert_eq!(text(&server.get("/v1/log/checkpoint")), head, "without news there is no other head");
    let proof = server.get(&format!("/v1/log/inclusion?decision={id}")).json();
    assert_eq!(
        (proof["record"].as_u64(), proof["index"].as_u64(), proof["size"].as_u64()),
        (Some(2), Some(1), Some(2))
    );
    assert_eq!(proof["head"], head.as_str());
    assert_eq!(proof["root"], head.lines().nth(2).unwrap());
    assert_eq!(server.get("/v1/log/inclusion?record=2").json(), proof);
    assert_eq!(server.get("/v1/log/inclusion?record=1&size=1").json()["head"], Value::Null);
    decide(&server, "t-2");
    let proof = server.get("/v1/log/consistency?from=2").json();
    assert_eq!((proof["to"].as_u64(), &proof["from_root"]), (Some(3), &json!(head.lines().nth(2).unwrap())));
    let refused = |path: &str| {
        let answer = server.get(path);
        (answer.status, answer.json()["detail"].as_str().unwrap().to_owned())
    };
    let nobody = "019aab01-9900-8401-9607-964e9ed70c8a";
    assert_eq!(
        refused("/v1/log/inclusion?record=4"),
        (404, "record 4 is beyond the journal, which has 3 records".to_owned())
    );
    assert_eq!(refused("/v1/log/inclusion?record=0").0, 404);
    assert_eq!(
        refused("/v1/log/inclusion?record=3&size=2"),
        (404, "the tree over 2 records has no record 3: they are numbered from 1".to_owned())
    );
    assert_eq!(refused("/v1/log/consistency?from=2&to=9").1, "a tree of 9 is beyond the journal, which has 3 records");
    assert_eq!(refused("/v1/log/consistency?from=3&to=2").0, 404);
    assert_eq!(refused(&format!("/v1/log/inclusion?decision={nobody}")).0, 404);
    assert_eq!(refused(&format!("/v1/decisions/{nobody}/packet")).0, 404);
    for unreadable in
        ["inclusion", "inclusion?record=x", "inclusion?record=1&decision=x", "consistency", "consistency?from=1&x=2"]
    {
        assert_eq!(refused(&format!("/v1/log/{unreadable}")).0, 400, "{unreadable}");
    }
}

#[test]
fn the_journal_is_verified_beside_the_server_and_after_it() {
    let data = folder();
    let held = folder();
    let server = server(data.path());
    let ids: Vec<String> = (0..30).map(|nth| decide(&server, &format!("t-{nth}"))).collect();
    let key = text(&server.get("/v1/log/key")).trim().to_owned();
    let head = path(held.path(), "head");
    fs::write(&head, server.get("/v1/log/checkpoint").body).unwrap();
    let late = decide(&server, "late");
    let on = |args: &[&str]| run(forthwith().arg("--data").arg(data.path()).args(args));
    let names =
        [(key.as_str(), "KEY"), (data.path().to_str().unwrap(), "DATA"), (held.path().to_str().unwrap(), "HELD")];
    let (code, out, err) = on(&["verify", "--key", &key, "--head", &head]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let without_root = |out: &str| -> String {
        let lines = steady(out, &names);
        lines
            .lines()
            .map(
                |line| {
                    if line.starts_with("root") { "root of the tree: ROOT\n".to_owned() } else { format!("{line}\n") }
                },
            )
            .collect()
    };
    insta::assert_snapshot!(without_root(&out));
    let (code, out, err) = on(&["verify", &ids[3]]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("is record 5 of the 31 that `example.com/forthwith/test` has signed for with"), "{out}");
    assert!(err.contains("note: the key was taken from the data directory itself"), "{err}");
    let (code, _, err) = on(&["packet", &late]);
    assert!(
        code == 1
            && err.contains(
                "no tree head covers record 32 yet; a running engine signs one when it is asked, or when it stops"
            ),
        "{err}"
    );
    let packet = path(held.path(), "packet");
    assert_eq!(on(&["packet", &ids[7], "--out", &packet]).0, 0);
    assert_eq!(on(&["verify", "--packet", &packet, "--key", &key]).0, 0);
    assert_eq!(run(third_party().args([&packet, "--key", &key])).0, 0);
    let offline: Value = serde_json::from_str(&fs::read_to_string(&packet).unwrap()).unwrap();
    assert_eq!(offline["explanation"], server.get(&format!("/v1/decisions/{}/packet", ids[7])).json()["explanation"]);
    server.stop();

    // A clean stop signs for the last records.
    let (code, out, err) = on(&["verify", "--key", &key]);
    assert!(code == 0 && out.contains("the newest over 32") && !out.contains("not yet under"), "{out}{err}");
    assert_eq!(on(&["packet", &late]).0, 0);
    assert_eq!(on(&["verify", "019aab01-9900-8401-9607-964e9ed70c8a"]).0, 3);
    assert_eq!(on(&["packet", "nonsense"]).0, 64);
    assert_eq!(on(&["verify", "--key", "nonsense"]).0, 64);

    // A head that is not of this journal, and a damaged byte.
    let strange = folder();
    let stranger = self::server(strange.path());
    fs::write(&head, stranger.get("/v1/log/checkpoint").body).unwrap();
    let strange_key = text(&stranger.get("/v1/log/key")).trim().to_owned();
    let (code, out, err) = on(&["verify", "--key", &strange_key, "--head", &head]);
    assert!(code == 1 && out.is_empty() && err.contains("is not to be believed"), "{out}{err}");
    let segment = data.path().join("journal/0000000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[20_000] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let (code, out, err) = on(&["verify"]);
    assert!(code == 1 && out.is_empty(), "{out}");
    assert!(err.contains("0000000001.seg` is damaged at byte "), "{err}");
}

#[test]
fn an_older_copy_of_the_journal_is_not_served() {
    let (data, copied) = (folder(), folder());
    let first = server(data.path());
    decide(&first, "t-1");
    first.stop();
    let journal = |of: &Path| of.join("journal/0000000001.seg");
    fs::copy(journal(data.path()), copied.path().join("older")).unwrap();
    let second = server(data.path());
    decide(&second, "t-2");
    second.stop();
    fs::copy(copied.path().join("older"), journal(data.path())).unwrap();
    fs::remove_dir_all(data.path().join("store")).unwrap();
    let served = forthwith()
        .arg("--data")
        .arg(data.path())
        .envs([("FORTHWITH__SERVER__LISTEN", "127.0.0.1:0"), ("FORTHWITH__JOURNAL__ORIGIN", ORIGIN)])
        .output()
        .unwrap();
    let err = String::from_utf8(served.stderr).unwrap();
    assert_eq!(served.status.code(), Some(1), "{err}");
    assert!(err.contains("the journal ends with record 2, and a tree head was signed over 3: "), "{err}");
    assert!(err.contains("if there is a newer copy, put that back; nothing was changed"), "{err}");
    // Whoever has no other copy has the loss accounted for, and goes on.
    let repaired = run(forthwith().arg("--data").arg(data.path()).args(["repair", "--yes"]));
    assert_eq!(repaired.0, 0, "{repaired:?}");
    let third = server(data.path());
    decide(&third, "t-3");
    third.stop();
    let (code, out, err) = run(forthwith().arg("--data").arg(data.path()).arg("verify"));
    assert!(code == 0 && out.contains("kept tree heads that cannot be checked because of that: 1"), "{out}{err}");
}

#[test]
fn no_head_that_was_handed_out_is_lost_by_kill_9() {
    let data = folder();
    let given: Mutex<BTreeSet<String>> = Mutex::default();
    for round in 0..5u64 {
        let server = server(data.path());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for nth in 0.. {
                    let event = ticket(&format!("t-{round}-{nth}"), "c-1", "my card was declined").to_string();
                    let json = [("content-type", "application/json")];
                    if server.try_post("/v1/decide/ticket_routing", &json, event.as_bytes()).is_err() {
                        return;
                    }
                }
            });
            scope.spawn(|| {
                while let Some(head) = server.try_get("/v1/log/checkpoint").filter(|head| head.status == 200) {
                    given.lock().unwrap().insert(String::from_utf8(head.body).unwrap());
                }
            });
            // Some heads were given in this round; then the kill comes at any moment.
            let before = given.lock().unwrap().len();
            while given.lock().unwrap().len() < before + 3 {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(round * 7));
            server.signal("KILL");
        });
    }
    let given = given.into_inner().unwrap();
    assert!(given.len() >= 15, "{} heads were given", given.len());
    let kept = fs::read_to_string(data.path().join("journal/heads")).unwrap();
    assert!(given.iter().all(|head| kept.contains(head)), "a head was given and not kept");
    let server = server(data.path());
    let sizes: Vec<u64> = given.iter().map(|head| head.lines().nth(1).unwrap().parse().unwrap()).collect();
    let newest = sizes.iter().max().unwrap();
    for size in &sizes {
        assert_eq!(server.get(&format!("/v1/log/consistency?from={size}&to={newest}")).status, 200);
    }
    server.stop();
    let (code, out, err) = run(forthwith().arg("--data").arg(data.path()).arg("verify"));
    assert_eq!(code, 0, "{out}{err}");
}
