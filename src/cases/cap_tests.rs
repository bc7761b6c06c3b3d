//! Cases about caps: what came before has taken its part.

use super::*;
use crate::bundle::cap_tests::{ONE_A_QUARTER, offers};

const CASES: &str = r#"
[defaults]
at = 2026-11-22T10:00:00Z

[[cases]]
name   = "the first cart is worth a discount"
event  = { worth = 10 }
expect = { rule = "discount", outcome = { action = "offer_discount" } }

[[cases]]
name   = "one a quarter"
event  = { worth = 10 }
before = [{ worth = 5, ago = "89d" }]
expect = { rule = "discount", refused = ["action"], outcome = { action = "nothing", discount = 0 } }

[[cases]]
name   = "a quarter later"
event  = { worth = 10 }
before = [{ worth = 5, ago = "90d" }]
expect = { rule = "discount", outcome = { action = "offer_discount" } }
"#;

fn report(keys: &str, caps: &str, cases: &str) -> Report {
    run(&offers(keys, caps), "playbooks/offers.cases.toml", cases).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn what_came_before_has_taken_its_part_of_a_cap() {
    let held = report("", ONE_A_QUARTER, CASES);
    assert!(held.is_passed(), "{held}");
    let without = report("", "", CASES);
    assert!(!without.is_passed(), "without the cap the second case is granted");
}

#[test]
fn nobody_settles_what_came_before_so_it_is_released_in_time() {
    let report = report("settle_within = \"15m\"", ONE_A_QUARTER, CASES);
    let failed: Vec<&str> = report.cases.iter().filter(|case| !case.is_passed).map(|case| &*case.name).collect();
    assert_eq!(failed, ["one a quarter"]);
}

#[test]
fn a_global_cap_is_lent_to_a_case_but_for_what_came_before() {
    let caps = "[[caps]]\nid = \"campaign\"\naction = \"offer_discount\"\namount = \"discount\"\nmax = 25\nscope = \"global\"\n\
                on_violation = \"clamp\"\n";
    let cases = r#"
[[cases]]
name   = "most of the budget"
event  = { worth = 20 }
expect = { outcome = { discount = 20 } }

[[cases]]
name   = "the rest of it"
event  = { worth = 20 }
before = [{ worth = 20, ago = "1h" }]
expect = { outcome = { discount = 5 } }

[[cases]]
name   = "spent"
event  = { worth = 20 }
before = [{ worth = 20, ago = "2h" }, { worth = 5, ago = "1h" }]
expect = { refused = ["discount"], outcome = { action = "nothing" } }
"#;
    let report = report("", caps, cases);
    assert!(report.is_passed(), "{report}");
}
