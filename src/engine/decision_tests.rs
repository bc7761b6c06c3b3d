//! What hit policies, dates and switches make of several rules that match: whole decisions, without a runtime.

use std::sync::Arc;

use super::Decision;
use crate::bundle::{Bundle, Sources};
use crate::context::CustomerState;
use crate::domain::{Event, TenantId, Timestamp};
use crate::turn::Workspace;
use crate::turn::{EventInput, Input, Readings, Run, Surroundings, Taken, take};

const CONTEXT: &str = "[events.order]\ntotal = 'decimal'\ncountry = { type = 'string', optional = true }\n";

/// A playbook with one table.
fn sources(table: &str, csv: &str) -> Sources {
    let playbook = format!(
        r#"
        playbook = "orders"
        on = ["order"]
        [outcome]
        lane   = ["hold", "fast", "slow"]
        score  = {{ type = "int", min = 0, max = 100 }}
        fee    = "decimal"
        checks = {{ list_of = "string", max_items = 3 }}
        alarms = {{ list_of = ["fraud", "stock", "late"] }}
        [default]
        then = {{ lane = "slow", score = 0, fee = 0, checks = [], alarms = [] }}
        [[tables]]
        file = "tables/orders.csv"
        {table}
        "#
    );
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert("playbooks/orders.toml", playbook);
    sources.insert("tables/orders.csv", csv);
    sources
}

fn order(total: &str) -> Event {
    Event::new("1", "shop", "order", "ann").with("total", total)
}

/// A decision at an instant, as people read it.
fn decided_at(at: &str, sources: Sources, event: Event) -> String {
    let bundle = Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"));
    let arrival: Timestamp = at.parse().unwrap();
    let mut state = CustomerState::new(Arc::clone(bundle.layout()));
    let event = bundle.layout().accept(event).unwrap();
    let customer = event.customer.clone();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    let around = Surroundings { bundle: &bundle, tenant: &TenantId::default() };
    let Taken::Turn(mut turn) =
        take(&mut state, &input, &Readings::at(arrival), around, &mut Workspace::default()).unwrap()
    else {
        panic!("the event is new");
    };
    let decision = Decision::of(turn.decisions.remove(0), &bundle, customer);
    let fallback = decision.fallback.map_or(String::new(), |fallback| format!(" ({fallback})"));
    let reasons: Vec<String> =
        decision.reasons.iter().map(|reason| format!("\n  {}: {reason}", reason.code())).collect();
    format!("{}{fallback}{}", decision.outcome(), reasons.concat())
}

fn decided(table: &str, csv: &str, total: &str) -> String {
    decided_at("2026-11-22T10:00:00Z", sources(table, csv), order(total))
}

fn faults(table: &str, csv: &str) -> String {
    Bundle::compile(sources(table, csv)).unwrap_err().to_string()
}

const LANES: &str = "id,in:event.total,out:lane,out:fee\nany-order,>= 0,slow,1\nlarge,>= 100,fast,2\nhuge,>= 1000,hold,=event.total / 100\n";

