//! Stories of turns in which models have their say.

use std::sync::Arc;

use super::tests::Story;
use super::*;
use crate::bundle::model_tests::{MODEL, PLAYBOOK, WORDS, files, manifest, with_models, words_model};
use crate::bundle::{Artifacts, Bundle, ContentHash, Sources};
use crate::decider::{Said, Silence, SlowAnswer, SlowScores, Word};
use crate::domain::{Event, FallbackReason, Tier};

fn ticket(id: &str, subject: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", "c-1").with("channel", "chat").with("subject", subject)
}

/// A story that asks one model.
fn story() -> Story {
    Story::with(with_models(MODEL))
}

/// Decides, and checks that the record tells the same.
fn decide(story: &mut Story, event: Event) -> Made {
    let Taken::Turn(turn) = story.decide(event) else { panic!("no turn") };
    let made = turn.decisions.into_iter().next().unwrap();
    let (record, bundle) = story.read_last();
    assert_eq!(record.remake(&record.decisions[0], &bundle), Ok(made.clone()));
    made
}

fn queue(made: &Made) -> &str {
    made.decided.outcome.get().text("queue").unwrap()
}

fn words(made: &Made, story: &Story) -> Vec<Word> {
    let models = &story.bundle.playbooks()[0].models;
    made.decided.asked.iter().map(|asked| asked.said.word(&models[usize::from(asked.model)])).collect()
}

#[test]
fn a_model_that_is_sure_decides_in_place_of_the_default() {
    let mut story = story();
    let made = decide(&mut story, ticket("1", "my card"));
    assert_eq!((queue(&made), made.decided.tier, made.decided.fallback), ("cards", Tier::SmallModel, None));
    assert_eq!(made.decided.outcome.get().int("priority"), Some(3), "what it does not set stays as the default says");
    assert_eq!(made.decided.model, Some(0));
    let confidence = made.decided.confidence().unwrap();
    assert!(confidence.as_f64() > 0.8, "{confidence}");
}

#[test]
fn a_model_that_is_unsure_leaves_the_rules_answer() {
    let mut story = story();
    let made = decide(&mut story, ticket("1", "card invoice"));
    assert_eq!((queue(&made), made.decided.tier), ("general", Tier::Rules));
    assert_eq!(made.decided.fallback, Some(FallbackReason::Unsure));
    assert_eq!(words(&made, &story), [Word::Unsure]);
    let Said::Ranked(ranking) = &made.decided.asked[0].said else { panic!("no ranking") };
    assert_eq!(ranking.best.len(), 2, "what the guardrail would not let out is cut");
    assert!(ranking.cut.is_some());
}

#[test]
fn a_final_rule_asks_no_model() {
    let mut story = story();
    let made = decide(&mut story, ticket("1", "urgent card"));
    assert_eq!((queue(&made), made.decided.asked.len(), made.decided.fallback), ("general", 0, None));
}

#[test]
fn a_model_chooses_only_what_the_matching_rule_permits() {
    let mut story = story();
    story.facts(&[("plan", "free".into())]);
    let made = decide(&mut story, ticket("1", "my card, and an invoice"));
    assert_eq!((queue(&made), made.decided.outcome.get().int("priority")), ("billing", Some(4)));
    let Said::Ranked(ranking) = &made.decided.asked[0].said else { panic!("no ranking") };
    assert!(ranking.confidence().as_f64() > 0.95, "among what is permitted it is the only one");
    assert_eq!(ranking.cut.map(|score| score.index), Some(0), "cards was cut");
    assert_eq!(ranking.uncut.ppm(), 0, "a certificate would not hold for it");
}

#[test]
fn what_only_a_forbidden_word_speaks_for_is_decided_by_the_rules() {
    let mut story = story();
    let made = decide(&mut story, ticket("1", "outage"));
    let Said::Ranked(ranking) = &made.decided.asked[0].said else { panic!("no ranking") };
    assert_eq!(ranking.cut.map(|score| score.index), Some(2));
    assert_eq!(queue(&made), "general");
    assert_eq!(made.decided.fallback, Some(FallbackReason::NotPermitted));
}

