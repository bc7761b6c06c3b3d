//! Files from end to end, as people meet them.

use std::collections::BTreeMap;

use super::{DISCOUNT, ODD_DMN, ODD_JDM, ROUTING, listed, said};
use crate::interchange::{
    Aggregation, HitPolicy, Kind, OurTable, Sheet, Untranslatable, playbook_lines, rank_outputs, read_csv, read_dmn,
    read_jdm, write_csv, write_dmn, write_jdm,
};

fn dmn(text: &str) -> Vec<Sheet> {
    read_dmn(text, None)
        .unwrap()
        .tables
        .into_iter()
        .map(|table| table.unwrap_or_else(|f| panic!("{}", listed(&f))))
        .collect()
}

/// The CSV, the remarks and the lines for the playbook.
fn translated(sheet: &Sheet, names: &[&str]) -> String {
    let written = write_csv(sheet, &said(names), Untranslatable::Refused).unwrap_or_else(|f| panic!("{}", listed(&f)));
    let lines = playbook_lines(sheet, "tables/it.csv", &written.fields);
    format!("{}\n{}\n\n{lines}", written.csv, sheet.remarks.join("\n"))
}

fn ours(csv: &str, hit_policy: HitPolicy, kinds: &[(&str, Kind)]) -> Result<Sheet, String> {
    let kinds: BTreeMap<String, Kind> = kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    read_csv(&OurTable { name: "it", csv, hit_policy, aggregation: None, kinds: &kinds }).map_err(|f| listed(&f))
}

#[test]
fn a_dmn_table_becomes_a_csv_table() {
    let sheets = dmn(DISCOUNT);
    assert_eq!(sheets.iter().map(|sheet| &*sheet.name).collect::<Vec<_>>(), ["Discount", "Shipping"]);
    insta::assert_snapshot!(translated(&sheets[0], &["Customer Plan=customer.plan"]));
    insta::assert_snapshot!(translated(&sheets[1], &[]));
}

#[test]
fn every_cell_of_dmn_that_does_not_translate_is_named() {
    let sheets = dmn(ODD_DMN);
    let refused = write_csv(&sheets[0], &said(&["Order=event.order"]), Untranslatable::Refused).unwrap_err();
    insta::assert_snapshot!(listed(&refused));
    let names = said(&["Applicant Age=event.age", "risk level=risk"]);
    let written = write_csv(&sheets[0], &names, Untranslatable::LeftOut).unwrap();
    assert_eq!(written.csv, "id,in:event.age,in:event.day,out:risk\nr3,40,,medium\n");
    assert_eq!((written.rows, written.left_out.len()), (1, 5));
}

#[test]
fn a_jdm_table_becomes_a_csv_table() {
    let model = read_jdm(ROUTING).unwrap();
    let sheet = model.tables.into_iter().next().unwrap().unwrap();
    insta::assert_snapshot!(translated(&sheet, &["Amount=event.amount"]));
    assert_eq!(model.remarks, ["other nodes of the graph are not translated: `tidy` (functionNode)"]);
}

#[test]
fn every_cell_of_jdm_that_does_not_translate_is_named() {
    let mut tables = read_jdm(ODD_JDM).unwrap().tables;
    let looped = tables.pop().unwrap().unwrap_err();
    let sheet = tables.pop().unwrap().unwrap();
    let refused = write_csv(&sheet, &[], Untranslatable::Refused).unwrap_err();
    insta::assert_snapshot!(format!("{}\n{}", listed(&refused), listed(&looped)));
}

