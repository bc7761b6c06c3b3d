//! `forthwith import` and `forthwith export`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{folder, forthwith, root, run};

const DISCOUNT: &str = "tests/fixtures/interchange/discount.dmn";
const ROUTING: &str = "tests/fixtures/interchange/routing.json";

/// A case: a FEEL test, the attribute it tests (its place in the table), and values with whether they pass.
type Case = (&'static str, usize, Vec<(Value, bool)>);

const ATTRIBUTES: [&str; 5] = ["plan", "amount", "vip", "at", "wait"];

/// FEEL tests with what the specification of DMN says of values.
fn cases() -> Vec<Case> {
    let (plan, amount, vip, at, wait) = (0, 1, 2, 3, 4);
    vec![
        ("-", plan, vec![(json!("free"), true), (Value::Null, true)]),
        ("\"free\"", plan, vec![(json!("free"), true), (json!("Free"), false), (Value::Null, false)]),
        ("\"free\", \"a, b\"", plan, vec![(json!("a, b"), true), (json!("a"), false)]),
        ("\"10\"", plan, vec![(json!("10"), true), (json!("10.0"), false)]),
        ("\"\\\"\\\\ \\u00e9\"", plan, vec![(json!("\"\\ é"), true), (json!("\\ é"), false)]),
        ("\"\\\"\\\"\"", plan, vec![(json!("\"\""), true), (json!(""), false)]),
        ("\"\\\"a\\\"\", \"b\"", plan, vec![(json!("\"a\""), true), (json!("b"), true), (json!("a"), false)]),
        ("\"not(x)\"", plan, vec![(json!("not(x)"), true), (json!("y"), false)]),
        ("not(\"free\", \"pro\")", plan, vec![(json!("pro"), false), (json!("team"), true)]),
        (
            "contains(?, \"e\"), contains(?, \"x\")",
            plan,
            vec![(json!("free"), true), (json!("box"), true), (json!("a"), false)],
        ),
        ("starts with(?, \"a.b\")", plan, vec![(json!("a.bc"), true), (json!("axbc"), false)]),
        ("not(ends with(?, \"e\"))", plan, vec![(json!("free"), false), (json!("pro"), true)]),
        ("5", amount, vec![(json!(5), true), (json!(5.0001), false)]),
        (".5, -1", amount, vec![(json!(0.5), true), (json!(-1), true), (json!(1), false)]),
        ("< -0.25", amount, vec![(json!(-0.2501), true), (json!(-0.25), false)]),
        (">=18", amount, vec![(json!(18), true), (json!(17.9999), false), (Value::Null, false)]),
        ("[1..10)", amount, vec![(json!(1), true), (json!(10), false), (json!(9.9999), true)]),
        ("]1..10]", amount, vec![(json!(1), false), (json!(10), true)]),
        ("(1..10[", amount, vec![(json!(1), false), (json!(10), false), (json!(2), true)]),
        ("not([1..10])", amount, vec![(json!(0), true), (json!(10), false)]),
        ("not(> 5)", amount, vec![(json!(5), true), (json!(6), false)]),
        ("!= 5", amount, vec![(json!(5), false), (json!(6), true)]),
        ("true", vip, vec![(json!(true), true), (json!(false), false)]),
        ("not(true)", vip, vec![(json!(true), false), (json!(false), true)]),
        (
            "> date and time(\"2026-01-31T10:00:00+01:00\")",
            at,
            vec![(json!("2026-01-31T09:00:00Z"), false), (json!("2026-01-31T09:00:00.000001Z"), true)],
        ),
        (
            "[@\"2026-01-01T00:00:00Z\"..@\"2026-02-01T00:00:00Z\")",
            at,
            vec![(json!("2026-01-01T00:00:00Z"), true), (json!("2026-02-01T00:00:00Z"), false)],
        ),
        ("<= duration(\"P1DT2H\")", wait, vec![(json!("26h"), true), (json!("26h1us"), false)]),
        ("@\"PT90M\"", wait, vec![(json!("1h30m"), true), (json!("1h"), false)]),
    ]
}

/// Tests of Zen with what its own interpreter says of values.
fn zen_cases() -> Vec<Case> {
    let (plan, amount, vip) = (0, 1, 2);
    vec![
        ("", plan, vec![(json!("free"), true), (Value::Null, true)]),
        ("'a', \"b c\"", plan, vec![(json!("b c"), true), (json!("c"), false)]),
        ("['a', 'b']", plan, vec![(json!("a"), true), (json!("c"), false)]),
        ("not in ['a', 'b']", plan, vec![(json!("a"), false), (json!("c"), true)]),
        ("!= 'a'", plan, vec![(json!("a"), false), (json!("b"), true)]),
        ("'back\\slash'", plan, vec![(json!("back\\slash"), true), (json!("backslash"), false)]),
        ("''", plan, vec![(json!(""), true), (json!("a"), false)]),
        ("contains($, 'a') or contains($, \"b\")", plan, vec![(json!("xb"), true), (json!("xc"), false)]),
        ("not startsWith($, 'a')", plan, vec![(json!("ab"), false), (json!("ba"), true)]),
        ("matches($, '[0-9]+')", plan, vec![(json!("x9"), true), (json!("x"), false)]),
        ("== 5", amount, vec![(json!(5), true), (json!(6), false)]),
        ("$ > 5", amount, vec![(json!(6), true), (json!(5), false)]),
        ("1_000_000", amount, vec![(json!(1_000_000), true)]),
        ("-10", amount, vec![(json!(-10), true), (json!(10), false)]),
        ("> 5 and <= 10", amount, vec![(json!(5), false), (json!(10), true)]),
        ("<= 10 and >= -5", amount, vec![(json!(-5), true), (json!(10.5), false)]),
        ("[1..10)", amount, vec![(json!(1), true), (json!(10), false)]),
        ("(-5..0]", amount, vec![(json!(-5), false), (json!(0), true)]),
        ("not in (1..10)", amount, vec![(json!(10), true), (json!(9), false)]),
        ("1 or 2", amount, vec![(json!(2), true), (json!(3), false)]),
        ("true", vip, vec![(json!(true), true), (json!(false), false)]),
        ("!= true", vip, vec![(json!(true), false), (json!(false), true)]),
    ]
}

/// A graph with a row for each case.
fn graph(cases: &[Case]) -> String {
    let input = |name: &str| json!({ "id": name, "field": format!("event.{name}") });
    let inputs: Vec<Value> = ["case"].into_iter().chain(ATTRIBUTES).map(input).collect();
    let rules = cases.iter().enumerate().map(|(nth, (test, attribute, _))| {
        let mut rule = json!({ "_id": nth.to_string(), "case": format!("'case {nth}'"), "verdict": "'yes'" });
        rule[ATTRIBUTES[*attribute]] = json!(test);
        rule
    });
    let content = json!({ "hitPolicy": "first", "inputs": inputs, "outputs": [{ "id": "verdict", "field": "verdict" }],
        "rules": rules.collect::<Vec<_>>() });
    json!({ "nodes": [{ "id": "t", "name": "Judged", "type": "decisionTableNode", "content": content }] }).to_string()
}

/// A model with a row for each case, told apart by `event.case`.
fn model(cases: &[Case]) -> String {
    let input = |name: &str| format!("<input><inputExpression><text>event.{name}</text></inputExpression></input>");
    let entry = |text: &str| format!("<inputEntry><text>{}</text></inputEntry>", text.replace('<', "&lt;"));
    let rules = cases.iter().enumerate().map(|(nth, (test, attribute, _))| {
        let tests =
            (0..ATTRIBUTES.len()).map(|at| entry(if at == *attribute { test } else { "-" })).collect::<String>();
        format!(
            "<rule>{}{tests}<outputEntry><text>\"yes\"</text></outputEntry></rule>",
            entry(&format!("\"case {nth}\""))
        )
    });
    format!(
        "<definitions xmlns=\"https://www.omg.org/spec/DMN/20230324/MODEL/\"><decision name=\"Judged\">\
         <decisionTable hitPolicy=\"FIRST\">{}{}<output name=\"verdict\"/>{}</decisionTable></decision></definitions>",
        input("case"),
        ATTRIBUTES.map(input).concat(),
        rules.collect::<String>()
    )
}

/// A configuration with one playbook over one table.
fn configuration(folder: &Path, table: &str) {
    fs::create_dir_all(folder.join("playbooks")).unwrap();
    fs::create_dir_all(folder.join("tables")).unwrap();
    let optional = ["plan = \"string", "amount = \"decimal", "vip = \"bool", "at = \"timestamp", "wait = \"duration"];
    let optional = optional.map(|field| field.replace("= ", "= { type = ") + "\", optional = true }\n").concat();
    let context = format!("[events.\"it.happened\"]\ncase = \"string\"\n{optional}");
    fs::write(folder.join("context.toml"), context).unwrap();
    let playbook = format!(
        "playbook = \"judge\"\nversion = 1\non = [\"it.happened\"]\n\n[outcome]\nverdict = \"string\"\n\n[default]\n\
         then = {{ verdict = \"no\" }}\n\n[[tables]]\nfile = \"tables/{table}\"\n"
    );
    fs::write(folder.join("playbooks/judge.toml"), playbook).unwrap();
    fs::copy(root().join("config/forthwith.toml"), folder.join("forthwith.toml")).unwrap();
}

#[test]
fn a_table_of_dmn_decides_as_its_model_says() {
    let cases = cases();
    decides_as_its_model("judged.dmn", &model(&cases), &cases);
}

#[test]
fn a_table_of_jdm_decides_as_its_graph_says() {
    let cases = zen_cases();
    decides_as_its_model("judged.json", &graph(&cases), &cases);
}

/// Imports the file into a configuration, decides on an event for each value of each case, and compares.
fn decides_as_its_model(file: &str, text: &str, cases: &[Case]) {
    let folder = folder();
    let config = folder.path().join("config");
    configuration(&config, "judged.csv");
    let file = folder.path().join(file);
    fs::write(&file, text).unwrap();
    let (code, _, err) =
        run(forthwith().arg("import").arg(&file).arg("--output").arg(config.join("tables/judged.csv")));
    assert_eq!(code, 0, "{err}");
    let mut events = String::new();
    let mut expected = Vec::new();
    for (nth, (test, attribute, values)) in cases.iter().enumerate() {
        for (value, passes) in values {
            let mut data = json!({ "case": format!("case {nth}") });
            if !value.is_null() {
                data[ATTRIBUTES[*attribute]] = value.clone();
            }
            let event = json!({ "specversion": "1.0", "id": expected.len().to_string(), "source": "s", "subject": "c",
                "type": "it.happened", "time": "2026-01-01T00:00:00Z", "data": data });
            events.push_str(&format!("{event}\n"));
            expected.push((test, value, if *passes { "yes" } else { "no" }));
        }
    }
    let input = folder.path().join("events.jsonl");
    fs::write(&input, events).unwrap();
    let (code, out, err) =
        run(forthwith().args(["decide", "judge", "--input"]).arg(&input).arg("--config").arg(&config));
    assert_eq!(code, 0, "{err}");
    let decided: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(decided.len(), expected.len());
    for (decision, (test, value, verdict)) in decided.iter().zip(expected) {
        assert_eq!(decision["outcome"]["verdict"], verdict, "{test} of {value}");
    }
}

#[test]
fn a_decision_of_several_is_chosen_and_what_to_do_next_is_said() {
    let (code, _, err) = run(forthwith().args(["import", DISCOUNT]));
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("holds 2 tables, choose one with `--table`: `Discount`, `Shipping`"), "{err}");
    let (code, _, err) = run(forthwith().args(["import", DISCOUNT, "--table", "Discount"]));
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("--map \"Plan of the customer=event.NAME\""), "{err}");
    let map = ["--map", "Customer Plan=customer.plan"];
    let (code, out, err) = run(forthwith().args(["import", DISCOUNT, "--table", "Discount"]).args(map));
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!(format!("{out}\n{err}"));
}

