//! What conditions mean.

use super::*;
use Truth::{False, True};

/// An event in which everything is given.
fn full(scope: &Scope) -> Given {
    given(
        scope,
        &[
            ("now", time("2026-11-22T10:30:00Z")),
            ("event.subject", text("Card NOT\n working")),
            ("event.body", text("It can\u{2019}t pay. Grüße, Ann")),
            ("event.channel", Value::Symbol(1)),
            ("event.amount", decimal("10.55")),
            ("event.count", Value::Int(7)),
            ("event.labels", Value::List([text("vip"), text("eu")].into())),
            ("customer.vip", Value::Bool(true)),
            ("customer.since", time("2025-11-22T10:30:00Z")),
            ("signal.wait", hours(3)),
        ],
    )
}

#[test]
fn conditions_mean_what_cel_says() {
    let scope = scope();
    let values = full(&scope);
    for (source, expected) in [
        ("customer.vip", True),
        ("customer.vip == false", False),
        ("!customer.vip || true", True),
        ("event.channel == 'chat'", True),
        ("'email' != event.channel", True),
        ("event.channel in ['email', 'chat']", True),
        ("event.channel + '!' == 'chat!'", True),
        ("event.amount == 10.55 && event.amount >= 10.55 && event.amount < 10.5501", True),
        ("event.amount > 10 && 11 > event.amount", True),
        ("event.count > 6.5 && event.count < 7.5 && event.count >= 7 && 7 <= event.count", True),
        ("event.count > 7.0 || event.count < 7", False),
        ("event.count in [1, 7]", True),
        ("event.count == event.amount", False),
        ("decimal(event.count) / 2 == 3.5", True),
        ("event.count / 2 == 3 && event.count % 4 == 3", True),
        ("event.amount * 2 == 21.1", True),
        ("-event.count == -7", True),
        (
            "event.subject.contains('NOT') && event.subject.startsWith('Card') && event.subject.endsWith('working')",
            True,
        ),
        ("event.subject.lowerAscii().contains('not')", True),
        ("event.subject.matches('(?i)not\\\\s+working')", True),
        ("event.subject.mentions('not working')", True),
        ("event.body.mentions(\"can't pay\")", True),
        ("event.body.mentions('GRÜSSE', 'grüße')", True),
        ("[event.subject, event.body].mentions(['refund', 'ann'])", True),
        ("[event.subject, event.body].mentions('work', 'an')", False),
        ("(event.subject + event.body).mentions('working*')", True),
        ("size(event.labels) == 2 && event.body.size() == 24", True),
        ("'vip' in event.labels && !('us' in event.labels)", True),
        ("now - customer.since >= duration('365d')", True),
        ("customer.since + duration('1h') < now", True),
        ("now > timestamp('2026-11-22T10:29:59Z')", True),
        ("signal.wait > duration('2h59m')", True),
        ("now.getHours() == 10 && now.getMinutes() == 30 && now.getHours('+05:30') == 16", True),
        ("now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 22 && now.getDayOfWeek() == 0", True),
        ("customer.vip ? event.count == 7 : event.count == 8", True),
        ("(customer.vip ? event.count : 0) == 7", True),
        ("has(event.amount) && customer.?vip.orValue(false) && customer.?since.hasValue()", True),
        ("event.channel == 'chat' == customer.vip", True),
        ("event.channel in list.words && !(event.subject in list.words)", True),
        ("event.channel in list.folded && 'VIP' in list.folded && !('VI' in list.folded)", True),
        ("event.count in list.counts && event.count in list.amounts && event.amount in list.amounts", True),
        ("event.count + 2 in list.counts && 8 in list.counts", False),
        ("event.subject.trim().lowerAscii() in list.none || event.subject in list.none", False),
        ("size(list.words) == 4 && size(list.none) == 0", True),
        ("event.count + 1 in [8, 9] && event.count * 2 in [14.0, 1.5] && !(event.count + 1 in [7, 9])", True),
        ("event.subject.upperAscii() in ['CARD', 'CARD NOT\\n WORKING'] && !(event.channel + 'x' in ['chat'])", True),
        ("event.labels.exists(l, l == 'vip') && !event.labels.all(l, l == 'vip')", True),
        ("event.labels.exists_one(l, l.startsWith('v')) && !event.labels.exists_one(l, size(l) > 1)", True),
        ("event.labels.existsOne(l, l == 'eu') && event.labels.all(l, l in list.folded || l == 'eu')", True),
        ("size(event.labels.filter(l, l != 'eu')) == 1 && event.labels.filter(l, l != 'eu')[0] == 'vip'", True),
        ("event.labels.map(l, l.upperAscii()) == ['VIP', 'EU'] && 'EU' in event.labels.map(l, l.upperAscii())", True),
        ("event.labels.map(l, size(l) > 2, l + '!') == ['vip!'] && event.labels != ['vip']", True),
        ("event.count + 1 in [event.count, 8, size(event.body)] && !(event.count + 1 in [event.count, 9])", True),
        ("(customer.vip && true) in [true, event.count > 8] && [1, 2] in [[1], [1, event.count - 5]]", True),
        ("(customer.vip ? event.channel : event.channel) in ['email', 'chat']", True),
        ("event.labels.exists(l, l in ['eu', event.subject]) && event.count + 0.5 in [7, 7.5]", True),
        ("!customer.vip < customer.vip && customer.vip >= true && [1] == [1.0] && [event.count, 1.5] != []", True),
        ("[1, 2, 3].all(n, n < event.count) && [1, 2.5, event.count].exists(n, n == 2.5)", True),
        ("[customer.vip, false].exists_one(b, b) && [event.count > 5, true].all(b, b == customer.vip)", True),
        ("[event.channel, 'fax'].exists(c, c == 'chat') && [event.channel].all(c, c in ['chat', 'email'])", True),
        ("[1, 2].all(a, [3, 4].all(b, a < b && [a, b].exists(c, c == a)))", True),
        ("[[1, 2], [3]].exists(l, l.exists(n, n == 3)) && [[1], [2, 3]].map(l, size(l)) == [1, 2]", True),
        ("event.labels[1] == 'eu' && [5, 6, 7][event.count - 5] == 7 && [true, false][0]", True),
        ("(customer.vip ? ['a'] : event.labels) == ['a'] && customer.?vip.orValue(false)", True),
        ("event.?labels.orValue([]).exists(l, l == 'eu') && [] != event.labels", True),
        ("[event.subject, event.body].exists(t, t.matches('Ann$') && t.mentions('grüße'))", True),
        ("7 in [event.count, 8] && !(7 in [event.count + 1, size(event.body)]) && 3 in [1, 3]", True),
    ] {
        assert_eq!(truth(&scope, source, &values), expected, "{source}");
    }
}

