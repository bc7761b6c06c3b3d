//! What translates comes back as it went.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::listed;
use crate::domain::{Decimal, TimeDelta, Timestamp};
use crate::interchange::{
    HitPolicy, Input, Kind, Literal, Order, OurTable, Output, Range, Row, Setting, Sheet, Test, TextTest,
    Untranslatable, read_csv, read_dmn, read_jdm, write_csv, write_dmn, write_jdm,
};

/// Pieces of texts that are hard to write.
const HARD: &[&str] = &[
    "true", "10", "007", "2h", "-", "not(a)", "[1..2]", "=1", "a, b", "\\", "'", "\"", " ", "\n", "é", "]]>", "\u{1}",
];

/// Texts that are hard to write: quotes, escapes, commas, brackets, line ends, words that look like something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z]{1,8}( [a-z]{1,4})?",
        2 => vec(prop_oneof![proptest::sample::select(HARD).prop_map(str::to_owned), "[ -~]{0,3}".prop_map(String::from)], 0..4)
            .prop_map(|parts| parts.concat()),
    ]
}

/// Texts that Zen can write.
fn zen_text() -> impl Strategy<Value = String> {
    text().prop_filter("Zen has no escapes", |text| !(text.contains('\'') && text.contains('"')))
}

fn literal(kind: Kind, text: BoxedStrategy<String>) -> BoxedStrategy<Literal> {
    match kind {
        Kind::Text | Kind::List => text.prop_map(Literal::Text).boxed(),
        Kind::Number => any::<i64>().prop_map(|units| Literal::Number(Decimal::from_units(units))).boxed(),
        Kind::Bool => any::<bool>().prop_map(Literal::Bool).boxed(),
        Kind::Time => (0..4_000_000_000_000_000_i64).prop_map(|at| Literal::Time(Timestamp::from_micros(at))).boxed(),
        Kind::Duration => {
            let length = -1_000_000_000_000_000..1_000_000_000_000_000_i64;
            length.prop_map(|micros| Literal::Duration(TimeDelta::from_micros(micros))).boxed()
        }
    }
}

fn test(kind: Kind, text: BoxedStrategy<String>, text_tests: &'static [TextTest]) -> BoxedStrategy<Test> {
    let one = literal(kind, text.clone());
    let one_of = vec(one.clone(), 1..4).prop_map(Test::OneOf);
    let plain = match kind {
        Kind::Text => {
            let tests = (proptest::sample::select(text_tests), vec(text, 1..3));
            prop_oneof![one_of, tests.prop_map(|(test, args)| Test::Text(test, args))].boxed()
        }
        Kind::Bool | Kind::List => one_of.boxed(),
        Kind::Number | Kind::Time | Kind::Duration => {
            let orders = [Order::Less, Order::LessOrEqual, Order::Greater, Order::GreaterOrEqual];
            let compare =
                (proptest::sample::select(orders.to_vec()), one.clone()).prop_map(|(o, with)| Test::Compare(o, with));
            let range = (one.clone(), any::<bool>(), one, any::<bool>())
                .prop_map(|(low, low_in, high, high_in)| Test::Within(Range { low, low_in, high, high_in }));
            prop_oneof![one_of, compare, range].boxed()
        }
    };
    let not = plain.clone().prop_map(|test| Test::Not(Box::new(test)));
    prop_oneof![1 => Just(Test::Any), 3 => plain, 1 => not].boxed()
}

fn setting(kind: Kind, text: BoxedStrategy<String>) -> BoxedStrategy<Setting> {
    match kind {
        Kind::List => vec("[a-z]{1,5}", 1..4)
            .prop_map(|items| Setting::List(items.into_iter().map(Literal::Text).collect()))
            .boxed(),
        kind => literal(kind, text).prop_map(Setting::Value).boxed(),
    }
}

type Shape = (&'static [Kind], &'static [TextTest], BoxedStrategy<String>);

fn sheet((kinds, text_tests, text): Shape, hit_policy: HitPolicy) -> impl Strategy<Value = Sheet> {
    let kind = || proptest::sample::select(kinds);
    (vec(kind(), 1..4), vec(prop_oneof![kind(), Just(Kind::List)], 1..3)).prop_flat_map(move |(inputs, outputs)| {
        let tests: Vec<_> = inputs.iter().map(|kind| test(*kind, text.clone(), text_tests)).collect();
        let settings: Vec<_> = outputs.iter().map(|kind| setting(*kind, text.clone())).collect();
        let row = (
            tests,
            settings,
            "[ -~]{0,9}".prop_map(|note| Some(note.trim().to_owned()).filter(|note| !note.is_empty())),
        );
        let column = |nth: usize| format!("c{nth}");
        let inputs: Vec<Input> = (0..inputs.len())
            .map(|nth| Input { expression: format!("event.{}", column(nth)), ..Input::default() })
            .collect();
        let outputs: Vec<Output> = (0..)
            .zip(&outputs)
            .map(|(nth, kind)| Output { name: column(nth), kind: Some(*kind), ..Output::default() })
            .collect();
        vec(row, 1..5).prop_map(move |rows| Sheet {
            name: "it".to_owned(),
            hit_policy,
            aggregation: None,
            inputs: inputs.clone(),
            outputs: outputs.clone(),
            rows: (0..)
                .zip(rows)
                .map(|(nth, (tests, settings, note))| Row {
                    number: 0,
                    id: Some(format!("row <{nth}>")),
                    note,
                    tests: tests.into_iter().map(Ok).collect(),
                    settings: settings.into_iter().map(Ok).collect(),
                })
                .collect(),
            remarks: Vec::new(),
        })
    })
}

