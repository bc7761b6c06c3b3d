//! Limits: what they say, and that nothing gets past them.

use proptest::prelude::*;

use super::grounds::Nothing;
use super::*;
use crate::bundle::limit_tests::{CLAMPED, REQUIRED, with_limits};
use crate::bundle::{Bundle, Playbook};
use crate::domain::{Decimal, FallbackReason, Unavailable, Value};
use crate::rules::{Ref, Scratch, Slot, Values};

/// A customer, and what the event says.
#[derive(Clone, Debug, Default)]
struct Seen {
    is_pro: Option<bool>,
    mrr: Option<Decimal>,
    worth: Option<Decimal>,
    days: Option<i64>,
}

/// The same as conditions see it.
struct SeenBy<'a>(&'a Playbook, &'a Seen);

impl Values for SeenBy<'_> {
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable> {
        let Seen { is_pro, mrr, worth, days } = self.1;
        let value = match &*self.0.scope.declared(slot).path {
            "customer.plan" => is_pro.map(i64::from),
            "customer.mrr" => mrr.map(Decimal::units),
            "event.worth" => worth.map(Decimal::units),
            "event.days" => *days,
            _ => None,
        };
        value.map(Ref::Number).ok_or(Unavailable::Unknown)
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn proposal(action: u16, discount: Decimal, days: i64) -> Proposal {
    let values = [Value::Symbol(action), Value::Decimal(discount), Value::Int(days), Value::Text("".into())];
    Proposal { values: values.map(Some).into() }
}

fn checked(bundle: &Bundle, proposal: Proposal, seen: &Seen) -> Result<Passed, Refused> {
    let playbook = &bundle.playbooks()[0];
    let mut circumstances = Circumstances::default();
    circumstances.room.extend(playbook.caps.iter().map(|cap| CapRoom { left: cap.max, again: None }));
    let values = &SeenBy(playbook, seen);
    check(proposal, None, &Grounds { playbook, circumstances: &circumstances, values }, &mut Scratch::default())
}

/// What became of a proposal, in words.
fn say(checked: &Result<Passed, Refused>) -> String {
    let all = |of: &[Violation]| of.iter().map(|violation| format!("\n  {violation}")).collect::<String>();
    match checked {
        Ok(passed) => format!("{}{}", passed.outcome.get(), all(&passed.clamped)),
        Err(refused) => format!("{}{}", refused.reason(), all(refused.violations())),
    }
}

const FREE: Seen = Seen { is_pro: Some(false), mrr: Some(Decimal::from_units(2_000_000)), worth: None, days: None };

#[test]
fn a_limit_looks_at_the_proposal_and_at_the_customer() {
    let bundle = with_limits(REQUIRED);
    let of = |discount: &str, seen: &Seen| say(&checked(&bundle, proposal(1, decimal(discount), 7), seen));
    let pro = Seen { is_pro: Some(true), ..FREE };
    let said =
        [of("10", &FREE), of("10.5", &FREE), of("10.5", &pro), of("10.5", &Seen::default()), of("9", &Seen::default())];
    insta::assert_snapshot!(said.join("\n"), @r#"
    action = "offer", discount = 10, days = 7, note = ""
    limit_passed
      discount = 10.5: limit `large-for-pro` requires proposal.discount <= 10.0 || customer.plan == "pro"
    action = "offer", discount = 10.5, days = 7, note = ""
    limit_passed
      discount = 10.5: limit `large-for-pro` cannot be told (customer.plan: not known of this customer): requires proposal.discount <= 10.0 || customer.plan == "pro"
    action = "offer", discount = 9, days = 7, note = ""
    "#);
}

#[test]
fn a_clamp_moves_a_value_to_the_bound_where_that_may_be_let_out() {
    let days = "[[guardrail.limits]]\nid = \"days\"\nfield = \"days\"\nmin = 'event.worth / 10.0'\nmax = 'customer.mrr / 9.0'\n\
                on_violation = \"clamp\"\n";
    let bundle = with_limits(&format!("{CLAMPED}{days}"));
    let of = |discount: &str, days: i64, worth: &str| {
        let seen = Seen { worth: Some(decimal(worth)), ..FREE };
        say(&checked(&bundle, proposal(1, decimal(discount), days), &seen))
    };
    let said = [of("41", 7, "10"), of("3", 1, "75"), of("3", 30, "10"), of("3", 7, "305")];
    insta::assert_snapshot!(said.join("\n"), @r#"
    action = "offer", discount = 40, days = 7, note = ""
      discount = 41: limit `a-fifth` allows at most 40 (customer.mrr * 0.2)
    action = "offer", discount = 3, days = 8, note = ""
      days = 1: limit `days` allows at least 8 (event.worth / 10.0)
    action = "offer", discount = 3, days = 22, note = ""
      days = 30: limit `days` allows at most 22 (customer.mrr / 9.0)
    limit_passed
      days = 7: limit `days` allows nothing: at least 31 (event.worth / 10.0) and at most 22 (customer.mrr / 9.0)
    "#);
    let above_the_permit = checked(&with_limits(&CLAMPED.replace("0.2", "0.45")), proposal(1, decimal("99"), 7), &FREE);
    let above_the_schema = days.replace("max = 'customer.mrr / 9.0'\n", "");
    let late = Seen { worth: Some(decimal("305")), ..FREE };
    let above_the_schema = checked(&with_limits(&above_the_schema), proposal(1, decimal("3"), 7), &late);
    insta::assert_snapshot!([say(&above_the_permit), say(&above_the_schema)].join("\n"), @r#"
    guardrail_refused
      discount = 99 is not permitted: at most 80
      discount = 99: limit `a-fifth` allows at most 90 (customer.mrr * 0.45)
    limit_passed
      days = 7: limit `days` allows at least 31 (event.worth / 10.0)
    "#);
}

#[test]
fn what_was_moved_is_held_against_every_limit_and_cap_again() {
    let floor = "[[guardrail.limits]]\nid = \"worth-the-mail\"\nrequire = 'proposal.discount >= 5.0'\n";
    let cap =
        "[[caps]]\nid = \"goodwill\"\naction = \"offer\"\namount = \"discount\"\nmax = 4\non_violation = \"clamp\"\n";
    let low = Seen { mrr: Some(decimal("15")), ..FREE };
    let by_limit = checked(&with_limits(&format!("{floor}{CLAMPED}")), proposal(1, decimal("50"), 7), &low);
    let by_cap = checked(&with_limits(&format!("{floor}{cap}")), proposal(1, decimal("50"), 7), &FREE);
    let both = checked(&with_limits(&format!("{CLAMPED}{cap}")), proposal(1, decimal("50"), 7), &FREE);
    insta::assert_snapshot!([say(&by_limit), say(&by_cap), say(&both)].join("\n"), @r#"
    limit_passed
      discount = 3: limit `worth-the-mail` requires proposal.discount >= 5.0
      discount = 50: limit `a-fifth` allows at most 3 (customer.mrr * 0.2)
    limit_passed
      discount = 4: limit `worth-the-mail` requires proposal.discount >= 5.0
      discount = 50: cap `goodwill` leaves 4 of 4
    action = "offer", discount = 4, days = 7, note = ""
      discount = 50: limit `a-fifth` allows at most 40 (customer.mrr * 0.2)
      discount = 40: cap `goodwill` leaves 4 of 4
    "#);
}

#[test]
fn all_violations_of_all_checks_are_reported() {
    let cap = "[[caps]]\nid = \"goodwill\"\naction = \"offer\"\namount = \"discount\"\nmax = 4\n";
    let bundle = with_limits(&format!("{REQUIRED}{CLAMPED}{cap}"));
    let said = checked(&bundle, proposal(1, decimal("90"), 7), &Seen { mrr: None, ..FREE });
    assert_eq!(said.as_ref().unwrap_err().reason(), FallbackReason::GuardrailRefused);
    insta::assert_snapshot!(say(&said), @r#"
    guardrail_refused
      discount = 90 is not permitted: at most 80
      discount = 90: limit `large-for-pro` requires proposal.discount <= 10.0 || customer.plan == "pro"
      discount = 90: limit `a-fifth` cannot be told (customer.mrr: not known of this customer): allows at most customer.mrr * 0.2
      discount = 90: cap `goodwill` leaves 4 of 4
    "#);
    let missing = Proposal { values: vec![Some(Value::Symbol(1)), None, Some(Value::Int(7)), None] };
    insta::assert_snapshot!(say(&checked(&bundle, missing, &FREE)), @r#"
    guardrail_refused
      discount = nothing: a number with at most 4 decimal places
      note = nothing: a text
    "#);
}

#[test]
fn the_default_is_the_safe_action_and_limits_leave_it_alone() {
    let never = "[[guardrail.limits]]\nid = \"never\"\nrequire = 'customer.mrr < 0.0'\n";
    let bundle = with_limits(never);
    let nothing = proposal(0, decimal("0"), 0);
    assert!(checked(&bundle, nothing, &Seen::default()).is_ok());
    assert!(check_default(&bundle.playbooks()[0]).is_ok());
    let refused = checked(&bundle, proposal(0, decimal("0"), 1), &FREE).unwrap_err();
    insta::assert_snapshot!(refused.violations()[0], @r#"
    action, discount, days, note = "nothing", 0, 1, "": limit `never` requires customer.mrr < 0.0
    "#);
}

#[test]
fn a_value_that_a_model_chose_is_moved_only_where_the_model_might_have_chosen_it() {
    let cap =
        "[[caps]]\nid = \"goodwill\"\naction = \"offer\"\namount = \"discount\"\nmax = 15\non_violation = \"clamp\"\n";
    let mut sources = crate::bundle::limit_tests::files(cap);
    let permit = "permit = { discount = { min = 10, max = 30 } }";
    let playbook = sources.get("playbooks/offers.toml").unwrap().replace("[default]", &format!("[default]\n{permit}"));
    sources.insert("playbooks/offers.toml", playbook);
    let bundle = Bundle::compile(sources).unwrap();
    let playbook = &bundle.playbooks()[0];
    let outcome = |left: i64, by_model: bool| {
        let circumstances =
            Circumstances { room: [CapRoom { left, again: None }].into_iter().collect(), ..Default::default() };
        let grounds = Grounds { playbook, circumstances: &circumstances, values: &Nothing };
        let values = [(1, Value::Decimal(decimal("20")))];
        let chosen = by_model.then_some(Chosen { permit: &playbook.model_permits[0], values: &values });
        let passed = check(proposal(1, decimal("20"), 7), chosen, &grounds, &mut Scratch::default());
        passed.ok().map(|passed| passed.outcome.get().values()[1].ordinal().unwrap() / 10_000)
    };
    assert_eq!((outcome(120_000, true), outcome(120_000, false)), (Some(12), Some(12)));
    assert_eq!((outcome(90_000, true), outcome(90_000, false)), (None, Some(9)), "below what its permit opens");
}

// === whatever is proposed ===

/// A limit as a playbook has it, and what it means in plain words: `None` where it cannot be told.
struct Meaning {
    text: &'static str,
    holds: fn(&Outcome, &Seen) -> Option<bool>,
}

struct Outcome {
    action: u16,
    discount: i64,
    days: i64,
}

const MEANINGS: [Meaning; 6] = [
    Meaning {
        text: "require = 'proposal.discount <= 10.0 || customer.plan == \"pro\"'",
        holds: |of, seen| if of.discount <= 100_000 { Some(true) } else { seen.is_pro },
    },
    Meaning {
        text: "field = \"discount\"\nmax = 'customer.mrr * 2.0'\non_violation = \"clamp\"",
        holds: |of, seen| seen.mrr.map(|mrr| of.discount <= mrr.units() * 2),
    },
    Meaning {
        text: "field = \"discount\"\nmin = 'event.worth'\non_violation = \"clamp\"",
        holds: |of, seen| seen.worth.map(|worth| of.discount >= worth.units()),
    },
    Meaning {
        text: "field = \"days\"\nmin = 'event.worth / 2.0'\nmax = 'event.days'\non_violation = \"clamp\"",
        holds: |of, seen| Some(of.days * 20_000 >= seen.worth?.units() && of.days <= seen.days?),
    },
    Meaning {
        text: "field = \"days\"\nmax = '10 + event.days'",
        holds: |of, seen| seen.days.map(|days| of.days <= 10 + days),
    },
    Meaning {
        text: "require = 'proposal.action != \"offer\" || customer.mrr >= 3.0'",
        holds: |of, seen| if of.action != 1 { Some(true) } else { seen.mrr.map(|mrr| mrr.units() >= 30_000) },
    },
];

fn seen() -> impl Strategy<Value = Seen> {
    let decimal =
        || proptest::option::weighted(0.9, (0_i64..40).prop_map(|halves| Decimal::from_units(halves * 5_000)));
    (proptest::option::weighted(0.9, any::<bool>()), decimal(), decimal(), proptest::option::weighted(0.9, 0_i64..12))
        .prop_map(|(is_pro, mrr, worth, days)| Seen { is_pro, mrr, worth, days })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is proposed, whatever is unavailable, and whichever limits and caps there are in whichever order: what is approved is
    /// the default, or every limit holds of it and it takes no more than the cap leaves. What is within all of them is approved
    /// as it is.
    #[test]
    fn nothing_beyond_a_limit_is_approved(
        order in proptest::sample::subsequence((0..MEANINGS.len()).collect::<Vec<_>>(), 0..=MEANINGS.len()).prop_shuffle(),
        cap in proptest::option::of(1_i64..20),
        seen in seen(),
        (action, halves, days) in (0_u16..3, 0_i64..60, 0_i64..31),
    ) {
        let mut limits: String = order.iter()
            .map(|at| format!("[[guardrail.limits]]\nid = \"limit-{at}\"\n{}\n", MEANINGS[*at].text))
            .collect();
        if let Some(max) = cap {
            limits += &format!("[[caps]]\nid = \"c\"\naction = \"offer\"\namount = \"discount\"\nmax = {max}\non_violation = \"clamp\"\n");
        }
        let bundle = with_limits(&limits);
        let max = cap.map_or(i64::MAX, |max| max * 10_000);
        let is_let_out = |of: &Outcome| {
            let is_default = of.action == 0 && of.discount == 0 && of.days == 0;
            let is_within = order.iter().all(|at| (MEANINGS[*at].holds)(of, &seen) == Some(true));
            is_default || (is_within && (of.action != 1 || of.discount <= max))
        };
        let proposed = Outcome { action, discount: halves * 5_000, days };
        match checked(&bundle, proposal(action, Decimal::from_units(proposed.discount), days), &seen) {
            Ok(Passed { outcome, clamped }) => {
                let [Value::Symbol(action), Value::Decimal(discount), Value::Int(days), _] = outcome.get().values() else {
                    panic!("{}", outcome.get())
                };
                let approved = Outcome { action: *action, discount: discount.units(), days: *days };
                prop_assert!(is_let_out(&approved), "{} of {seen:?}", outcome.get());
                let is_same = approved.action == proposed.action
                    && approved.discount == proposed.discount
                    && approved.days == proposed.days;
                prop_assert_eq!(clamped.is_empty(), is_same);
            }
            Err(refused) => {
                prop_assert!(!is_let_out(&proposed), "{}", say(&Err(refused)));
            }
        }
    }
}
