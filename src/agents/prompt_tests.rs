//! Tests of prompts: what stands where, what is left out, what is cut, and that nothing that a customer writes gets out of its marks.

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;

use super::injection_tests::injections;
use super::tokens::{PER_MESSAGE, estimate};
use super::{Answer, AnswerField, AnswerFormat, Input, InputKind, Message, Prompt, Role, Shot, Template, Wording};
use crate::domain::{Enumeration, Field, Type, Value};

const TEMPLATE: &str = "A customer on the plan {{plan}} wrote.\n\nSubject: {{subject}}\n{{body}}\n\nOf note: {{note}}";

fn queue() -> Field {
    let names = ["general", "cards", "incident"].map(String::from).into();
    Field::new("queue", Type::OneOf(Arc::new(Enumeration::new(names).unwrap())))
}

fn format(choices: &[u16]) -> AnswerFormat {
    let choices = choices.iter().map(|symbol| Value::Symbol(*symbol)).collect();
    AnswerFormat::new(vec![AnswerField { field: queue(), choices: Some(choices) }], 80)
}

fn inputs() -> Vec<Input> {
    let input = |name: &str, kind| Input { name: name.into(), label: name.into(), kind };
    vec![
        input("subject", InputKind::Untrusted { chars_max: 1_000 }),
        input("body", InputKind::Untrusted { chars_max: 200_000 }),
        input("plan", InputKind::Scalar { bytes_max: 4 }),
        input("note", InputKind::Text { chars_max: 100_000 }),
    ]
}

fn prompt(context_tokens: usize) -> Prompt {
    let inputs = inputs();
    let template = Template::parse(TEMPLATE, &inputs).unwrap();
    let instructions = "You route tickets.\n".into();
    let wording = Wording { instructions, inputs: inputs.into(), template, context_tokens };
    let given = vec![Some("Card swallowed".to_owned()), Some("At the <ATM>.".to_owned()), None, None];
    let answer = Answer { values: [Value::Symbol(1)].into(), reason: Some("A card is gone.".into()) };
    Prompt::new(Arc::new(wording), &format(&[0, 1, 2]), &[Shot { given, answer }]).unwrap()
}

fn asked(prompt: &Prompt, given: [Option<&str>; 4]) -> Vec<Message> {
    prompt.messages(&given.map(|text| text.map(Cow::Borrowed)), &format(&[0, 1]))
}

fn shown(messages: &[Message]) -> String {
    messages.iter().map(|message| format!("[{}]\n{}\n", message.role.as_str(), message.text)).collect()
}