#[test]
fn a_model_is_not_asked_about_a_text_that_is_not_there() {
    let mut story = story();
    let made = decide(&mut story, Event::new("1", "helpdesk", "ticket.created", "c-1").with("channel", "chat"));
    assert_eq!(made.decided.fallback, Some(FallbackReason::InputUnavailable));
    assert_eq!(words(&made, &story), [Word::Unread]);
    let made = decide(
        &mut story,
        Event::new("2", "helpdesk", "ticket.created", "c-1").with("channel", "chat").with("body", "card"),
    );
    assert_eq!(queue(&made), "cards", "one of its texts is enough");
}

#[test]
fn what_is_out_of_scope_is_not_decided_by_a_model() {
    let bytes = words_model(&WORDS).to_bytes();
    let (mut sources, artifacts) = files(MODEL);
    sources.insert("models/intent-1/manifest.toml", manifest(&bytes, "out_of_scope = { below = 1.0 }\n"));
    let mut story = Story::with(Bundle::compile_with(sources, &artifacts).unwrap());
    let made = decide(&mut story, ticket("1", "a poem about the sea"));
    assert_eq!(made.decided.fallback, Some(FallbackReason::OutOfScope));
    assert_eq!(queue(&decide(&mut story, ticket("2", "card"))), "cards");
}

