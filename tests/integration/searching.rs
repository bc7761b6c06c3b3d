//! Searching decisions, over HTTP and on the command line.

use serde_json::{Value, json};

use crate::support::{Server, forthwith, run};

fn ticket(nth: usize, body: &str) -> Value {
    json!({
        "specversion": "1.0", "id": format!("t-{nth}"), "source": "helpdesk", "type": "ticket.created",
        "subject": format!("customer-{}", nth % 3),
        "data": {"subject": "Hi", "body": body, "channel": "email", "product": "cards"}
    })
}

fn ids(page: &Value) -> Vec<String> {
    let decisions = page["decisions"].as_array().unwrap();
    decisions.iter().map(|decision| decision["decision_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn decisions_are_found_over_http_and_beside_the_server_by_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut made = Vec::new();
    for nth in 0..9 {
        let body = if nth < 6 { "My card was declined at the till." } else { "Thank you." };
        let decision = server.post("/v1/decide/ticket_routing", &ticket(nth, body)).json();
        made.push(decision["decision_id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    let page = server.get("/v1/decisions?playbook=ticket_routing").json();
    assert_eq!((ids(&page), &page["cursor"]), (made.clone(), &Value::Null));

    let first = server.get("/v1/decisions?outcome=queue%3Dcards&customer=customer-1&limit=1").json();
    assert_eq!(ids(&first), [made[4].as_str()]);
    let cursor = first["cursor"].as_str().unwrap();
    server.post("/v1/decide/ticket_routing", &ticket(10, "My card was declined at the till."));
    let path = format!("/v1/decisions?outcome=queue%3Dcards&customer=customer-1&limit=1&cursor={cursor}");
    let second = server.get(&path).json();
    assert_eq!((ids(&second), &second["cursor"]), (vec![made[7].clone()], &Value::Null), "what is new changes no page");

    let wrong = server.get("/v1/decisions?rule=x&limit=0&colour=red");
    assert_eq!((wrong.status, wrong.content_type.as_str()), (422, "application/problem+json"));
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/colour");
    let wrong = server.get("/v1/decisions?rule=x&limit=0").json();
    assert_eq!(wrong["errors"].as_array().unwrap().len(), 2, "{wrong}");

    let search = |args: &[&str]| run(forthwith().arg("search").arg("--data").arg(folder.path()).args(args));
    let (code, said, _) = search(&["--outcome", "queue=cards", "--json"]);
    let beside: Value = serde_json::from_str(&said).unwrap();
    let served = server.get("/v1/decisions?outcome=queue%3Dcards").json();
    assert_eq!((code, beside), (0, served));
    let (code, said, _) = search(&["--customer", "customer-0", "--limit", "2"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((code, lines.len()), (0, 4), "{said}");
    assert!(lines[0].starts_with("arrived") && lines[1].contains(&made[2]), "{said}");
    let cursor = lines[3].strip_prefix("2 decisions; go on with --cursor ").unwrap();
    let (_, said, _) = search(&["--customer", "customer-0", "--limit", "2", "--cursor", cursor]);
    assert!(said.contains(&made[8]) && said.ends_with("1 decision\n"), "{said}");
    let (code, _, told) = search(&["--rule", "x", "--limit", "0"]);
    assert_eq!((code, told.lines().count()), (64, 2), "{told}");
    let (code, said, _) = search(&["--customer", "nobody"]);
    assert_eq!((code, said.as_str()), (0, "0 decisions\n"));
    assert_eq!(server.stop().0, 0);
}