#[test]
fn hit_policies_and_their_companions_come_along() {
    let table = |attributes: &str, values: &str| {
        format!(
            r#"<definitions xmlns="http://www.omg.org/spec/DMN/20151101/dmn.xsd"><decision name="Tier"><decisionTable {attributes}>
            <input><inputExpression><text>event.a</text></inputExpression></input>
            <output name="tier"><outputValues><text>{values}</text></outputValues></output>
            <rule><inputEntry><text>1</text></inputEntry><outputEntry><text>"gold"</text></outputEntry></rule>
            </decisionTable></decision></definitions>"#
        )
    };
    let lines =
        |attributes: &str, values: &str| match read_dmn(&table(attributes, values), None).unwrap().tables.remove(0) {
            Ok(sheet) => {
                playbook_lines(&sheet, "t.csv", &["tier".to_owned()]).lines().skip(2).collect::<Vec<_>>().join("; ")
            }
            Err(faults) => listed(&faults),
        };
    let policies = [
        lines("", ""),
        lines(r#"hitPolicy="FIRST""#, ""),
        lines(r#"hitPolicy="ANY""#, ""),
        lines(r#"hitPolicy="RULE ORDER""#, ""),
        lines(r#"hitPolicy="PRIORITY""#, r#""gold", "silver""#),
        lines(r#"hitPolicy="OUTPUT ORDER""#, "3, 2, 1"),
        lines(r#"hitPolicy="OUTPUT ORDER""#, "high, low"),
        lines(r#"hitPolicy="COLLECT""#, ""),
        lines(r#"hitPolicy="COLLECT" aggregation="COUNT""#, ""),
        lines(r#"hitPolicy="UNIQUE" aggregation="SUM""#, ""),
        lines(r#"hitPolicy="BEST" aggregation="AVG""#, ""),
    ];
    insta::assert_snapshot!(policies.join("\n"));
}

#[test]
fn a_cell_in_another_language_is_not_taken_for_feel() {
    let says = |whole: &str, cell: &str| {
        let model = format!(
            r#"<definitions xmlns="http://www.omg.org/spec/DMN/20151101/dmn.xsd" {whole}><decision name="D"><decisionTable>
            <input><inputExpression><text>event.a</text></inputExpression></input><output name="b"/>
            <rule><inputEntry {cell}><text><![CDATA[< 1]]>0</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>
            </decisionTable></decision></definitions>"#
        );
        match dmn(&model)[0].rows[0].tests[0].clone() {
            Ok(test) => test.to_cell().unwrap(),
            Err(untranslated) => untranslated.why,
        }
    };
    let feel = r#"expressionLanguage="http://www.omg.org/spec/FEEL/20140401""#;
    let newer = r#"expressionLanguage="https://www.omg.org/spec/DMN/20191111/FEEL/""#;
    let other = r#"expressionLanguage="juel""#;
    assert_eq!(
        [says("", ""), says(feel, ""), says(newer, ""), says(other, "expressionLanguage=\"feel\"")],
        ["< 10"; 4]
    );
    assert_eq!([says(other, ""), says("", other)], ["is not written in FEEL"; 2]);
}

#[test]
fn names_are_ours_or_said_and_never_guessed() {
    let tables = read_jdm(ROUTING).unwrap().tables;
    let sheet = tables[0].as_ref().unwrap();
    let refused = |names: &[&str]| listed(&write_csv(sheet, &said(names), Untranslatable::Refused).unwrap_err());
    let all = [
        refused(&[]),
        refused(&["Amount=event.amount", "cart.total=event.total"]),
        refused(&["Amount=event.subject"]),
        refused(&["Amount=queue"]),
        refused(&["Amount=event.amount", "Volume=event.volume"]),
        refused(&["Amount=event.amount", "out:Tags=queue"]),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn our_table_becomes_a_dmn_model() {
    let csv = "\
id,in:customer.plan,in:event.amount,in:now,out:percent,out:reason,note
a,\"business, enterprise\",[100..1000),,5,volume & more,<Sales>
b,not(free),>= 1000,< 2026-01-01T00:00:00Z,12.5,\"=\"\" two  words \"\"\",
";
    let sheet = ours(csv, HitPolicy::Unique, &[]).unwrap();
    let xml = write_dmn(&sheet).unwrap();
    insta::assert_snapshot!(xml);
    let back = dmn(&xml);
    assert_eq!(write_csv(&back[0], &[], Untranslatable::Refused).unwrap().csv, csv);
}

#[test]
fn our_table_becomes_a_jdm_graph() {
    let csv = "\
id,in:customer.plan,in:event.body,in:event.amount,out:queue,out:tags,note
a,\"business, enterprise\",\"not(contains(\"\"card\"\"))\",(0..50],billing,\"a, b\",Paid
b,not(free),,not([1..2]),general,,
";
    let sheet = ours(csv, HitPolicy::First, &[("out:tags", Kind::List)]).unwrap();
    let json = write_jdm(&sheet).unwrap();
    insta::assert_snapshot!(json);
    let back = read_jdm(&json).unwrap().tables;
    assert_eq!(write_csv(back[0].as_ref().unwrap(), &[], Untranslatable::Refused).unwrap().csv, csv);
}

#[test]
fn what_another_format_cannot_say_is_named_by_cell() {
    let csv = "\
in:event.body,in:event.wait,in:event.at,out:queue,out:level
\"mentions(\"\"refund*\"\")\",> 2h,,a,1
\"matches(\"\"[0-9]+\"\")\",,2026-01-01T00:00:00Z,=customer.vip ? 1 : 2,
\"contains(\"\"it's \\\"\"so\\\"\"\"\")\",,,=\"\",3
";
    let sheet = ours(csv, HitPolicy::Priority, &[]).unwrap();
    let (dmn, jdm) = (write_dmn(&sheet).unwrap_err(), write_jdm(&sheet).unwrap_err());
    insta::assert_snapshot!(format!("DMN\n{}\n\nJDM\n{}", listed(&dmn), listed(&jdm)));
}

#[test]
fn a_column_that_could_be_of_two_kinds_needs_its_playbook() {
    let csv = "in:event.code,out:level\n10,1\nabc,high\n\"\"\"30\"\"\",2\n";
    insta::assert_snapshot!(ours(csv, HitPolicy::First, &[]).unwrap_err());
    let sheet = ours(csv, HitPolicy::First, &[("in:event.code", Kind::Text), ("out:level", Kind::Text)]).unwrap();
    assert!(write_dmn(&sheet).unwrap().contains("<text>&quot;10&quot;</text>"));
    let refused = ours("in:event.code,out:level\n007,1\n", HitPolicy::First, &[]).unwrap().untranslated();
    assert_eq!(
        listed(&refused),
        "table `it`, row 1, column `in:event.code`, `007`: `007` may be a number or a text; put a text in quotes, or name the \
         playbook that declares its type"
    );
}

#[test]
fn rows_are_written_in_the_order_in_which_they_are_asked() {
    let csv = "id,priority,in:event.a,out:b\nlast,-1,1,1\nfirst,10,2,2\nmiddle,,3,3\n";
    let sheet = ours(csv, HitPolicy::First, &[]).unwrap();
    assert_eq!(sheet.rows.iter().filter_map(|row| row.id.as_deref()).collect::<Vec<_>>(), ["first", "middle", "last"]);
    // A fault names the row of the file.
    let sheet = ours("priority,in:event.a,out:b\n-1,1,=x\n10,2,2\n", HitPolicy::First, &[]).unwrap();
    assert!(listed(&sheet.untranslated()).starts_with("table `it`, row 1, column `out:b`"), "{sheet:?}");
}

#[test]
fn columns_that_only_we_have_do_not_go_out() {
    let refused = ours("in:event.a,enabled,valid_from,valid_until,out:b\n1,true,,,2\n", HitPolicy::First, &[]);
    let none = "this column has no counterpart in DMN/JDM";
    let faults = ["enabled", "valid_from", "valid_until"].map(|name| format!("table `it`, column `{name}`: {none}"));
    assert_eq!(refused.unwrap_err(), faults.join("\n"));
    let refused = ours("in:event.a,in:is_large,out:b\n1,true,2\n", HitPolicy::First, &[]);
    let why = "table `it`, column `in:is_large`: a named condition has no counterpart in DMN/JDM";
    assert_eq!(refused.unwrap_err(), why);
}

#[test]
fn a_table_of_ours_that_is_none_says_what_is_wrong() {
    let faults = [
        ours("", HitPolicy::First, &[]),
        ours("a,in:age.years,out:x-y,out:z,out:z\n", HitPolicy::First, &[]),
        ours("in:event.a,note\n", HitPolicy::First, &[]),
        ours("in:event.a,out:b,priority\n1,2\n1,2,x\n", HitPolicy::First, &[]),
    ];
    insta::assert_snapshot!(faults.map(Result::unwrap_err).join("\n\n"));
}

#[test]
fn importance_is_given_where_a_policy_needs_it() {
    let csv = "in:event.a,out:tier\n1,gold\n2,silver\n";
    let mut sheet = ours(csv, HitPolicy::Priority, &[]).unwrap();
    let refused = rank_outputs(&mut sheet, &["tire=gold".parse().unwrap()]).unwrap_err();
    assert_eq!(listed(&refused), "table `it`: the output values are of `tire`, which is no column");
    let missing = rank_outputs(&mut sheet, &[]).unwrap_err();
    assert!(listed(&missing).contains("--output-values"), "{missing:?}");
    rank_outputs(&mut sheet, &["tier=gold, silver".parse().unwrap()]).unwrap();
    let xml = write_dmn(&sheet).unwrap();
    assert!(xml.contains("<text>&quot;gold&quot;, &quot;silver&quot;</text>"), "{xml}");
    assert_eq!(dmn(&xml)[0].outputs[0].allowed, sheet.outputs[0].allowed);
}

#[test]
fn an_aggregation_goes_out_where_it_takes_what_the_cells_hold() {
    let csv = "in:event.a,out:tier,out:points,out:wait,out:until\n1,gold,5,2h,2026-01-01T00:00:00Z\n";
    let mut sheet = ours(csv, HitPolicy::Collect, &[]).unwrap();
    let written = |sheet: &mut Sheet, aggregation| {
        sheet.aggregation = Some(aggregation);
        match write_dmn(sheet) {
            Ok(xml) => format!("{:?}", dmn(&xml)[0].aggregation),
            Err(faults) => listed(&faults),
        }
    };
    let text = "table `it`, column `out:tier`: the aggregation `min` takes numbers, points in time and durations, and its cells are \
                each a text";
    assert_eq!(
        written(&mut sheet, Aggregation::Sum),
        "table `it`, column `out:tier`: the aggregation `sum` takes numbers and durations, and its cells are each a text\n\
         table `it`, column `out:until`: the aggregation `sum` takes numbers and durations, and its cells are each a point in time"
    );
    assert_eq!(written(&mut sheet, Aggregation::Min), text);
    assert_eq!(written(&mut sheet, Aggregation::Max), text.replace("`min`", "`max`"));
    assert_eq!(written(&mut sheet, Aggregation::Count), "Some(Count)");
}