#[test]
fn what_does_not_translate_is_listed_and_rows_are_left_out_only_when_asked() {
    let folder = folder();
    let output = folder.path().join("risk.csv");
    let import = |more: &[&str]| {
        let mut command = forthwith();
        command.args(["import", "tests/fixtures/interchange/untranslatable.dmn"]);
        command.args(["--map", "Age=event.age", "--map", "risk level=risk", "--output"]).arg(&output).args(more);
        run(&mut command)
    };
    let (code, _, err) = import(&[]);
    assert_eq!(code, 1, "{err}");
    assert!(
        err.starts_with("5 faults in `tests/fixtures/interchange/untranslatable.dmn`, nothing is written:"),
        "{err}"
    );
    assert!(!output.exists());
    let (code, _, err) = import(&["--skip-untranslated"]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("5 faults in `tests/fixtures/interchange/untranslatable.dmn`, 2 of 3 rows are left out:"),
        "{err}"
    );
    assert_eq!(fs::read_to_string(&output).unwrap(), "id,in:event.age,in:event.day,out:risk\nr3,40,,medium\n");
    let (code, _, err) = import(&["--skip-untranslated", "--zone", "-02:00", "--force"]);
    assert_eq!(code, 2, "{err}");
    let nameless = ["import", "tests/fixtures/interchange/untranslatable.dmn", "--skip-untranslated"];
    let (code, _, err) = run(forthwith().args(nameless));
    let why = "`--skip-untranslated` leaves out rows, not columns: what stops it is the missing `--map` of 2 columns";
    assert_eq!((code, err.contains(why)), (1, true), "{err}");
}

