//! Tests of purposes and consents in playbooks.

use crate::bundle::{AttributeAt, Bundle, CONTEXT_FILE, SlotSource, Sources};

pub(crate) const CONTEXT: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }
profiling = { needs_consent = true }

[events.visit]
page  = "string"
place = { type = "string", optional = true, purposes = ["marketing"] }

[events.call]
topic = "string"
place = { type = "string", optional = true, purposes = ["service"] }

[facts]
vip    = "bool"
health = { type = "int", default = 0, purposes = ["service"] }
taste  = { type = "string", purposes = ["marketing", "profiling"] }

[signals]
visits = { count = "visit", over = "7d", partial = true }
places = { distinct = "place", of = "visit", over = "7d", partial = true }
"#;

fn playbook(head: &str, rules: &str, rest: &str) -> String {
    format!(
        "playbook = \"offer\"\non = [\"visit\", \"call\"]\n{head}\n[outcome]\naction = [\"none\", \"offer_discount\", \"write\"]\n\
         {rules}\n[default]\nthen = {{ action = \"none\" }}\n{rest}"
    )
}

fn compile(playbook: &str) -> Result<Bundle, String> {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/offer.toml", playbook);
    Bundle::compile(sources).map_err(|faults| faults.to_string())
}

/// How each name of a playbook is to be had, in a word.
fn seen(bundle: &Bundle) -> String {
    let playbook = &bundle.playbooks()[0];
    let word = |source: &SlotSource| match source {
        SlotSource::Withheld => "withheld".to_owned(),
        SlotSource::Attribute(places) => {
            let place = |at: &AttributeAt| match at {
                AttributeAt::Number(number) => number.to_string(),
                AttributeAt::Absent => "-".to_owned(),
                AttributeAt::Withheld => "withheld".to_owned(),
            };
            places.iter().map(place).collect::<Vec<_>>().join("/")
        }
        _ => "seen".to_owned(),
    };
    let named = playbook.scope.slots().zip(&playbook.sources);
    let named = named.map(|(slot, source)| format!("{}: {}", playbook.scope.declared(slot).path, word(source)));
    named.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_purpose_sees_what_its_name_stands_on_and_what_is_for_all() {
    let bundle = compile(&playbook("purpose = \"marketing\"", "", "")).unwrap();
    insta::assert_snapshot!(seen(&bundle));
    let bundle = compile(&playbook("purpose = \"service\"", "", "")).unwrap();
    insta::assert_snapshot!(seen(&bundle));
}

#[test]
fn a_playbook_without_purpose_sees_only_what_is_for_all() {
    let bundle = compile(&playbook("", "", "")).unwrap();
    insta::assert_snapshot!(seen(&bundle));
}

#[test]
fn what_is_withheld_is_no_sight_of_a_decision() {
    let rules =
        "[[rules]]\nid = \"a\"\nwhen = 'customer.taste == \"x\" || customer.vip'\nthen = { action = \"write\" }\n";
    let bundle = compile(&playbook("purpose = \"service\"", rules, "")).unwrap();
    assert_eq!(bundle.playbooks()[0].sights.len(), 1, "only the fact that may be seen is looked at");
}

#[test]
fn an_action_needs_the_consent_that_the_guardrail_names() {
    let rest = "[guardrail]\npermit = { action = [\"none\", \"offer_discount\", \"write\"] }\n\
                consent = { offer_discount = \"marketing\", write = \"profiling\" }\n";
    let bundle = compile(&playbook("", "", rest)).unwrap();
    let of = &bundle.playbooks()[0];
    let shown = of.consents.iter().map(|required| {
        format!("{} needs {}", of.outcome.fields()[required.field].ty.show(&required.action), required.purpose)
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["\"offer_discount\" needs marketing", "\"write\" needs profiling"]);
}

#[test]
fn every_fault_of_purposes_and_consents_is_named() {
    let rest = "[guardrail]\nconsent = { offer_discont = \"marketing\", write = \"service\", none = \"marketing\", x = \"ads\" }\n";
    let faults = compile(&playbook("purpose = \"markting\"", "", rest)).unwrap_err();
    let no_action = compile(
        "playbook = \"offer\"\non = [\"visit\"]\n[outcome]\nsize = \"int\"\n[default]\nthen = { size = 1 }\n[guardrail]\nconsent = { write = \"marketing\" }\n",
    )
    .unwrap_err();
    let no_list = compile(
        "playbook = \"offer\"\non = [\"visit\"]\n[outcome]\naction = \"string\"\n[default]\nthen = { action = \"\" }\n[guardrail]\nconsent = { write = \"marketing\" }\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(format!("{faults}\n\n{no_action}\n\n{no_list}"));
}

#[test]
fn more_consents_than_a_decision_has_bits_for_are_refused() {
    let actions: Vec<String> = (0..34).map(|number| format!("a{number}")).collect();
    let consents: Vec<String> = actions.iter().skip(1).map(|action| format!("{action} = \"marketing\"")).collect();
    let playbook = format!(
        "playbook = \"offer\"\non = [\"visit\"]\n[outcome]\naction = [{}]\n[default]\nthen = {{ action = \"a0\" }}\n[guardrail]\nconsent = {{ {} }}\n",
        actions.iter().map(|action| format!("\"{action}\"")).collect::<Vec<_>>().join(", "),
        consents.join(", ")
    );
    let faults = compile(&playbook).unwrap_err();
    assert!(faults.contains("names 33 actions, the limit is 32"), "{faults}");
}