/// The sheet as CSV, and what is read back from it; `None` if a cell cannot be written.
fn through_csv(sheet: &Sheet) -> Option<(String, Sheet)> {
    let csv = write_csv(sheet, &[], Untranslatable::Refused).ok()?.csv;
    let kinds: BTreeMap<String, Kind> =
        sheet.outputs.iter().filter_map(|output| Some((format!("out:{}", output.name), output.kind?))).collect();
    let table = OurTable { name: "it", csv: &csv, hit_policy: sheet.hit_policy, aggregation: None, kinds: &kinds };
    let read = read_csv(&table).unwrap_or_else(|faults| panic!("{csv}\n{}", listed(&faults)));
    Some((csv, read))
}

fn csv_of(sheet: &Sheet) -> String {
    write_csv(sheet, &[], Untranslatable::Refused).unwrap_or_else(|faults| panic!("{}", listed(&faults))).csv
}

const DMN_KINDS: &[Kind] = &[Kind::Text, Kind::Number, Kind::Bool, Kind::Time, Kind::Duration];
const DMN_TEXT_TESTS: &[TextTest] = &[TextTest::Contains, TextTest::StartsWith, TextTest::EndsWith];
const JDM_KINDS: &[Kind] = &[Kind::Text, Kind::Number, Kind::Bool];
const JDM_TEXT_TESTS: &[TextTest] = &[TextTest::Contains, TextTest::StartsWith, TextTest::EndsWith, TextTest::Matches];

/// Zen has no `not` of a comparison or of several texts: it says the opposite, or nothing.
fn has_own_form_in_zen(test: &Test) -> bool {
    match test {
        Test::Not(test) => match &**test {
            Test::Compare(..) => false,
            Test::Text(_, args) => args.len() == 1,
            _ => true,
        },
        _ => true,
    }
}

proptest! {
    #[test]
    fn csv_leads_back_to_the_same_tests(sheet in sheet((DMN_KINDS, DMN_TEXT_TESTS, text().boxed()), HitPolicy::Any)) {
        if let Some((_, read)) = through_csv(&sheet) {
            for (row, back) in sheet.rows.iter().zip(&read.rows) {
                prop_assert_eq!(&row.tests, &back.tests);
                prop_assert_eq!(&row.settings, &back.settings);
                prop_assert_eq!((&row.id, &row.note), (&back.id, &back.note));
            }
        }
    }

    #[test]
    fn csv_by_way_of_dmn_is_the_same_csv(sheet in sheet((DMN_KINDS, DMN_TEXT_TESTS, text().boxed()), HitPolicy::RuleOrder)) {
        if let Some((csv, read)) = through_csv(&sheet) {
            let xml = write_dmn(&read).unwrap_or_else(|faults| panic!("{csv}\n{}", listed(&faults)));
            let mut tables = read_dmn(&xml, None).unwrap().tables;
            let back = tables.remove(0).unwrap_or_else(|faults| panic!("{xml}\n{}", listed(&faults)));
            prop_assert_eq!(back.hit_policy, HitPolicy::RuleOrder);
            prop_assert_eq!(csv_of(&back), csv);
        }
    }

    #[test]
    fn csv_by_way_of_jdm_is_the_same_csv(sheet in sheet((JDM_KINDS, JDM_TEXT_TESTS, zen_text().boxed()), HitPolicy::Collect)) {
        let is_sayable = sheet.rows.iter().flat_map(|row| &row.tests).flatten().all(has_own_form_in_zen);
        if let (true, Some((csv, read))) = (is_sayable, through_csv(&sheet)) {
            let json = write_jdm(&read).unwrap_or_else(|faults| panic!("{csv}\n{}", listed(&faults)));
            let mut tables = read_jdm(&json).unwrap().tables;
            let back = tables.remove(0).unwrap_or_else(|faults| panic!("{json}\n{}", listed(&faults)));
            prop_assert_eq!(back.hit_policy, HitPolicy::Collect);
            prop_assert_eq!(csv_of(&back), csv);
        }
    }
}