#[test]
fn a_file_that_exists_is_written_over_only_by_force() {
    let folder = folder();
    let (table, copy) = (folder.path().join("t.csv"), folder.path().join("t.dmn"));
    let csv = "id,in:event.a,out:b\na,1,2\n";
    fs::write(&table, csv).unwrap();
    fs::write(&copy, "mine").unwrap();
    let export = |more: &[&str]| {
        run(forthwith().arg("export").arg(&table).args(["--format=dmn", "--output"]).arg(&copy).args(more))
    };
    let import = |more: &[&str]| run(forthwith().arg("import").arg(&copy).arg("--output").arg(&table).args(more));
    let refused =
        |file: &Path| format!("error: `{}` exists, nothing is written: `--force` writes over it\n", file.display());
    let (code, _, err) = export(&[]);
    assert_eq!((code, err, fs::read_to_string(&copy).unwrap()), (1, refused(&copy), "mine".to_owned()));
    let (code, _, err) = export(&["--force"]);
    assert_eq!(code, 0, "{err}");
    fs::write(&table, "mine").unwrap();
    let (code, _, err) = import(&[]);
    assert_eq!((code, err, fs::read_to_string(&table).unwrap()), (1, refused(&table), "mine".to_owned()));
    let (code, _, err) = import(&["--force"]);
    assert_eq!((code, fs::read_to_string(&table).unwrap().as_str()), (0, csv), "{err}");
}