#[test]
fn functions_mean_what_cel_says() {
    let scope = scope();
    let values = full(&scope);
    for source in [
        "math.greatest(event.count, 3, 10) == 10 && math.least(event.amount, event.count) == 7",
        "math.greatest([1, event.amount]) == 10.55 && math.least(event.labels.map(l, size(l))) == 2",
        "math.greatest(now, customer.since) == now && math.least(signal.wait, duration('1h')) == duration('1h')",
        "math.abs(-event.count) == 7 && math.abs(3 - event.amount) == 7.55 && math.abs(-signal.wait) == signal.wait",
        "math.ceil(event.amount) == 11 && math.floor(event.amount) == 10 && math.trunc(-event.amount) == -10",
        "math.round(event.amount) == 11 && math.round(-1.5) == -2 && math.round(1.5) == 2 && math.round(-1.4) == -1",
        "math.ceil(-event.amount) == -10 && math.floor(-event.amount) == -11 && math.ceil(2.0) == 2",
        "int(event.amount) == 10 && int(-10.99) == -10 && int('42') == 42 && int(event.count) == 7",
        "int(timestamp('2004-09-16T23:59:59Z')) == 1095379199 && timestamp(1095379199) < now && timestamp(now) == now",
        "string(event.amount) == '10.55' && string(event.count) + '!' == '7!' && string(customer.vip) == 'true'",
        "string(now) == '2026-11-22T10:30:00Z' && string(signal.wait) == '10800s' && string(event.channel) == 'chat'",
        "string(duration('-1500ms')) == '-1.5s' && string(duration('0s')) == '0s' && string('a') == 'a'",
        "decimal('10.55') == event.amount && decimal(event.count) == 7 && decimal(event.amount) == event.amount",
        "now.getDayOfYear() == 325 && now.getDayOfMonth() == 21 && now.getSeconds() == 0 && now.getMilliseconds() == 0",
        "timestamp('2024-12-31T23:59:58.123Z').getDayOfYear() == 365",
        "timestamp('2024-03-01T00:00:00Z').getDayOfYear() == 60 && timestamp('2025-01-01T00:00:00Z').getDayOfYear() == 0",
        "timestamp('2024-12-31T23:59:58.123Z').getMilliseconds() == 123",
        "signal.wait.getHours() == 3 && signal.wait.getMinutes() == 180 && signal.wait.getSeconds() == 10800",
        "duration('-90m').getHours() == -1 && duration('1s500ms').getMilliseconds() == 500",
        "event.body.charAt(19) == ',' && event.body.charAt(24) == '' && event.body.charAt(16) == 'ü'",
        "event.body.substring(14, 19) == 'Grüße' && event.body.substring(22) == 'nn' && event.body.substring(24) == ''",
        "event.body.indexOf('ü') == 16 && event.body.indexOf('n', 6) == 22 && event.body.indexOf('zzz') == -1",
        "event.body.lastIndexOf('n') == 23 && event.body.lastIndexOf('n', 22) == 22 && event.body.indexOf('') == 0",
        "event.subject.replace('NOT', 'not').contains('not') && 'aaa'.replace('a', 'b', 2) == 'bba'",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'üa'.split('') == ['ü', 'a']",
        "''.split(',') == [''] && 'a,b'.split(',', 0) == [] && 'a,b'.split(',', -1) == ['a', 'b'] && ''.split('') == []",
        "event.labels.join('+') == 'vip+eu' && [event.channel].join() == 'chat' && [event.channel, 'x'].join(',') == 'chat,x'",
        "'vip, eu'.split(',').map(l, l.trim()).all(l, l in event.labels) && 'b' in 'a b'.split(' ')",
    ] {
        assert_eq!(truth(&scope, source, &values), True, "{source}");
    }
}