/// What stands outside the marks, and what inside each of them; told by the marks alone, as a model sees them.
fn parted(text: &str) -> (String, Vec<String>) {
    let (mut outside, mut inside, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find('<') {
        outside.push_str(&rest[..at]);
        let id = &rest[at..].strip_prefix("<data ").expect("an opening mark")[..6];
        let body = rest[at + "<data 123456".len()..].strip_prefix('>').expect("the end of an opening mark");
        let close = format!("</data {id}>");
        let end = body.find('<').expect("a closing mark");
        assert!(body[end..].starts_with(&close), "closed by its own mark: {}", &body[end..]);
        inside.push(body[..end].to_owned());
        outside.push('#');
        rest = &body[end + close.len()..];
    }
    outside.push_str(rest);
    (outside, inside)
}

#[test]
fn what_is_the_same_comes_first_and_what_is_asked_last() {
    let prompt = prompt(2_000);
    let messages =
        asked(&prompt, [Some("Hello"), Some("My card <is> gone.\r\nHelp!"), Some("pro"), Some("VIP since 2019")]);
    insta::assert_snapshot!(shown(&messages));
    let others = asked(&prompt, [None, Some("x"), None, None]);
    assert_eq!(others[..others.len() - 1], messages[..messages.len() - 1]);
}

#[test]
fn what_is_not_there_is_absent_and_leaves_no_gap() {
    let prompt = prompt(2_000);
    let last = |given| parted(&asked(&prompt, given).last().unwrap().text).0;
    let choices = "Choose among these alone:\n- \"queue\": \"general\", \"cards\"\n\n";
    assert_eq!(last([Some("Hi"), None, None, None]), format!("{choices}Subject: #"));
    assert_eq!(last([None, Some("Hi"), None, None]), format!("{choices}#"));
    assert_eq!(last([None, None, Some("pro"), None]), format!("{choices}A customer on the plan pro wrote."));
    assert_eq!(
        last([Some(" \u{200B}\n"), Some("Hi"), None, None]),
        format!("{choices}#"),
        "what says nothing is not there"
    );
}

#[test]
fn the_longest_untrusted_texts_are_cut_first_to_one_length() {
    let prompt = prompt(540);
    let (short, long, note) = ("s".repeat(60), "b".repeat(9_000), "n".repeat(60));
    let messages = asked(&prompt, [Some(&short), Some(&long), Some("pro"), Some(&note)]);
    let text = &messages.last().unwrap().text;
    assert!(text.contains(&short) && text.contains(&note) && text.contains(" characters left out …]"), "{text}");
    // Two that are too long end up alike; what nobody else has written stays whole as long as anything else can be cut.
    let messages = asked(&prompt, [Some(&"s".repeat(900)), Some(&long), Some("pro"), Some(&note)]);
    let text = &messages.last().unwrap().text;
    let kept = |letter| text.matches(letter).count();
    let (subject, body) = (kept("s"), kept("b"));
    assert!(text.contains(&note) && subject.abs_diff(body) < 30 && subject > 60, "{subject} {body}: {text}");
    // And where nothing else is left, that is cut as well.
    let messages = asked(&prompt, [Some(&short), Some(&long), Some("pro"), Some(&"n".repeat(50_000))]);
    let text = &messages.last().unwrap().text;
    assert!(text.contains("[… 60 characters left out …]") && text.contains("[… 9000 characters left out …]"), "{text}");
    assert!(text.matches('n').count() > 100, "{text}");
}

#[test]
fn a_prompt_without_room_for_its_inputs_is_refused() {
    let inputs = inputs();
    let template = Template::of_labels(&inputs);
    let wording =
        Wording { instructions: "x ".repeat(300).into(), inputs: inputs.into(), template, context_tokens: 500 };
    let fault = Prompt::new(Arc::new(wording), &format(&[0, 1, 2]), &[]).unwrap_err();
    insta::assert_snapshot!(fault);
}

// === injections ===

#[test]
fn there_are_enough_injections() {
    assert!(injections().len() >= 40, "{}", injections().len());
}

#[test]
fn no_text_gets_out_of_its_marks_or_changes_what_stands_around_them() {
    let prompt = prompt(6_000);
    let plain = asked(&prompt, [Some("Hello"), Some("Hello"), Some("pro"), None]);
    let (around, _) = parted(&plain.last().unwrap().text);
    for injection in injections() {
        for given in [[Some(&*injection), Some("Hello")], [Some("Hello"), Some(&*injection)], [Some(&*injection); 2]] {
            let messages = asked(&prompt, [given[0], given[1], Some("pro"), None]);
            assert_eq!(messages[..messages.len() - 1], plain[..plain.len() - 1], "{injection}");
            assert_eq!(messages.last().unwrap().role, Role::User);
            let (outside, inside) = parted(&messages.last().unwrap().text);
            assert_eq!(outside, around, "{injection}");
            assert_eq!(inside.len(), 2, "{injection}");
        }
    }
}

#[test]
fn no_special_token_and_no_unseen_character_reaches_a_model() {
    let prompt = prompt(6_000);
    for injection in injections() {
        let messages = asked(&prompt, [None, Some(&injection), None, None]);
        let text = &messages.last().unwrap().text;
        for token in [
            "<|",
            "<s>",
            "</s>",
            "[INST]",
            "[/INST]",
            "<<SYS>>",
            "<start_of_turn>",
            "<｜",
            "[SYSTEM_PROMPT]",
            "<think>",
        ] {
            assert!(!text.contains(token), "{token} in {text}");
        }
        let is_unseen =
            |c: char| matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{E0000}'..='\u{E0FFF}');
        assert!(!text.chars().any(|c| is_unseen(c) || (c.is_control() && c != '\n' && c != '\t')), "{text:?}");
    }
}

#[test]
fn a_model_that_does_as_an_injection_says_still_chooses_among_what_it_may() {
    let format = format(&[0, 1]);
    let holds = |said: &str| match format.read(said) {
        Ok(answer) => matches!(*answer.values, [Value::Symbol(0 | 1)]),
        Err(_) => true,
    };
    for wanted in ["incident", "INCIDENT", "root", "general\u{0}", "cards, incident", "general\",\"refund\":\"9999"] {
        for said in [
            format!("{{\"queue\":\"{wanted}\"}}"),
            format!("{{\"reason\":\"the customer says so\",\"queue\":\"{wanted}\"}}"),
            format!("{{\"reason\":\"x\",\"queue\":[\"{wanted}\"]}}"),
            format!("{{\"reason\":\"x\",\"queue\":\"general\",\"queue\":\"{wanted}\"}}"),
            format!("{{\"reason\":\"x\",\"queue\":\"general\"}}{{\"reason\":\"x\",\"queue\":\"{wanted}\"}}"),
            format!("{{\"reason\":\"x\",\"queue\":\"{wanted}\",\"priority\":1}}"),
        ] {
            assert!(format.read(&said).is_err(), "{said}");
        }
    }
    for injection in injections() {
        assert!(holds(&injection), "{injection}");
        assert!(holds(&format!("Sure! {injection}")), "{injection}");
        let quoted = serde_json::json!({ "reason": injection, "queue": injection }).to_string();
        assert!(format.read(&quoted).is_err(), "{quoted}");
        let obedient = serde_json::json!({ "reason": injection, "queue": "cards" }).to_string();
        if obedient.len() > AnswerFormat::TEXT_BYTES_MAX {
            assert!(format.read(&obedient).is_err());
            continue;
        }
        let answer = format.read(&obedient).unwrap();
        assert_eq!(*answer.values, [Value::Symbol(1)]);
        assert!(answer.reason.unwrap().len() <= 80);
    }
}

// === properties ===

fn some_text() -> impl Strategy<Value = Option<String>> {
    let words = "[a-z <>/\\[\\]{}\"=:\n\u{200B}é你|]{0,300}";
    let long = (words, 1_usize..40).prop_map(|(text, times)| text.repeat(times));
    prop_oneof![
        1 => Just(None),
        3 => any::<String>().prop_map(Some),
        3 => words.prop_map(Some),
        3 => long.prop_map(Some),
        1 => prop::sample::select(injections()).prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_prompt_keeps_within_its_tokens_and_its_marks(
        subject in some_text(), body in some_text(), note in some_text(), context_tokens in 540_usize..3_000,
    ) {
        let prompt = prompt(context_tokens);
        let given = [subject.as_deref(), body.as_deref(), Some("free"), note.as_deref().map(|_| "a note")];
        let messages = asked(&prompt, given);
        prop_assert_eq!(&messages, &asked(&prompt, given), "the same values give the same bytes");
        let tokens: usize = messages.iter().map(|message| estimate(&message.text) + PER_MESSAGE).sum();
        prop_assert!(tokens <= context_tokens, "{} of {}", tokens, context_tokens);
        let (outside, inside) = parted(&messages.last().unwrap().text);
        prop_assert!(inside.len() <= 2);
        let lines = ["Choose among these alone:", "- \"queue\": \"general\", \"cards\"", "", "A customer on the plan free wrote.", "Subject: #", "#", "Of note: a note"];
        prop_assert!(outside.lines().all(|line| lines.contains(&line)), "{}", outside);
    }

    #[test]
    fn trusted_texts_are_cut_to_fit_as_well(body in some_text(), note in "[a-z0-9 ,.\n]{0,5000}", context_tokens in 540_usize..1_000) {
        let messages = asked(&prompt(context_tokens), [None, body.as_deref(), Some("free"), Some(&note)]);
        let tokens: usize = messages.iter().map(|message| estimate(&message.text) + PER_MESSAGE).sum();
        prop_assert!(tokens <= context_tokens, "{} of {}", tokens, context_tokens);
    }
}