#[test]
fn a_table_beside_tables_is_to_be_put_there() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("tables")).unwrap();
    let said = |output: &str| {
        let mut command = forthwith();
        command.args(["import", DISCOUNT, "--table", "Discount", "--map", "Customer Plan=customer.plan", "--output"]);
        let (code, _, err) = run(command.arg(folder.path().join(output)));
        assert_eq!((code, err.contains("\n\n[[tables]]\nfile = \"tables/u.csv\"\n")), (0, true), "{err}");
        err.lines().find(|line| line.ends_with("a playbook names it so:")).unwrap_or_default().to_owned()
    };
    assert_eq!(said("tables/u.csv"), "a playbook names it so:");
    assert_eq!(said("u.csv"), "put it into `tables/`, and a playbook names it so:");
}

#[test]
fn a_table_goes_out_as_dmn_and_jdm_and_comes_back_the_same() {
    let folder = folder();
    let csv = "id,in:customer.plan,in:event.amount,out:queue,note\na,\"business, enterprise\",> 5,billing,Paid\nb,not(free),[1..5],general,\n";
    let table = folder.path().join("tier.csv");
    fs::write(&table, csv).unwrap();
    for format in ["dmn", "jdm"] {
        let file = folder.path().join(format!("tier.{format}"));
        let (code, _, err) =
            run(forthwith().arg("export").arg(&table).args(["--format", format, "--output"]).arg(&file));
        assert_eq!((code, err.contains("2 rows of table `tier` are written to")), (0, true), "{err}");
        let (code, out, err) = run(forthwith().arg("import").arg(&file));
        assert_eq!((code, out.as_str()), (0, csv), "{err}");
        assert!(err.contains("[[tables]]\nfile = \"tables/tier.csv\"\nhit_policy = \"first\"\n"), "{err}");
    }
}