#[test]
fn a_named_condition_means_what_it_stands_for() {
    let mut scope = scope();
    let mut texts = TextIndexBuilder::default();
    let sources = [
        ("is_large", "event.amount > 10"),
        ("is_urgent", "is_large && event.subject.contains('NOT') && (customer.vip ? event.count > 6 : false)"),
        ("both", "is_large && is_urgent"),
    ];
    for (name, source) in sources {
        let condition = Condition::compile(source, &scope, &mut texts).unwrap();
        scope.declare_condition(name, &condition);
    }
    let values = full(&scope);
    let none = given(&scope, &[("event.amount", decimal("11")), ("event.count", Value::Int(1))]);
    let missing = Truth::Unavailable(Miss { slot: scope.slot("event.subject"), reason: Unavailable::Absent });
    for (source, given_all, given_some) in [
        ("is_large", True, True),
        ("!is_large", False, False),
        ("is_large == false", False, False),
        ("both && event.count == 7", True, False),
        ("is_urgent", True, missing),
        ("!is_urgent || is_large", True, True),
        ("(is_urgent ? 1 : 2) == 1", True, missing),
    ] {
        assert_eq!(truth(&scope, source, &values), given_all, "{source}");
        assert_eq!(truth(&scope, source, &none), given_some, "{source} of little");
    }
    // Two judgements with one memory: what one was told is not told to the other.
    let set =
        rule_set(vec![rule("r", Condition::compile("is_urgent && !(!both)", &scope, &mut texts).unwrap())], texts);
    let mut scratch = Scratch::default();
    for (given, expected) in [(&values, Some(0)), (&none, None), (&values, Some(0))] {
        assert_eq!(set.judge(given, &mut scratch).rule, expected);
    }
    let condition = Condition::compile("both", &scope, &mut TextIndexBuilder::default()).unwrap();
    let used: Vec<&str> = condition.slots().iter().map(|slot| &*scope.declared(*slot).path).collect();
    assert_eq!(used, ["event.subject", "event.amount", "event.count", "customer.vip"]);
}

