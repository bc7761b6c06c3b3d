//! Bytes of strangers: a clear fault, never a panic.

use proptest::prelude::*;

use super::{DISCOUNT, ODD_DMN, ODD_JDM, ROUTING, listed};
use crate::interchange::{Fault, Model, Workbook, feel, our_cell, read_dmn, read_jdm, zen};

fn faults_of(model: Result<Model, Vec<Fault>>) -> String {
    match model {
        Err(faults) => listed(&faults),
        Ok(model) => {
            model.tables.iter().filter_map(|table| table.as_ref().err()).map(|faults| listed(faults)).collect()
        }
    }
}

fn dmn_fault(text: &str) -> String {
    faults_of(read_dmn(text, None))
}

fn jdm_fault(text: &str) -> String {
    faults_of(read_jdm(text))
}

#[test]
fn a_file_that_is_no_dmn_says_so() {
    let model = |inner: &str| {
        format!("<definitions xmlns=\"http://www.omg.org/spec/DMN/20151101/dmn.xsd\">{inner}</definitions>")
    };
    let bomb = "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><definitions>&b;</definitions>";
    let table =
        "<decision name=\"D\"><decisionTable><input/><output/><rule><inputEntry/></rule></decisionTable></decision>";
    let faults = [
        dmn_fault(""),
        dmn_fault("PK\u{3}\u{4}"),
        dmn_fault(&DISCOUNT[..DISCOUNT.len() / 2]),
        dmn_fault("<html/>"),
        dmn_fault("<definitions xmlns=\"urn:other\"/>"),
        dmn_fault(bomb),
        dmn_fault(&model(table)),
        dmn_fault(&model("<decision><decisionTable/></decision>")),
    ];
    insta::assert_snapshot!(faults.join("\n\n"));
}

#[test]
fn a_file_that_is_no_jdm_says_so() {
    let node = |content: &str| format!("{{\"nodes\":[{{\"name\":\"T\",\"type\":\"decisionTableNode\"{content}}}]}}");
    let faults = [
        jdm_fault(""),
        jdm_fault(&ROUTING[..ROUTING.len() / 2]),
        jdm_fault("[]"),
        jdm_fault("{\"nodes\": 5}"),
        jdm_fault(&node("")),
        jdm_fault(&node(",\"content\":{\"hitPolicy\":7,\"inputs\":[],\"outputs\":[{}],\"rules\":{}}")),
        jdm_fault(&node(
            ",\"content\":{\"inputs\":[{\"id\":\"a\"},{\"id\":\"a\"}],\"outputs\":[{\"id\":\"x\"}],\"rules\":[5]}",
        )),
    ];
    insta::assert_snapshot!(faults.join("\n\n"));
}

#[test]
fn nesting_and_numbers_have_bounds() {
    let deep = "<a>".repeat(200_000);
    assert!(dmn_fault(&deep).contains("not readable as XML"));
    assert!(jdm_fault(&"[".repeat(200_000)).contains("not readable as JSON"));
    let nested = format!("{}5{}", "not(".repeat(10_000), ")".repeat(10_000));
    assert!(feel::read_test(&nested, None).is_err());
    let columns: Vec<String> = (0..2_000).map(|nth| format!("{{\"id\":\"{nth}\",\"field\":\"f\"}}")).collect();
    let wide = format!(
        "{{\"nodes\":[{{\"name\":\"T\",\"type\":\"decisionTableNode\",\"content\":{{\"inputs\":[{0}],\"outputs\":[{0}],\"rules\":[]}}}}]}}",
        columns.join(",")
    );
    assert!(jdm_fault(&wide).contains("has 2000 inputs, the limit is 1024"), "{}", jdm_fault(&wide));
    let columns: Vec<String> = (0..1_000).map(|nth| format!("{{\"id\":\"{nth}\",\"field\":\"f\"}}")).collect();
    let empty = format!(
        "{{\"nodes\":[{{\"name\":\"T\",\"type\":\"decisionTableNode\",\"content\":{{\"inputs\":[{0}],\"outputs\":[{0}],\"rules\":[{1}]}}}}]}}",
        columns.join(","),
        vec!["{}"; 6_000].join(",")
    );
    assert!(jdm_fault(&empty).contains("more than 10000000 cells"), "{}", jdm_fault(&empty));
    let long = format!("\"{}\"", "x".repeat(20_000));
    let table = DISCOUNT.replace("[100..1000)", &long.replace('"', "&quot;"));
    let sheet = read_dmn(&table, None).unwrap().tables.remove(0).unwrap();
    assert!(listed(&sheet.untranslated()).contains("the cell has 20002 bytes, the limit is 16384"));
}

proptest! {
    #[test]
    fn no_cell_stops_a_reader(text in "\\PC{0,40}", cell in "[\\[\\]()<>=!.,\"'$?@\\\\ a-z0-9_-]{0,24}") {
        for text in [&text, &cell] {
            let _ = feel::read_test(text, None);
            let _ = feel::read_setting(text, None);
            let _ = zen::read_test(text);
            let _ = zen::read_setting(text);
            let _ = our_cell::read_test(text, None).map(|test| test.to_cell());
            let _ = our_cell::read_setting(text, None);
        }
    }

    #[test]
    fn no_file_stops_a_reader(at in any::<prop::sample::Index>(), cut in any::<bool>(), with in "[<>&\"'{}\\[\\]a-z0-9]{0,4}") {
        for text in [DISCOUNT, ODD_DMN, ROUTING, ODD_JDM] {
            let mut at = at.index(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let end = if cut { "" } else { &text[at..] };
            let changed = format!("{}{with}{end}", &text[..at]);
            let _ = dmn_fault(&changed);
            let _ = jdm_fault(&changed);
        }
    }

    #[test]
    fn no_bytes_stop_the_reader_of_workbooks(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Workbook::open(bytes).is_err());
    }
}