/// Two models: the first wants to be very sure, the second is content with little.
fn two_models() -> Bundle {
    let second = MODEL.replace("above = 0.8", "above = 0.3");
    let first = MODEL.replace("{ above = 0.8 }", "{ above = 0.999 }\ncandidates = 0.9");
    let (mut sources, artifacts) = files(&format!("{first}{second}"));
    let rows: Vec<String> =
        (0..200).map(|row| format!("{},1.0,0:600000 1:350000 2:50000", ["cards", "billing"][row % 2])).collect();
    sources.insert("models/intent-1/calibration.csv", format!("label,scope,scores\n{}\n", rows.join("\n")));
    Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_next_model_is_asked_where_one_is_unsure_and_every_proposal_is_recorded() {
    let mut story = Story::with(two_models());
    let made = decide(&mut story, ticket("1", "card invoice"));
    assert_eq!(words(&made, &story), [Word::Unsure, Word::Accepted]);
    assert_eq!((made.decided.model, made.decided.tier), (Some(1), Tier::SmallModel));
    let Said::Ranked(first) = &made.decided.asked[0].said else { panic!("no ranking") };
    let Said::Ranked(second) = &made.decided.asked[1].said else { panic!("no ranking") };
    assert_eq!(first.plausible, 2);
    assert_eq!(second.best.len(), 2, "it chose among what the first left plausible");
}

/// A bundle whose model is too slow for a turn.
fn slow() -> Bundle {
    let manifest = manifest(b"slow", "").replace("\"text\"", "\"neural\"");
    let (mut sources, mut artifacts) = (Sources::default(), Artifacts::default());
    let (given, _) = files(MODEL);
    given.iter().for_each(|(path, text)| sources.insert(path, text));
    sources.insert("models/intent-1/manifest.toml", manifest.as_str());
    assert!(manifest.contains(&ContentHash::of(b"slow").to_string()), "{PLAYBOOK}");
    artifacts.insert("models/intent-1/model.bin", *b"slow");
    Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

fn asking(story: &Story, slow: Vec<SlowAnswer>, is_last: bool) -> Readings {
    let models = ModelReadings::Live { slow, replies: Vec::new(), served: Arc::default(), is_last };
    Readings { models, ..Readings::at(story.now) }
}

#[test]
fn a_slow_model_is_asked_between_two_tries_and_nothing_changes_before_it_has_answered() {
    let mut story = Story::with(slow());
    let event = story.bundle.layout().accept(ticket("1", "my card")).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    let before = format!("{:?}", story.state);
    let readings = asking(&story, Vec::new(), false);
    let Taken::Asks(wanted) = story.take_with(&input, &readings) else { panic!("nobody is asked") };
    assert_eq!(wanted, [Wanted::Model { playbook: 0, model: 0, text: "my card".to_owned() }]);
    assert_eq!(format!("{:?}", story.state), before);

    let scores = SlowScores { probabilities: Arc::from([0.05_f32, 0.9, 0.05]), scope: 0.9 };
    let readings = asking(&story, vec![SlowAnswer { playbook: 0, model: 0, scores: Ok(scores) }], false);
    let Taken::Turn(turn) = story.take_with(&input, &readings) else { panic!("no turn") };
    assert_eq!((queue(&turn.decisions[0]), turn.decisions[0].decided.tier), ("billing", Tier::SmallModel));
    let (record, bundle) = story.read_last();
    assert_eq!(record.remake(&record.decisions[0], &bundle).as_ref(), Ok(&turn.decisions[0]));
    assert!(matches!(story.take_with(&input, &asking(&story, Vec::new(), false)), Taken::Repeated(_)));
}

#[test]
fn a_slow_model_that_is_silent_leaves_the_rules_answer_and_says_why() {
    for (silence, reason) in [
        (Silence::Late, FallbackReason::ModelLate),
        (Silence::Shed, FallbackReason::ModelShed),
        (Silence::Failed, FallbackReason::ModelFailed),
    ] {
        let mut story = Story::with(slow());
        let event = story.bundle.layout().accept(ticket("1", "my card")).unwrap();
        let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
        let readings = asking(&story, vec![SlowAnswer { playbook: 0, model: 0, scores: Err(silence) }], false);
        let Taken::Turn(turn) = story.take_with(&input, &readings) else { panic!("no turn") };
        assert_eq!((queue(&turn.decisions[0]), turn.decisions[0].decided.fallback), ("general", Some(reason)));
    }
    let mut story = Story::with(slow());
    let made = decide(&mut story, ticket("1", "my card"));
    assert_eq!(
        made.decided.fallback,
        Some(FallbackReason::ModelLate),
        "a turn that nobody asks for is not kept waiting"
    );
}

#[test]
fn what_changed_while_a_slow_model_was_asked_holds() {
    let mut story = Story::with(slow());
    let event = story.bundle.layout().accept(ticket("1", "my card")).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    assert!(matches!(story.take_with(&input, &asking(&story, Vec::new(), false)), Taken::Asks(_)));
    story.facts(&[("plan", "free".into())]);
    let scores = SlowScores { probabilities: Arc::from([0.9_f32, 0.05, 0.05]), scope: 0.9 };
    let readings = asking(&story, vec![SlowAnswer { playbook: 0, model: 0, scores: Ok(scores) }], false);
    let Taken::Turn(turn) = story.take_with(&input, &readings) else { panic!("no turn") };
    let decided = &turn.decisions[0].decided;
    assert_eq!(decided.rule, Some(0), "the rules are asked anew");
    assert_eq!(queue(&turn.decisions[0]), "billing", "and by then cards was not permitted");
}

/// What a model says of cards, billing and incident.
fn scores(of: [f32; 3], scope: f32) -> SlowScores {
    SlowScores { probabilities: Arc::from(of), scope }
}

/// Two slow models, of which the first leaves what is likely to the second, and what each of them says of one ticket.
fn after_candidates(manifest_of_first: &str, first: SlowScores, second: SlowScores) -> (Story, Made) {
    let neural = |version: &str, more: &str| {
        manifest(b"slow", more)
            .replace("\"text\"", "\"neural\"")
            .replace("version       = 1", &format!("version       = {version}"))
    };
    let models = format!(
        "{}{}",
        MODEL.replace("{ above = 0.8 }", "{ above = 0.999 }\ncandidates = 0.9"),
        MODEL.replace("intent@1", "intent@2")
    );
    let (mut sources, mut artifacts) = files(&models);
    sources.insert("models/intent-1/manifest.toml", neural("1", manifest_of_first));
    sources.insert("models/intent-2/manifest.toml", neural("2", ""));
    for model in ["models/intent-1/model.bin", "models/intent-2/model.bin"] {
        artifacts.insert(model, *b"slow");
    }
    let rows: Vec<String> =
        (0..200).map(|row| format!("{},1.0,0:600000 1:350000 2:50000", ["cards", "billing"][row % 2])).collect();
    sources.insert("models/intent-1/calibration.csv", format!("label,scope,scores\n{}\n", rows.join("\n")));
    let bundle = Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"));
    let mut story = Story::with(bundle);
    let event = story.bundle.layout().accept(ticket("1", "my card")).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    let said = [first, second].into_iter().enumerate();
    let slow = said.map(|(model, scores)| SlowAnswer { playbook: 0, model, scores: Ok(scores) }).collect();
    let readings = asking(&story, slow, false);
    let Taken::Turn(turn) = story.take_with(&input, &readings) else { panic!("no turn") };
    let made = turn.decisions.into_iter().next().unwrap();
    let (record, bundle) = story.read_last();
    assert_eq!(record.remake(&record.decisions[0], &bundle), Ok(made.clone()));
    (story, made)
}

#[test]
fn a_model_that_finds_nothing_permitted_likely_leaves_the_next_one_all_that_is_permitted() {
    let (story, made) = after_candidates("", scores([0.0, 0.0, 1.0], 1.0), scores([0.05, 0.9, 0.05], 1.0));
    assert_eq!(words(&made, &story), [Word::NotPermitted, Word::Accepted]);
    assert_eq!(queue(&made), "billing");
}

#[test]
fn what_a_model_finds_implausible_is_not_the_only_choice_of_the_next_one() {
    // Only the forbidden incident is plausible; of what is permitted nothing is.
    let (story, made) = after_candidates("", scores([0.03, 0.02, 0.95], 1.0), scores([0.02, 0.97, 0.01], 1.0));
    assert_eq!(words(&made, &story), [Word::Unsure, Word::Accepted]);
    assert_eq!(queue(&made), "billing", "the second chooses among all that is permitted");
}

#[test]
fn a_model_that_takes_a_text_for_none_of_its_business_leaves_no_candidates() {
    let check = "out_of_scope = { below = 0.5 }\n";
    let (story, made) = after_candidates(check, scores([0.9, 0.05, 0.05], 0.1), scores([0.02, 0.97, 0.01], 1.0));
    assert_eq!(words(&made, &story), [Word::OutOfScope, Word::Accepted]);
    assert_eq!(queue(&made), "billing");
}

#[test]
fn a_certificate_does_not_hold_for_a_model_whose_best_proposal_was_cut_however_low_its_threshold() {
    let models = MODEL.replace("{ above = 0.8 }", "{ target_precision = 0.9 }");
    let (mut sources, artifacts) = files(&models);
    // Always right, so that nothing speaks against the lowest threshold.
    let rows = "cards,1.0,0:900000 1:90000 2:10000\n".repeat(300);
    sources.insert("models/intent-1/calibration.csv", format!("label,scope,scores\n{rows}"));
    let mut story = Story::with(Bundle::compile_with(sources, &artifacts).unwrap());
    assert_eq!(queue(&decide(&mut story, ticket("1", "my card"))), "cards");
    story.facts(&[("plan", "free".into())]);
    let made = decide(&mut story, ticket("2", "my card, and an invoice"));
    let Said::Ranked(ranking) = &made.decided.asked[0].said else { panic!("no ranking") };
    assert_eq!(ranking.cut.map(|score| score.index), Some(0), "cards was cut");
    assert_eq!(words(&made, &story), [Word::Unsure]);
    assert_eq!(made.decided.tier, Tier::Rules);
}

#[test]
fn the_label_for_what_is_out_of_scope_is_never_proposed() {
    let bytes = words_model(&WORDS).to_bytes();
    let (mut sources, artifacts) = files(MODEL);
    // Billing stands for what is none of the model's business, and is the only thing that is permitted.
    sources.insert("models/intent-1/manifest.toml", manifest(&bytes, "out_of_scope = { label = \"billing\" }\n"));
    let mut story = Story::with(Bundle::compile_with(sources, &artifacts).unwrap());
    story.facts(&[("plan", "free".into())]);
    let made = decide(&mut story, ticket("1", "a card, my card, and an invoice"));
    assert_eq!(words(&made, &story), [Word::NotPermitted]);
    assert_eq!(made.decided.tier, Tier::Rules);
}