#[test]
fn an_export_knows_the_types_of_its_playbook() {
    let folder = folder();
    let table = folder.path().join("t.csv");
    fs::write(&table, "in:event.subject,out:queue,out:tags\n\"10, two\",cards,\"a, b\"\n").unwrap();
    let export = |more: &[&str]| run(forthwith().arg("export").arg(&table).args(["--format", "dmn"]).args(more));
    let (code, _, err) = export(&[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("column `in:event.subject`: `10` is written like a number and `two` like a text"), "{err}");
    let (code, out, err) = export(&["--playbook", "ticket_routing"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("<inputEntry><text>&quot;10&quot;, &quot;two&quot;</text></inputEntry>"), "{out}");
    assert!(out.contains("<outputEntry><text>[&quot;a&quot;, &quot;b&quot;]</text></outputEntry>"), "{out}");
    let (code, _, err) = export(&["--playbook", "ticket_rooting"]);
    assert_eq!(
        (code, err.contains("there is no playbook `ticket_rooting` (did you mean `ticket_routing`?)")),
        (1, true),
        "{err}"
    );
}

#[test]
fn a_worksheet_becomes_a_table() {
    let folder = folder();
    let file = folder.path().join("rules.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet().set_name("Routing").unwrap();
    for (column, text) in (0..).zip(["in:event.amount", "in:customer.vip", "out:queue"]) {
        sheet.write(0, column, text).unwrap();
    }
    sheet.write(1, 0, 10).unwrap();
    sheet.write(1, 1, false).unwrap();
    sheet.write(1, 2, "billing").unwrap();
    book.save(&file).unwrap();
    let (code, out, err) = run(forthwith().arg("import").arg(&file));
    assert_eq!((code, out.as_str()), (0, "in:event.amount,in:customer.vip,out:queue\n10,false,billing\n"), "{err}");
    assert!(err.contains("[[tables]]\nfile = \"tables/routing.csv\"\n"), "{err}");
}

#[test]
fn a_command_that_cannot_be_done_says_why() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(path("cut.dmn"), "<definitions><decision").unwrap();
    fs::write(path("latin.json"), b"{\"nodes\": \"\xe9\"}").unwrap();
    fs::write(path("fake.xlsx"), "not a workbook").unwrap();
    fs::write(path("empty.json"), "{\"nodes\": []}").unwrap();
    fs::write(path("t.csv"), "in:event.a,out:b\n1,2\n").unwrap();
    let mut shown = String::new();
    for args in [
        vec!["import".to_owned(), path("nothing.dmn")],
        vec!["import".to_owned(), path("t.csv")],
        vec!["import".to_owned(), path("cut.dmn")],
        vec!["import".to_owned(), path("latin.json")],
        vec!["import".to_owned(), path("fake.xlsx")],
        vec!["import".to_owned(), path("empty.json")],
        vec!["import".to_owned(), ROUTING.to_owned(), "--table".to_owned(), "Rooting".to_owned()],
        vec!["import".to_owned(), ROUTING.to_owned(), "--map".to_owned(), "Amount".to_owned()],
        vec!["import".to_owned(), ROUTING.to_owned(), "--zone".to_owned(), "Paris".to_owned()],
        vec!["export".to_owned(), path("t.csv"), "--format".to_owned(), "xml".to_owned()],
        vec!["export".to_owned(), path("t.csv"), "--format=dmn".to_owned(), "--hit-policy=best".to_owned()],
        vec!["export".to_owned(), path("t.csv"), "--format=dmn".to_owned(), "--aggregation=sum".to_owned()],
        vec!["export".to_owned(), path("t.csv"), "--format=jdm".to_owned(), "--hit-policy=unique".to_owned()],
        vec!["export".to_owned(), path("t.csv"), "--format=dmn".to_owned(), "--hit-policy=priority".to_owned()],
    ] {
        let (code, out, err) = run(forthwith().args(&args));
        assert_eq!(out, "");
        let err = err.replace(&*folder.path().to_string_lossy(), "DIR");
        shown.push_str(&format!("{code}: {}\n", err.trim_end()));
    }
    insta::assert_snapshot!(shown);
}