#[test]
fn unique_lets_one_rule_match() {
    insta::assert_snapshot!(decided("hit_policy = 'unique'", LANES, "50"), @r#"
    lane = "slow", score = 0, fee = 1, checks = [], alarms = []
      rule_matched: rule `any-order` matched
    "#);
    insta::assert_snapshot!(decided("hit_policy = 'unique'", LANES, "500"), @r#"
    lane = "slow", score = 0, fee = 0, checks = [], alarms = [] (hit_policy_violated)
      hit_policy_violated: rules `any-order` and `large` both match, which the hit policy `unique` of tables/orders.csv does not allow; the playbook's default applies
    "#);
}

#[test]
fn any_lets_several_match_that_say_the_same() {
    let csv = "id,in:event.total,out:lane,out:score\na,>= 0,slow,1\nb,>= 100,slow,=1\nc,>= 1000,slow,2\n";
    insta::assert_snapshot!(decided("hit_policy = 'any'", csv, "500"), @r#"
    lane = "slow", score = 1, fee = 0, checks = [], alarms = []
      rule_matched: rule `a` matched
    "#);
    insta::assert_snapshot!(decided("hit_policy = 'any'", csv, "5000"), @r#"
    lane = "slow", score = 0, fee = 0, checks = [], alarms = [] (hit_policy_violated)
      hit_policy_violated: rules `a` and `c` of tables/orders.csv both match and do not say the same, as the hit policy `any` demands; the playbook's default applies
    "#);
}

#[test]
fn priority_takes_the_most_important_outcome() {
    insta::assert_snapshot!(decided("hit_policy = 'priority'", LANES, "500"), @r#"
    lane = "fast", score = 0, fee = 2, checks = [], alarms = []
      rule_matched: rule `large` matched
    "#);
    let table = "hit_policy = 'priority'\noutput_values = { lane = ['slow', 'fast'] }";
    insta::assert_snapshot!(decided(table, LANES, "5000"), @r#"
    lane = "slow", score = 0, fee = 1, checks = [], alarms = []
      rule_matched: rule `any-order` matched
    "#);
}

const CHECKS: &str =
    "id,in:event.total,out:checks,out:score\na,>= 0,address,1\nb,>= 100,\"identity, address\",20\nc,>= 1000,call,90\n";

#[test]
fn collecting_joins_lists_and_numbers() {
    for aggregation in ["sum", "min", "max", "count"] {
        let table = format!("hit_policy = 'collect'\naggregation = '{aggregation}'");
        insta::assert_snapshot!(format!("collects_{aggregation}"), decided(&table, CHECKS, "500"));
    }
}

#[test]
fn what_is_joined_still_passes_the_guardrail() {
    insta::assert_snapshot!(decided("hit_policy = 'collect'\naggregation = 'sum'", CHECKS, "5000"), @r#"
    lane = "slow", score = 0, fee = 0, checks = [], alarms = [] (guardrail_refused)
      guardrail_refused: the guardrail refused score = 111: 111 is above the limit 100
      guardrail_refused: the guardrail refused checks = ["address", "identity", "address", "call"]: has 4 items, the limit is 3
      rule_matched: rule `a` matched
      rule_contributed: rule `b` matched too and has its say
      rule_contributed: rule `c` matched too and has its say
    "#);
}

#[test]
fn lists_come_in_the_order_of_rules_or_of_importance() {
    let csv = "id,in:event.total,out:checks\na,>= 0,address\nb,>= 100,identity\n";
    insta::assert_snapshot!(decided("hit_policy = 'rule_order'", csv, "500"), @r#"
    lane = "slow", score = 0, fee = 0, checks = ["address", "identity"], alarms = []
      rule_matched: rule `a` matched
      rule_contributed: rule `b` matched too and has its say
    "#);
    let csv = "id,in:event.total,out:alarms\na,>= 0,late\nb,>= 100,\"stock, fraud\"\nc,>= 200,stock\n";
    insta::assert_snapshot!(decided("hit_policy = 'output_order'", csv, "500"), @r#"
    lane = "slow", score = 0, fee = 0, checks = [], alarms = ["stock", "fraud", "stock", "late"]
      rule_matched: rule `b` matched
      rule_contributed: rule `c` matched too and has its say
      rule_contributed: rule `a` matched too and has its say
    "#);
    let csv = "id,in:event.total,out:lane\na,>= 0,slow\nb,>= 100,hold\n";
    insta::assert_snapshot!(faults("hit_policy = 'output_order'", csv), @"
    1 fault in the configuration:
      tables/orders.csv:2: `a`: `lane` is one of a list, and several rules of a `output_order` group may say something of it: it gives all outcomes as a list, so the field must be `{ list_of = … }`
    ");
}

#[test]
fn a_group_in_which_nothing_matches_gives_way() {
    insta::assert_snapshot!(decided("hit_policy = 'collect'\naggregation = 'sum'", CHECKS, "-1"), @r#"
    lane = "slow", score = 0, fee = 0, checks = [], alarms = []
      default_applied: no rule matched; the playbook's default applies
    "#);
}

#[test]
fn faults_of_hit_policies_are_named() {
    insta::assert_snapshot!(
        [
            faults("hit_policy = 'uniq'", LANES),
            faults("hit_policy = 'first'\naggregation = 'sum'", LANES),
            faults("hit_policy = 'collect'\naggregation = 'total'", LANES),
            faults("hit_policy = 'collect'\naggregation = 'sum'", LANES),
            faults("hit_policy = 'unique'\noutput_values = { lane = ['slow'] }", LANES),
            faults("hit_policy = 'priority'\noutput_values = { lame = ['slow'], fee = [1], lane = ['quick'] }", LANES),
            faults(
                "hit_policy = 'priority'",
                "id,in:event.total,out:lane\na,>= 0,\"=event.total > 5 ? 'slow' : 'fast'\"\n"
            ),
        ]
        .join("\n"),
    );
}

#[test]
fn a_rule_is_in_force_when_it_says_so() {
    let csv = "id,in:event.total,out:lane,enabled,valid_from,valid_until\n\
               off,>= 0,hold,false,,\n\
               november,>= 0,fast,true,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z\n\
               after,>= 0,slow,,2026-12-01T00:00:00Z,\n";
    let at = |at: &str| decided_at(at, sources("", csv), order("1")).lines().next().unwrap().to_owned();
    assert!(at("2026-10-31T23:59:59.999999Z").contains("slow"), "the default");
    assert!(at("2026-11-01T00:00:00Z").contains("fast"));
    assert!(at("2026-11-30T23:59:59.999999Z").contains("fast"));
    assert!(at("2026-12-01T00:00:00Z").contains("slow"));
    let csv = "id,in:event.total,out:lane,enabled,valid_from,valid_until\n\
               a,>= 0,hold,no,,\nb,>= 0,fast,,2026-11-01,\nc,>= 0,fast,,2026-12-01T00:00:00Z,2026-12-01T00:00:00Z\n";
    insta::assert_snapshot!(faults("", csv), @r#"
    3 faults in the configuration:
      tables/orders.csv:2: `enabled`: expected true or false, found `"no"`, in `no`
      tables/orders.csv:3: `valid_from`: expected a date and time with its zone, such as `2026-11-22T10:00:00Z`, found `"2026-11-01"`, in `2026-11-01`
      tables/orders.csv:4: the rule is never in force: `valid_until` 2026-12-01T00:00:00Z is not after `valid_from` 2026-12-01T00:00:00Z
    "#);
}