#[test]
fn what_is_missing_is_neither_true_nor_false() {
    let scope = scope();
    let values = given(&scope, &[("event.count", Value::Int(1))]);
    let missing =
        |path: &str| Truth::Unavailable(super::super::Miss { slot: scope.slot(path), reason: Unavailable::Absent });
    for (source, expected) in [
        ("event.amount > 5", missing("event.amount")),
        ("event.amount != 5", missing("event.amount")),
        ("!(event.amount > 5)", missing("event.amount")),
        ("!customer.vip", missing("customer.vip")),
        ("event.amount > 5 && event.count == 2", False),
        ("event.count == 2 && event.amount > 5", False),
        ("event.amount > 5 || event.count == 1", True),
        ("event.amount > 5 || event.count == 2", missing("event.amount")),
        ("event.subject.mentions('a') && event.amount > 5", missing("event.subject")),
        ("[event.subject, event.body].mentions('a')", missing("event.subject")),
        ("event.subject in list.words", missing("event.subject")),
        ("!(event.subject in list.none)", missing("event.subject")),
        ("event.amount * 2 in [1, 2]", missing("event.amount")),
        ("1 in [event.amount, 1]", True),
        ("event.count + 0 in [event.amount, 1]", True),
        ("event.count + 1 in [event.amount, 1]", missing("event.amount")),
        ("event.labels.exists(l, l == 'a')", missing("event.labels")),
        ("event.labels.all(l, true)", missing("event.labels")),
        ("[1, 2].exists(n, n == 2 || event.amount > 5)", True),
        ("[1, 2].exists(n, n == 3 || event.amount > 5)", missing("event.amount")),
        ("[1, 2].all(n, n == 2 && event.amount > 5)", False),
        (
            "[1, 2].all(n, n < 3 || event.amount > 5) && [1, 2].all(n, n < 3 && event.amount > 5)",
            missing("event.amount"),
        ),
        ("[1, 2].exists_one(n, n == 2 || event.amount > 5)", missing("event.amount")),
        ("[event.amount, 2].exists(n, n == 2)", True),
        ("[event.amount, 2].exists(n, n == 3)", missing("event.amount")),
        ("[event.amount, 2].filter(n, n == 2) == [2.0]", missing("event.amount")),
        ("event.?labels.orValue(['x'])[0] == 'x'", True),
        ("customer.vip < true", missing("customer.vip")),
        ("has(event.amount)", False),
        ("!has(event.amount) && event.count == 1", True),
        ("customer.?vip.orValue(true)", True),
        ("event.?amount.orValue(3) == 3", True),
        ("event.?channel.orValue('chat') == 'chat'", True),
        ("has(event.amount) ? event.amount > 5 : true", True),
    ] {
        assert_eq!(truth(&scope, source, &values), expected, "{source}");
    }
}

#[test]
fn arithmetic_that_goes_wrong_is_unavailable_with_a_reason() {
    let scope = scope();
    let values = given(&scope, &[("event.count", Value::Int(i64::MAX)), ("event.amount", decimal("0"))]);
    for (source, reason) in [
        ("event.count + 1 > 0", Unavailable::Overflow),
        ("-event.count - 2 < 0", Unavailable::Overflow),
        ("event.count * 2 > 0", Unavailable::Overflow),
        ("event.count / 0 > 0", Unavailable::DivisionByZero),
        ("event.count % 0 > 0", Unavailable::DivisionByZero),
        ("1 / event.amount > 0", Unavailable::DivisionByZero),
        ("decimal(event.count) > 0", Unavailable::Overflow),
        ("math.abs(-event.count - 1) > 0", Unavailable::Overflow),
        ("math.ceil(decimal('922337203685477.5') + event.amount) > 0", Unavailable::Overflow),
        ("timestamp('9999-12-30T00:00:00Z') + duration('48h') > timestamp(0)", Unavailable::Overflow),
        ("timestamp(-62135596800) - duration('1us') > timestamp(0)", Unavailable::Overflow),
        ("timestamp(event.count) > timestamp(0)", Unavailable::Overflow),
        ("int('1.5') == 1 || int('') == 0", Unavailable::Malformed),
        ("decimal('abc') == 1", Unavailable::Malformed),
        ("'abc'.charAt(4) == ''", Unavailable::OutOfRange),
        ("'abc'.substring(2, 1) == ''", Unavailable::OutOfRange),
        ("'abc'.indexOf('c', 3) == 0 || 'abc'.lastIndexOf('c', -1) == 0", Unavailable::OutOfRange),
        ("math.greatest([1, 2].filter(n, n > 5)) == 0", Unavailable::OutOfRange),
        ("[1, 2][event.count] == 1", Unavailable::OutOfRange),
        ("[1, 2][-1] == 1", Unavailable::OutOfRange),
        ("[1, 2, 3].filter(n, n > 1)[2] == 1", Unavailable::OutOfRange),
        ("[1, 0].map(n, 1 / n) == [1, 1]", Unavailable::DivisionByZero),
    ] {
        let Truth::Unavailable(miss) = truth(&scope, source, &values) else { panic!("{source}") };
        assert_eq!((miss.slot, miss.reason), (None, reason), "{source}");
    }
}

