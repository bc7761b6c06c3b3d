//! Reading limits, and the bundle with limits that the tests of other rooms decide with.

use super::*;

pub(crate) const CONTEXT: &str = r#"
[events."cart.left"]
worth = { type = "decimal", min = 0 }
days  = { type = "int", default = 7 }

[facts]
plan = ["free", "pro"]
mrr  = { type = "decimal", min = 0 }
"#;

/// An offer of so much for so many days, as the event says; `LIMITS` stands for its limits.
pub(crate) const OFFERS: &str = r#"
playbook = "offers"
on       = ["cart.left"]

[outcome]
action   = ["nothing", "offer", "remind"]
discount = { type = "decimal", min = 0, max = 100 }
days     = { type = "int", min = 0, max = 30 }
note     = "string"

[guardrail]
permit = { discount = { max = 80 } }

LIMITS

[[rules]]
id   = "offer"
when = "event.worth > 0"
then = { action = "offer", discount = { cel = "event.worth" }, days = { cel = "event.days" } }

[default]
then = { action = "nothing", discount = 0, days = 0, note = "" }
"#;

/// The files of `OFFERS` with these limits and whatever follows them.
pub(crate) fn files(limits: &str) -> Sources {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/offers.toml", OFFERS.replace("LIMITS", limits));
    sources
}

pub(crate) fn with_limits(limits: &str) -> Bundle {
    Bundle::compile(files(limits)).unwrap_or_else(|faults| panic!("{faults}"))
}

/// More than ten only for those who pay for it.
pub(crate) const REQUIRED: &str = r#"
[[guardrail.limits]]
id      = "large-for-pro"
require = 'proposal.discount <= 10.0 || customer.plan == "pro"'
"#;

/// At most a fifth of what the customer pays.
pub(crate) const CLAMPED: &str = r#"
[[guardrail.limits]]
id           = "a-fifth"
field        = "discount"
max          = 'customer.mrr * 0.2'
on_violation = "clamp"
"#;

#[test]
fn limits_are_read() {
    let days =
        "[[guardrail.limits]]\nid = \"days\"\nfield = \"days\"\nmin = 'event.worth / 10.0'\nmax = 'event.days'\n";
    let blocked = "[[guardrail.limits]]\nid = \"for-all\"\nrequire = 'customer.mrr > 1.0'\n";
    let bundle = with_limits(&format!("{REQUIRED}{CLAMPED}{days}{blocked}"));
    let playbook = &bundle.playbooks()[0];
    let [required, clamped, days, for_all] = &playbook.limits[..] else { panic!("{:?}", playbook.limits) };
    assert_eq!(
        (&*required.id, &*required.fields, required.on_violation),
        ("large-for-pro", &[1][..], OnViolation::Fallback)
    );
    assert_eq!((&*clamped.id, &*clamped.fields, clamped.on_violation), ("a-fifth", &[1][..], OnViolation::Clamp));
    assert!(matches!(&days.test, LimitTest::Within { field: 2, min: Some(_), max: Some(_) }));
    assert_eq!(*for_all.fields, [0, 1, 2, 3], "what looks at nothing of the proposal is about all of it");
    let names: Vec<_> = playbook.sights.iter().map(|sight| matches!(sight, ContextSource::Fact(_))).collect();
    assert_eq!(names, [true, true], "what limits look at is looked up and recorded, though no rule uses it");
    assert!(playbook.scope.slot("proposal.discount").is_none(), "nobody else sees the proposal");
}

#[test]
fn every_fault_of_limits_is_named() {
    let limits = r#"
[[guardrail.limits]]
id      = "a b"
require = 'proposal.discuont > 1'

[[guardrail.limits]]
id      = "no-condition"
require = 'proposal.discount + 1.0'

[[guardrail.limits]]
id = "nothing"

[[guardrail.limits]]
id      = "both"
require = 'true'
field   = "discount"
max     = '1.0'

[[guardrail.limits]]
id    = "no-bounds"
field = "days"

[[guardrail.limits]]
id    = "no-such-field"
field = "dais"
max   = '1'

[[guardrail.limits]]
id    = "no-order"
field = "note"
max   = '"z"'

[[guardrail.limits]]
id    = "of-itself"
field = "discount"
max   = 'proposal.discount + 1.0'

[[guardrail.limits]]
id    = "of-another-type"
field = "days"
max   = 'customer.plan'

[[guardrail.limits]]
id           = "nowhere-to-go"
require      = 'proposal.days < 9'
on_violation = "clamp"

[[guardrail.limits]]
id           = "unknown"
require      = 'proposal.days < 9'
on_violation = "clmap"
whn          = 1

[[guardrail.limits]]
id      = "twice"
require = 'proposal.days < 9'

[[guardrail.limits]]
id      = "twice"
require = 'proposal.days < 9'
"#;
    let mut sources = files(limits);
    let rule = "[[rules]]\nid = \"sees\"\nwhen = \"proposal.days > 1\"\nthen = { days = 1 }\n";
    let playbook = format!("{}{rule}", sources.get("playbooks/offers.toml").unwrap());
    sources.insert("playbooks/offers.toml", playbook);
    insta::assert_snapshot!(Bundle::compile(sources).unwrap_err());
}

#[test]
fn a_playbook_has_a_limit_of_limits_and_one_meaning_of_proposal() {
    let limit = |n| format!("[[guardrail.limits]]\nid = \"l{n}\"\nrequire = 'true'\n");
    let many: String = (0..=LIMITS_MAX).map(limit).collect();
    let faults = |limits: &str| Bundle::compile(files(limits)).unwrap_err().to_string();
    assert!(faults(&many).contains("has 33 limits, the limit is 32"), "{}", faults(&many));
    let taken = format!("{}\n[conditions]\nproposal = 'event.worth > 1.0'\n", limit(1));
    assert!(faults(&taken).contains("`proposal` is what is proposed"), "{}", faults(&taken));
    assert!(
        Bundle::compile(files("[conditions]\nproposal = 'event.worth > 1.0'\n")).is_ok(),
        "without limits it is a name"
    );
}
