//! Rules that need what their playbook's purpose may not see.

use crate::analysis::inspect;
use crate::bundle::{Bundle, CONTEXT_FILE, Sources};

const CONTEXT: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }

[events.visit]
place = { type = "string", purposes = ["marketing"] }

[facts]
vip   = "bool"
taste = { type = "string", purposes = ["marketing"] }

[signals]
places = { distinct = "place", of = "visit", over = "7d", partial = true }
"#;

fn playbook(head: &str, rules: &str) -> Bundle {
    let text = format!(
        "playbook = \"offer\"\non = [\"visit\"]\n{head}\n[outcome]\naction = [\"none\", \"write\"]\n{rules}\n\
         [default]\nthen = {{ action = \"none\" }}\n"
    );
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/offer.toml", text.as_str());
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_rule_that_needs_what_is_withheld_is_found() {
    let rules = r#"
[[rules]]
id = "a"
when = 'customer.taste == "x" && customer.vip'
then = { action = "write" }
[[rules]]
id = "b"
when = 'customer.taste == "x" && signal.places > 3'
then = { action = "write" }
[[rules]]
id = "c"
when = 'customer.taste == "x" || customer.vip'
then = { action = "write" }
"#;
    let found = |head: &str| {
        let bundle = playbook(head, rules);
        let findings = inspect(&bundle.playbooks()[0], bundle.layout(), &mut |_, _| {});
        let of = findings.into_iter();
        of.map(|finding| format!("{:?} {}: {}", finding.ranks, finding.kind.name(), finding.message))
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::assert_snapshot!(found("purpose = \"service\""));
    insta::assert_snapshot!(found(""));
    insta::assert_snapshot!(found("purpose = \"marketing\""));
}
