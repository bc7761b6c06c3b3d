//! Cells of FEEL and Zen, one by one.

use crate::interchange::{Kind, Zone, feel, our_cell, zen};

fn shown(cell: Result<String, String>) -> String {
    cell.unwrap_or_else(|why| format!("untranslated: {why}"))
}

fn from_feel(text: &str) -> String {
    shown(feel::read_test(text, None).and_then(|test| test.to_cell()))
}

fn from_zen(text: &str) -> String {
    shown(zen::read_test(text).and_then(|test| test.to_cell()))
}

#[test]
fn unary_tests_of_feel_become_cells() {
    for (text, cell) in [
        ("-", ""),
        ("", ""),
        ("\"a\"", "a"),
        ("\"a\" , \"b c\"", "a, b c"),
        ("\"a, b\"", "\"a, b\""),
        ("\"10\"", "\"10\""),
        ("\"say \\\"hi\\\" \\u00e9\"", r#""say \"hi\" é""#),
        ("not(\"a\", \"b\")", "not(a, b)"),
        ("not (> 5)", "not(> 5)"),
        ("10", "10"),
        ("-10", "-10"),
        (".5", "0.5"),
        ("1,2, 3.50", "1, 2, 3.5"),
        (">=18", ">= 18"),
        ("< -0.25", "< -0.25"),
        ("= 5", "5"),
        ("!= 5", "not(5)"),
        ("[1..10]", "[1..10]"),
        ("(1 .. 10)", "(1..10)"),
        ("]1..10[", "(1..10)"),
        ("[-5.5..-1)", "[-5.5..-1)"),
        ("true", "true"),
        ("not(false)", "not(false)"),
        ("> date and time(\"2026-01-31T10:00:00+01:00\")", "> 2026-01-31T09:00:00Z"),
        ("@\"2026-01-31T10:00:00Z\"", "2026-01-31T10:00:00Z"),
        ("<= duration(\"P1DT2H30M\")", "<= 1d2h30m"),
        ("duration(\"-PT0.5S\")", "-500ms"),
        ("@\"PT90M\"", "1h30m"),
        ("contains(?, \"a\"), contains(?,\"b\")", "contains(\"a\", \"b\")"),
        ("starts with(?, \"a\")", "startsWith(\"a\")"),
        ("not(ends with( ?, \"a\" ))", "not(endsWith(\"a\"))"),
        ("\"\\\"\\\"\"", r#""\"\"""#),
        ("\"\\\"\\\"\", \"a\"", r#""\"\"", a"#),
    ] {
        assert_eq!(from_feel(text), cell, "{text}");
    }
}

#[test]
fn what_feel_says_and_we_cannot_is_refused_with_its_reason() {
    let cells = [
        "null",
        "Age",
        "> Minimum",
        "[1..Maximum]",
        "10 + 5",
        "\"a\" + \"b\"",
        "< 18, > 65",
        "[1..5],[7..9]",
        "not(not(5))",
        "> \"a\"",
        "[\"a\"..\"f\"]",
        "[1..true]",
        "0.00001",
        "99999999999999999999",
        "1e5",
        "10a",
        "\"open",
        "\"\\q\"",
        "(5)",
        "[1..5",
        "not(",
        "date(\"2026-01-31\")",
        "date and time(\"2026-01-31T10:00:00\")",
        "date and time(\"2026-01-31T10:00:00@Europe/Paris\")",
        "date and time(\"2026-01-31T10:00:00.123456789Z\")",
        "date(2026, 1, 31)",
        "time(\"10:00:00\")",
        "@\"10:00:00\"",
        "duration(\"P1Y\")",
        "duration(\"P1D2H\")",
        "@\"P2M\"",
        "contains(Name, \"a\")",
        "matches(?, \"a+\")",
        "? > 5",
        "some x in ? satisfies x > 1",
    ];
    insta::assert_snapshot!(cells.map(|cell| format!("{cell}\n    {}", from_feel(cell))).join("\n"));
}

#[test]
fn unary_tests_of_zen_become_cells() {
    for (text, cell) in [
        ("", ""),
        ("'a'", "a"),
        ("'a', \"b c\"", "a, b c"),
        ("\"it's\"", "\"it's\""),
        ("'back\\slash'", r#""back\\slash""#),
        ("['a', 'b']", "a, b"),
        ("in ['a']", "a"),
        ("not in ['a', 'b']", "not(a, b)"),
        ("!= 'a'", "not(a)"),
        ("== 5", "5"),
        ("$ == 5", "5"),
        ("$ > 5", "> 5"),
        ("$ not in [1, 2]", "not(1, 2)"),
        ("1_000_000", "1000000"),
        ("-10", "-10"),
        ("> 0.5", "> 0.5"),
        ("> 5 and <= 10", "(5..10]"),
        ("<= 10 and >= -5", "[-5..10]"),
        ("[1..10)", "[1..10)"),
        ("(-5..0]", "(-5..0]"),
        ("not in [1..10]", "not([1..10])"),
        ("1 or 2", "1, 2"),
        ("true", "true"),
        ("contains($, 'a') or contains($, \"b\")", "contains(\"a\", \"b\")"),
        ("not startsWith($, 'a')", "not(startsWith(\"a\"))"),
        ("matches($, '[0-9]+')", "matches(\"[0-9]+\")"),
    ] {
        assert_eq!(from_zen(text), cell, "{text}");
    }
}

#[test]
fn what_zen_says_and_we_cannot_is_refused_with_its_reason() {
    let cells = [
        "-",
        "null",
        "limit",
        "> limit * 2",
        "5 * 2",
        "> 30, <= 60",
        ">= 50 and 'a'",
        "> 1 and > 2",
        "> 1 and < 5 and != 3",
        "[]",
        "['a', limit]",
        "['a'",
        "(5)",
        "[1..5",
        "$",
        "$ + 1 > 5",
        "$ not startsWith($, 'a')",
        "len($) > 3",
        "contains(customer.name, 'a')",
        "contains(['FL', 'LA'], $)",
        "!contains($, 'a')",
        "not ($ > 5)",
        "date($) > date('2026-01-01')",
        "`template ${a}`",
        "> 'a'",
        "0.00001",
        "'open",
        "1__0x",
    ];
    insta::assert_snapshot!(cells.map(|cell| format!("{cell}\n    {}", from_zen(cell))).join("\n"));
}

#[test]
fn a_date_needs_a_zone_that_a_person_names() {
    let zone: Zone = "+01:00".parse().unwrap();
    let read = |text: &str| shown(feel::read_test(text, Some(&zone)).and_then(|test| test.to_cell()));
    assert_eq!(read("date(\"2026-01-31\")"), "2026-01-30T23:00:00Z");
    assert_eq!(read("> date and time(\"2026-01-31T10:00:00\")"), "> 2026-01-31T09:00:00Z");
    assert_eq!(read("[@\"2026-01-01\"..@\"2026-02-01\")"), "[2025-12-31T23:00:00Z..2026-01-31T23:00:00Z)");
    assert_eq!(
        "Paris".parse::<Zone>().unwrap_err(),
        "expected an offset from UTC such as `Z` or `+01:00`, found `Paris`"
    );
}

#[test]
fn outputs_are_literals_and_keep_their_spaces() {
    let feel = |text: &str| shown(feel::read_setting(text, None).and_then(|setting| setting.to_cell()));
    let zen = |text: &str| shown(zen::read_setting(text).and_then(|setting| setting.to_cell()));
    for (text, cell) in [
        ("\"billing\"", "billing"),
        ("\"a, b\"", "a, b"),
        ("\" edge \"", "=\" edge \""),
        ("\"=5\"", "=\"=5\""),
        ("\"\"", "=\"\""),
        ("12.50", "12.5"),
        ("true", "true"),
        ("[\"a\", \"b\"]", "a, b"),
        ("duration(\"PT1H\")", "1h"),
        ("[]", "untranslated: an empty list cannot be written: an empty cell is the default's value"),
        ("[\"a, b\"]", "untranslated: a list in a cell cannot hold the text `a, b`"),
        ("", "untranslated: an empty output is `null` in DMN; here an output is a value"),
        ("Rate * 2", "untranslated: `Rate` is not a literal; names, functions and calculations are not translated"),
    ] {
        assert_eq!(feel(text), cell, "{text}");
    }
    assert_eq!(zen("['a', 'b']"), "a, b");
    assert_eq!(zen(""), "");
    assert_eq!(zen("1 + 2"), "untranslated: `+ 2` after a value is not translated");
}

#[test]
fn our_own_cells_are_read_as_they_are_written_or_declared() {
    let read = |text: &str, kind| shown(our_cell::read_test(text, kind).and_then(|test| test.to_cell()));
    for (text, kind, cell) in [
        (" - ", None, ""),
        ("\"business\",enterprise", None, "business, enterprise"),
        ("10.50", None, "10.5"),
        ("\"10\"", None, "\"10\""),
        ("\"10\"", Some(Kind::Number), "10"),
        ("2h", None, "2h"),
        ("2h", Some(Kind::Text), "\"2h\""),
        ("007", Some(Kind::Text), "\"007\""),
        ("]0..1]", None, "(0..1]"),
        ("a..b", None, "\"a..b\""),
        ("!= a", None, "not(a)"),
        ("mentions(refund*, \"money back\")", None, "mentions(\"refund*\", \"money back\")"),
        ("a,,b", None, "untranslated: an item of the list is empty"),
        ("\"a", None, "untranslated: a quote is not closed"),
        ("not()", None, "untranslated: `not` needs something to exclude"),
        ("five", Some(Kind::Number), "untranslated: `five` is not a number: not a decimal number"),
        ("a", Some(Kind::List), "untranslated: tests of lists do not translate"),
    ] {
        assert_eq!(read(text, kind), cell, "{text}");
    }
}

#[test]
fn no_form_of_ours_becomes_a_text_in_silence() {
    let read = |text: &str, kind| shown(our_cell::read_test(text, kind).and_then(|test| test.to_cell()));
    let named_list = "untranslated: a named list has no counterpart in DMN/JDM";
    let open_range =
        "untranslated: `10..20` may be a range or a text; a range is written `[10..20]`, put a text in quotes";
    for (text, kind, cell) in [
        ("in list.blocked", None, named_list),
        ("in  list.blocked", Some(Kind::Text), named_list),
        ("not(in list.blocked)", None, named_list),
        ("in list.a, b", None, named_list),
        ("\"in list.blocked\"", None, "\"in list.blocked\""),
        ("in place", None, "in place"),
        ("10..20", None, open_range),
        ("\"10..20\"", None, "\"10..20\""),
        ("10..20", Some(Kind::Text), "\"10..20\""),
        ("10..20", Some(Kind::Number), "untranslated: `10..20` is not a number: not a decimal number"),
    ] {
        assert_eq!(read(text, kind), cell, "{text}");
    }
    let set = |text: &str, kind| shown(our_cell::read_setting(text, kind).and_then(|setting| setting.to_cell()));
    for (text, kind, cell) in [
        ("a, b", Some(Kind::List), "a, b"),
        ("a, b", Some(Kind::Text), "a, b"),
        ("=\"a, b\"", None, "a, b"),
        (
            "a, b",
            None,
            "untranslated: `a, b` may be a list or a text; write a text as `=\"a, b\"`, or name the playbook that declares \
             the field",
        ),
    ] {
        assert_eq!(set(text, kind), cell, "{text}");
    }
}