#[test]
fn the_first_match_wins_and_skipped_rules_are_counted() {
    let scope = scope();
    let mut texts = TextIndexBuilder::default();
    let mut compile = |source: &str| Condition::compile(source, &scope, &mut texts).unwrap();
    let mut restrictive = rule("restrictive", compile("event.count > 100 && customer.since < now"));
    restrictive.if_unavailable = IfUnavailable::Apply;
    let rules = vec![
        rule("needs-amount", compile("event.amount > 5")),
        rule("needs-amount-too", compile("event.amount > 50 && event.count > 0")),
        rule("first", compile("event.count == 1")),
        rule("second", compile("event.count >= 1")),
        restrictive,
    ];
    let set = rule_set(rules, texts);
    let judge = |values: &[(&str, Value)]| set.judge(&given(&scope, values), &mut Scratch::default());
    let judgement = judge(&[("event.count", Value::Int(1))]);
    assert_eq!(judgement.rule, Some(2));
    let skipped: Vec<_> = judgement.skipped.iter().map(|(miss, rules)| (miss.slot, rules)).collect();
    assert_eq!(skipped, [(scope.slot("event.amount"), 2)]);
    assert_eq!(judge(&[("event.count", Value::Int(0)), ("event.amount", decimal("6"))]).rule, Some(0));
    assert_eq!(judge(&[("event.count", Value::Int(0)), ("event.amount", decimal("1"))]).rule, None);
    // A restrictive rule applies when it cannot be told, and only then: `false` absorbs what is missing.
    assert_eq!(judge(&[("event.amount", decimal("1"))]).rule, Some(4));
    assert_eq!(judge(&[("event.amount", decimal("1")), ("event.count", Value::Int(-1))]).rule, None);
}

#[test]
fn an_explanation_shows_the_parts_with_their_values() {
    let scope = scope();
    let mut texts = TextIndexBuilder::default();
    let source = "event.channel == 'chat' && (event.amount > 5 || customer.vip) && event.body.mentions('pay')";
    let set = rule_set(vec![rule("r", Condition::compile(source, &scope, &mut texts).unwrap())], texts);
    let values = given(
        &scope,
        &[("event.channel", Value::Symbol(1)), ("event.amount", decimal("1.5")), ("event.body", text("x"))],
    );
    let traces = set.explain(&values, &mut Scratch::default());
    let shown: Vec<String> = traces[0]
        .parts
        .iter()
        .map(|part| {
            let values: Vec<String> = part
                .values
                .iter()
                .map(|(slot, seen)| {
                    let path = &scope.declared(*slot).path;
                    match seen {
                        Ok(seen) => format!("{path} = {}", super::super::PartTrace::datum(&scope, *slot, *seen)),
                        Err(reason) => format!("{path}: {reason}"),
                    }
                })
                .collect();
            format!("{} is {:?} with {}", part.text, part.truth, values.join(", "))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    event.channel == 'chat' is True with event.channel = "chat"
    (event.amount > 5 || customer.vip) is Unavailable(Miss { slot: Some(Slot(7)), reason: Absent }) with event.amount = 1.5, customer.vip: not in the event
    event.body.mentions('pay') is False with event.body = "x"
    "#);
}
