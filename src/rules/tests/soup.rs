//! Strangers' conditions: whatever is written, it is refused with a fault or means something, within its bounds.

use proptest::prelude::*;

use super::*;

/// What a condition may be made of.
const PIECES: [&str; 60] = [
    "event.subject",
    "event.body",
    "event.channel",
    "event.amount",
    "event.count",
    "event.labels",
    "customer.vip",
    "customer.since",
    "signal.wait",
    "now",
    "event.",
    "customer.?vip",
    "list.words",
    "list.folded",
    "x",
    "y",
    "l",
    "true",
    "false",
    "null",
    "1",
    "-3",
    "2.5",
    "0",
    "9223372036854775807",
    "'a'",
    "''",
    "\"chat\"",
    "'2026-01-01T00:00:00Z'",
    "timestamp(",
    "duration('1h')",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    " && ",
    " || ",
    "!",
    " == ",
    " != ",
    " < ",
    " >= ",
    " in ",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " ? ",
    " : ",
    ".size()",
    ".split(',')",
    ".join('-')",
    ".map(x, ",
    ".exists(x, ",
    ".all(y, ",
    ".filter(l, ",
    "math.greatest(",
];

/// Conditions that are nearly right: a sound one with a piece put in, taken out or exchanged.
const SOUND: [&str; 8] = [
    "event.labels.exists(x, x in list.words && size(x) > 2)",
    "event.labels.map(x, x + '!').filter(y, y.contains('a')).join(',') == 'a,b'",
    "math.greatest(event.amount, event.count, 2.5) >= math.abs(event.amount - 1)",
    "[event.subject, event.body].mentions('card', 'pay*') && customer.?vip.orValue(false)",
    "[[1, 2], [event.count]].exists(l, l.all(x, x < 3)) || event.labels[0] == 'vip'",
    "now - customer.since > duration('720h') && now.getHours('+01:00') in [8, 9, 10]",
    "(customer.vip ? event.channel : 'email') in ['email', 'chat'] && event.channel != 'phone'",
    "event.subject.substring(0, 2).indexOf('a', 1) == -1 && string(event.amount).split('.')[1] == '55'",
];

fn soup() -> impl Strategy<Value = String> {
    let piece = || proptest::sample::select(&PIECES[..]);
    let mixed = proptest::collection::vec(piece(), 1..12).prop_map(|pieces| pieces.concat());
    let nearly = (proptest::sample::select(&SOUND[..]), any::<proptest::sample::Index>(), 0_usize..12, piece());
    let nearly = nearly.prop_map(|(sound, at, gone, piece)| {
        let start = at.index(sound.len());
        let end = (start + gone).min(sound.len());
        format!("{}{piece}{}", &sound[..start], &sound[end..])
    });
    prop_oneof![mixed, nearly]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_refused_or_told(source in soup()) {
        let scope = scope();
        let mut texts = TextIndexBuilder::default();
        match Condition::compile(&source, &scope, &mut texts) {
            Err(faults) => {
                prop_assert!(!faults.is_empty(), "{} is refused without a word", source);
                prop_assert!(faults.iter().all(|fault| fault.offset <= source.len()), "{}: {:?}", source, faults);
            }
            Ok(condition) => {
                let values = given(
                    &scope,
                    &[
                        ("event.subject", text("vip")),
                        ("event.amount", decimal("10.55")),
                        ("event.labels", Value::List([text("vip"), text("")].into())),
                        ("event.channel", Value::Symbol(2)),
                        ("now", time("2026-11-22T10:30:00Z")),
                    ],
                );
                let set = rule_set(vec![rule("only", condition)], texts);
                let told = set.explain(&values, &mut Scratch::default())[0].truth;
                let is_malformed = |truth| matches!(truth, Truth::Unavailable(miss) if miss.reason == Unavailable::Malformed);
                prop_assert!(!is_malformed(told) || source.contains("int(") || source.contains("decimal("), "{}", source);
                prop_assert!(!matches!(told, Truth::Unavailable(Miss { reason: Unavailable::TooCostly, .. })), "{}", source);
            }
        }
    }
}

#[test]
fn what_is_taken_apart_is_sound() {
    for source in SOUND {
        Condition::compile(source, &scope(), &mut TextIndexBuilder::default())
            .unwrap_or_else(|f| panic!("{source}: {f:?}"));
    }
}
