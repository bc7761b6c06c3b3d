//! Stories of turns in which the guardrail's limits have their say, each told by its record as it was made.

use super::tests::Story;
use super::*;
use crate::bundle::limit_tests::{CLAMPED, REQUIRED, with_limits};
use crate::bundle::model_tests::{self, MODEL};
use crate::bundle::{Artifacts, Bundle, Sources};
use crate::domain::{Event, FallbackReason, Tier};
use crate::guardrail::Refused;

/// Decides, and checks that the record tells the same.
fn decide(story: &mut Story, event: Event) -> Made {
    let Taken::Turn(turn) = story.decide(event) else { panic!("no turn") };
    let made = turn.decisions.into_iter().next().unwrap();
    let (record, bundle) = story.read_last();
    assert_eq!(record.remake(&record.decisions[0], &bundle), Ok(made.clone()));
    made
}

/// What was decided and what the guardrail said, in a line.
fn say(made: &Made) -> String {
    let decided = &made.decided;
    let fallback = decided.fallback.map_or(String::new(), |reason| format!(" ({reason})"));
    let of = |refused: &Option<Refused>| refused.iter().flat_map(Refused::violations).cloned().collect::<Vec<_>>();
    let said = [of(&decided.model_refused), of(&decided.refused), decided.clamped.clone()].concat();
    let said: String = said.iter().map(|violation| format!("\n  {violation}")).collect();
    format!("{} by {}{fallback}{said}", decided.outcome.get(), decided.tier)
}

fn cart(id: &str, worth: &str) -> Event {
    Event::new(id, "shop", "cart.left", "c-1").with("worth", worth)
}

#[test]
fn what_a_rule_says_is_held_against_limits_as_the_customer_is_then() {
    let mut story = Story::with(with_limits(&format!("{REQUIRED}{CLAMPED}")));
    let mut said = Vec::new();
    said.push(say(&decide(&mut story, cart("1", "9"))));
    story.facts(&[("mrr", "200".into()), ("plan", "free".into())]);
    said.push(say(&decide(&mut story, cart("2", "9"))));
    said.push(say(&decide(&mut story, cart("3", "50"))));
    story.facts(&[("plan", "pro".into())]);
    said.push(say(&decide(&mut story, cart("4", "50"))));
    said.push(say(&decide(&mut story, cart("5", "0"))));
    insta::assert_snapshot!(said.join("\n"), @r#"
    action = "nothing", discount = 0, days = 0, note = "" by rules (limit_passed)
      discount = 9: limit `a-fifth` cannot be told (customer.mrr: not known of this customer): allows at most customer.mrr * 0.2
    action = "offer", discount = 9, days = 7, note = "" by rules
    action = "nothing", discount = 0, days = 0, note = "" by rules (limit_passed)
      discount = 50: limit `large-for-pro` requires proposal.discount <= 10.0 || customer.plan == "pro"
      discount = 50: limit `a-fifth` allows at most 40 (customer.mrr * 0.2)
    action = "offer", discount = 40, days = 7, note = "" by rules
      discount = 50: limit `a-fifth` allows at most 40 (customer.mrr * 0.2)
    action = "nothing", discount = 0, days = 0, note = "" by rules
    "#);
}

/// A bundle that asks a model, with these changes to its playbook.
fn with_model(models: &str, changes: &[(&str, &str)], more: &[(&str, &str)]) -> Bundle {
    let (mut sources, artifacts): (Sources, Artifacts) = model_tests::files(models);
    let mut playbook = sources.get("playbooks/routing.toml").unwrap().to_owned();
    for (from, to) in changes {
        assert!(playbook.contains(from), "{playbook}");
        playbook = playbook.replacen(from, to, 1);
    }
    sources.insert("playbooks/routing.toml", playbook);
    more.iter().for_each(|(path, text)| sources.insert(*path, (*text).to_owned()));
    Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

fn ticket(id: &str, subject: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", "c-1").with("channel", "chat").with("subject", subject)
}

#[test]
fn what_a_model_says_beyond_a_limit_leaves_the_rules_answer() {
    let limit = "\n[[guardrail.limits]]\nid = \"cards-for-pro\"\n\
                 require = 'proposal.queue != \"cards\" || customer.plan == \"pro\"'\n\n[[rules]]\nid     = \"free-plan\"";
    let mut story = Story::with(with_model(MODEL, &[("[[rules]]\nid     = \"free-plan\"", limit)], &[]));
    let made = decide(&mut story, ticket("1", "my card"));
    assert_eq!((made.decided.tier, made.decided.fallback), (Tier::Rules, Some(FallbackReason::LimitPassed)));
    let mut said = vec![say(&made), say(&decide(&mut story, ticket("2", "the invoice")))];
    story.facts(&[("plan", "pro".into())]);
    said.push(say(&decide(&mut story, ticket("3", "my card"))));
    insta::assert_snapshot!(said.join("\n"), @r#"
    queue = "general", priority = 3 by rules (limit_passed)
      queue = "cards": limit `cards-for-pro` cannot be told (customer.plan: not known of this customer): requires proposal.queue != "cards" || customer.plan == "pro"
    queue = "billing", priority = 3 by small_model
    queue = "cards", priority = 3 by small_model
    "#);
}

/// What a model chose is not moved to where its permit would not have let it choose: neither by a limit nor by a cap.
#[test]
fn what_a_model_chose_is_not_moved_out_of_its_permit() {
    let limit = "\n[[guardrail.limits]]\nid = \"no-hurry\"\nfield = \"priority\"\nmin = '3'\non_violation = \"clamp\"\n\n\
                 [[rules]]\nid     = \"free-plan\"";
    let models = MODEL.replace("{ queue = \"label\" }", "{ priority = \"table:urgency\" }");
    let table = [("tables/urgency.csv", "label,priority\ncards,1\nbilling,2\nincident,4\n")];
    let of = |permit: &str| {
        let changes = [("[[rules]]\nid     = \"free-plan\"", limit), ("permit = { queue = \"any\" }", permit)];
        let mut story = Story::with(with_model(&models, &changes, &table));
        say(&decide(&mut story, ticket("1", "my card")))
    };
    let said = [of("permit = { priority = { min = 1, max = 2 } }"), of("permit = { priority = { min = 1, max = 3 } }")];
    insta::assert_snapshot!(said.join("\n"), @r#"
    queue = "general", priority = 3 by rules (limit_passed)
      priority = 1: limit `no-hurry` allows at least 3 (3)
    queue = "general", priority = 3 by small_model
      priority = 1: limit `no-hurry` allows at least 3 (3)
    "#);
}
