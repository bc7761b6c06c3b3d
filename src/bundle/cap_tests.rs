//! Reading caps, and the bundle with caps that the tests of other rooms decide with.

use super::*;
use crate::domain::TimeDelta;

pub(crate) const CONTEXT: &str = r#"
[events."cart.left"]
worth = { type = "decimal", min = 0 }

[events."visit.ended"]
pages = "int"
"#;

/// A discount on a cart that was left: one that a visitor may be worth, and not too often.
pub(crate) const OFFERS: &str = r#"
playbook = "offers"
on       = ["cart.left"]
budget   = "10s"

[outcome]
action   = ["nothing", "offer_discount", "send_reminder"]
discount = { type = "decimal", min = 0, max = 100 }

[[rules]]
id   = "discount"
when = "event.worth > 0"
then = { action = "offer_discount", discount = { cel = "event.worth" } }

[default]
then = { action = "nothing", discount = 0 }
"#;

/// The bundle of `OFFERS` with these lines before its outcome and these caps at its end.
pub(crate) fn offers_with(keys: &str, caps: &str) -> Sources {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    let playbook = OFFERS.replace("\n[outcome]", &format!("{keys}\n[outcome]"));
    sources.insert("playbooks/offers.toml", format!("{playbook}\n{caps}"));
    sources
}

pub(crate) fn offers(keys: &str, caps: &str) -> Bundle {
    Bundle::compile(offers_with(keys, caps)).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(crate) const ONE_A_QUARTER: &str = r#"
[[caps]]
id     = "one-discount-a-quarter"
action = "offer_discount"
max    = 1
over   = "90d"
"#;

#[test]
fn caps_are_read() {
    let bundle = offers(
        "settle_within = \"15m\"",
        &format!(
            "{ONE_A_QUARTER}\n{}",
            r#"
[[caps]]
id           = "campaign"
action       = "offer_discount"
amount       = "discount"
max          = 2000.5
scope        = "global"
on_violation = "clamp"
unused_max   = "0.5%"
"#
        ),
    );
    let playbook = &bundle.playbooks()[0];
    assert_eq!(playbook.settle_within, Some(TimeDelta::from_micros(15 * TimeDelta::MINUTE.micros())));
    let [count, amount] = &playbook.caps[..] else { panic!("{:?}", playbook.caps) };
    assert_eq!((count.measure, count.max, count.over), (Measure::Count, 1, Some("90d".parse().unwrap())));
    assert_eq!((count.scope, count.on_violation), (CapScope::Customer, OnViolation::Fallback));
    assert_eq!((amount.measure, amount.max, amount.over), (Measure::Amount(1), 20_005_000, None));
    assert_eq!((amount.scope, amount.on_violation), (CapScope::Global, OnViolation::Clamp));
    assert_eq!((amount.unused_max, amount.unused_max.of(20_005_000)), (Share::millionths(5_000), 100_025));
}

#[test]
fn every_fault_of_caps_is_named() {
    let caps = r#"
[[caps]]
id     = "a b"
action = "offer_discuont"
max    = 0
over   = "90 days"

[[caps]]
id     = "of-the-default"
action = "nothing"
max    = 1_001

[[caps]]
id           = "amounts"
action       = "offer_discount"
amount       = "discuont"
scope        = "galaxy"
on_violation = "clmap"

[[caps]]
id           = "count"
action       = "offer_discount"
max          = 1
on_violation = "clamp"
unused_max   = "1%"
maks         = 2

[[caps]]
id     = "of-a-list"
action = "offer_discount"
amount = "action"
max    = 1

[[caps]]
id         = "budget"
action     = "offer_discount"
amount     = "discount"
max        = "ten"
scope      = "global"
unused_max = "0.1"

[[caps]]
id     = "nothing-left"
action = "offer_discount"
amount = "discount"
max    = 0

[[caps]]
id     = "twice"
action = "send_reminder"
max    = 1

[[caps]]
id     = "twice"
action = "send_reminder"
max    = 1
"#;
    let faults = Bundle::compile(offers_with("ack = \"memory\"\nsettle_within = \"0s\"", caps)).unwrap_err();
    insta::assert_snapshot!(faults);
}

#[test]
fn caps_need_an_action_and_amounts_that_are_never_negative() {
    let with = |from: &str, to: &str| {
        let mut sources = offers_with("", &format!("{ONE_A_QUARTER}amount = \"discount\"\n"));
        let playbook = sources.iter().find(|(path, _)| path.ends_with("offers.toml")).unwrap().1.replace(from, to);
        sources.insert("playbooks/offers.toml", playbook);
        Bundle::compile(sources).unwrap_err().to_string()
    };
    let shown = [
        with("action   = [\"nothing\", \"offer_discount\", \"send_reminder\"]", "action   = \"string\""),
        with("min = 0, max = 100", "max = 100"),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_cap_that_playbooks_share_is_the_same_in_all() {
    let second = |change: &dyn Fn(&str) -> String| {
        let mut sources = offers_with("", ONE_A_QUARTER);
        let playbook = format!("{OFFERS}{ONE_A_QUARTER}").replace("\"offers\"", "\"others\"");
        sources.insert("playbooks/z.toml", change(&playbook));
        Bundle::compile(sources)
    };
    assert!(second(&str::to_owned).is_ok());
    let other_action =
        second(&|text| text.replace("action = \"offer_discount\"\nmax", "action = \"send_reminder\"\nmax"));
    assert!(other_action.is_ok(), "what counts against it may differ: {other_action:?}");
    for (from, to) in
        [("max    = 1", "max = 2"), ("90d", "91d"), ("over   = \"90d\"", ""), ("over ", "amount = \"discount\"\nover ")]
    {
        let faults = second(&|text| text.replace(from, to)).unwrap_err().to_string();
        assert!(faults.contains("playbooks/z.toml: `caps`: the cap `one-discount-a-quarter` is shared"), "{faults}");
    }
}

#[test]
fn a_playbook_has_a_limit_of_caps() {
    let caps: String =
        (0..=CAPS_MAX).map(|n| format!("[[caps]]\nid = \"c{n}\"\naction = \"offer_discount\"\nmax = 1\n")).collect();
    let faults = Bundle::compile(offers_with("", &caps)).unwrap_err().to_string();
    assert!(faults.contains("has 33 caps, the limit is 32"), "{faults}");
}
