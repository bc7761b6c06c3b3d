//! Tests of the form of an answer: what its schema says, and that reading holds to it.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Answer, AnswerField, AnswerFormat};
use crate::domain::{Decimal, Enumeration, Field, Limits, TimeDelta, Type, Value};

fn queues() -> Type {
    Type::OneOf(Arc::new(Enumeration::new(["general", "cards", "incident"].map(String::from).into()).unwrap()))
}

fn bounded(name: &str, ty: Type, min: i64, max: i64) -> AnswerField {
    let mut field = Field::new(name, ty);
    (field.limits.min, field.limits.max) = (min, max);
    AnswerField::open(field)
}

fn long(name: &str, ty: Type, length_max: usize) -> AnswerField {
    let mut field = Field::new(name, ty);
    field.limits.length_max = length_max;
    AnswerField::open(field)
}

fn chosen(name: &str, ty: Type, choices: impl IntoIterator<Item = Value>) -> AnswerField {
    AnswerField { field: Field::new(name, ty), choices: Some(choices.into_iter().collect()) }
}

/// A form with a member of every kind.
fn every_kind() -> AnswerFormat {
    let tags = AnswerField {
        choices: Some([Value::Text("a".into()), Value::Text("b c".into())].into()),
        ..long("tags", Type::List(Box::new(Type::Text)), 3)
    };
    let fields = vec![
        AnswerField::open(Field::new("queue", queues())),
        chosen("second", queues(), [Value::Symbol(0), Value::Symbol(1)]),
        bounded("priority", Type::Int, 1, 4),
        chosen("level", Type::Int, [Value::Int(10), Value::Int(-3)]),
        AnswerField::open(Field::new("count", Type::Int)),
        bounded("refund", Type::Decimal, 0, 1_000_500),
        chosen("rate", Type::Decimal, [Value::Decimal("0.5".parse().unwrap()), Value::Decimal("2".parse().unwrap())]),
        AnswerField::open(Field::new("is_urgent", Type::Bool)),
        chosen("is_vip", Type::Bool, [Value::Bool(false)]),
        long("note", Type::Text, 20),
        long("letter", Type::Text, 5_000),
        AnswerField::open(Field::new("due", Type::Time)),
        AnswerField::open(Field::new("within", Type::Duration)),
        tags,
        AnswerField::open(Field::new("queues", Type::List(Box::new(queues())))),
    ];
    AnswerFormat::new(fields, 40)
}

fn routing() -> AnswerFormat {
    let queue = chosen("queue", queues(), [Value::Symbol(0), Value::Symbol(1)]);
    AnswerFormat::new(vec![queue, bounded("priority", Type::Int, 1, 4)], 0)
}

fn cards(priority: i64) -> Answer {
    Answer { values: [Value::Symbol(1), Value::Int(priority)].into(), reason: None }
}

#[test]
fn the_schema_names_every_limit_that_strict_servers_understand() {
    let schema: Json = serde_json::from_str(every_kind().schema()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema["properties"]).unwrap());
    let names: Vec<&str> = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names[..3], ["reason", "queue", "second"], "in their order, the reason first");
    assert_eq!(names.len(), 16);
    assert_eq!(schema["additionalProperties"], json!(false));
    assert!(
        every_kind()
            .schema()
            .starts_with(r#"{"type":"object","properties":{"reason":{"type":"string","maxLength":40},"queue""#)
    );
}

#[test]
fn a_decimal_that_floating_point_cannot_hold_is_chosen_as_a_text() {
    let large = Value::Decimal(Decimal::from_units(i64::MAX));
    let format = AnswerFormat::new(
        vec![chosen("amount", Type::Decimal, [large.clone(), Value::Decimal(Decimal::from_units(5_000))])],
        0,
    );
    let schema: Json = serde_json::from_str(format.schema()).unwrap();
    assert_eq!(schema["properties"]["amount"], json!({"type": "string", "enum": ["922337203685477.5807", "0.5"]}));
    assert_eq!(format.read(r#"{"amount":"922337203685477.5807"}"#).unwrap().values[0], large);
}

#[test]
fn a_reason_gives_way_to_a_field_of_its_name() {
    let format = AnswerFormat::new(vec![long("reason", Type::Text, 10)], 5);
    assert_eq!(format.reason(), Some(("reason_", 5)));
    let answer = format.read(r#"{"reason":"refund","reason_":"ééé"}"#).unwrap();
    assert_eq!(answer, Answer { values: [Value::Text("refund".into())].into(), reason: Some("éé".into()) });
}

#[test]
fn finds_the_object_amid_other_words() {
    let object = r#"{"queue": "cards", "priority": 2}"#;
    for text in [
        object.to_owned(),
        format!("\n\n  {object}\n"),
        format!("```json\n{object}\n```"),
        format!("```\n{object}\n```\nI hope this helps! :-{{"),
        format!("The queue is {{cards}}, so: {object}. Done }}"),
        format!("<think>Perhaps {{\"queue\": \"general\"}}? Or {{ no.</think>\n{object}"),
        format!("Perhaps {{\"queue\": \"general\"}}?</think>{object}"),
        format!("<b>{object}</b>"),
        r#"{"priority":2.0,"queue":"cards"}"#.to_owned(),
    ] {
        assert_eq!(routing().read(&text), Ok(cards(2)), "{text}");
    }
}

#[test]
fn a_misfit_names_the_member_the_value_and_what_would_be_right() {
    let texts = [
        "",
        "I cannot answer this.",
        r#"["cards", 2]"#,
        r#"{"queue":"cards"}"#,
        r#"{"queue":"cards","priority":null}"#,
        r#"{"queue":"card","priority":2}"#,
        r#"{"queue":"incident","priority":2}"#,
        r#"{"queue":["cards"],"priority":2}"#,
        r#"{"queue":"cards","priority":5}"#,
        r#"{"queue":"cards","priority":"2"}"#,
        r#"{"queue":"cards","priority":2.5}"#,
        r#"{"queue":"cards","priority":1e999}"#,
        r#"{"queue":"cards","priority":2,"prioritty":1}"#,
        r#"{"queue":"cards","priority":2,"refund":{"amount":1000}}"#,
        r#"{"queue":"cards","priority":2,"queue":"general"}"#,
        r#"{"queue":"cards","priority":2} {"queue":"general","priority":1}"#,
        r#"{"queue":"cards","priority":2"#,
        r#"{"answer":{"queue":"cards","priority":2}"#,
        r#"{"answer":!,"was":{"queue":"cards","priority":2}}"#,
        r#"{"a":[[[[[[[[[1]]]]]]]]]}"#,
        r#"<think>{"queue":"cards","priority":2}"#,
    ];
    let found: Vec<String> =
        texts.iter().map(|text| format!("{text}\n    {}", routing().read(text).unwrap_err())).collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn what_is_too_much_is_refused_unread_and_a_misfit_stays_short() {
    let long = format!(r#"{{"queue":"cards","priority":2}}{}"#, " ".repeat(AnswerFormat::TEXT_BYTES_MAX));
    assert!(routing().read(&long).unwrap_err().0.contains("the limit is 65536"));
    let wordy = format!(r#"{{"queue":"{}","{}":1}}"#, "é".repeat(5_000), "x".repeat(20_000));
    assert!(routing().read(&wordy).unwrap_err().0.chars().count() < 500);
    let nested = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    assert!(routing().read(&nested).unwrap_err().0.contains("levels deep"));
}

// === properties ===

/// A JSON value that a schema allows, as the numbers have it. Knows nothing of forms: it reads the schema alone.
fn conforming(schema: &Json, numbers: &mut impl FnMut() -> u64) -> Json {
    if let Some(choices) = schema.get("enum") {
        let choices = choices.as_array().unwrap();
        return choices[numbers() as usize % choices.len()].clone();
    }
    let up_to = |key: &str| schema.get(key).and_then(Json::as_u64).unwrap_or(30);
    match (schema["type"].as_str().unwrap(), schema.get("format"), schema.get("pattern")) {
        ("object", ..) => {
            let members = schema["properties"].as_object().unwrap();
            Json::Object(members.iter().map(|(name, schema)| (name.clone(), conforming(schema, numbers))).collect())
        }
        ("array", ..) => {
            let length = numbers() % (up_to("maxItems").min(30) + 1);
            (0..length).map(|_| conforming(&schema["items"], numbers)).collect()
        }
        ("boolean", ..) => json!(numbers().is_multiple_of(2)),
        ("integer", ..) => match (schema.get("minimum"), schema.get("maximum")) {
            (Some(min), Some(max)) => {
                let (min, max) = (min.as_i64().unwrap(), max.as_i64().unwrap());
                json!(min + (numbers() % (max - min + 1) as u64) as i64)
            }
            _ => json!(numbers() as i64),
        },
        ("number", ..) => {
            let max = schema["maximum"].as_f64().unwrap();
            let units = numbers() % ((max * 10_000.0) as u64 + 1);
            match numbers() % 2 {
                0 => json!(units as f64 / 10_000.0),
                _ => json!((units / 10_000)),
            }
        }
        ("string", Some(_), _) => {
            let at = |max: u64, numbers: &mut dyn FnMut() -> u64| numbers() % max;
            let (year, month, day) = (1970 + at(100, numbers), 1 + at(12, numbers), 1 + at(28, numbers));
            let (hour, second) = (at(24, numbers), at(60, numbers));
            let zone = ["Z", "+01:00", "-11:30"][at(3, numbers) as usize];
            json!(format!("{year:04}-{month:02}-{day:02}T{hour:02}:00:{second:02}.25{zone}"))
        }
        ("string", None, Some(_)) => {
            let parts = 1 + numbers() % 6;
            let sign = if numbers().is_multiple_of(3) { "-" } else { "" };
            let part =
                |_| format!("{}{}", numbers() % 1_000_000, ["d", "h", "m", "s", "ms", "us"][numbers() as usize % 6]);
            json!(format!("{sign}{}", (0..parts).map(part).collect::<String>()))
        }
        ("string", None, None) => {
            let length = numbers() % (up_to("maxLength").min(30) + 1);
            let character = |_| char::from_u32((numbers() % 127) as u32).unwrap();
            json!((0..length).map(character).collect::<String>())
        }
        (other, ..) => unreachable!("a schema of type {other}"),
    }
}

/// Numbers that go on for ever, from some that are given.
fn endless(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (mixed >> 31)
    }
}

/// Whether every value is of its field's type, within its limits and among its choices; told without the code that reads.
fn holds(format: &AnswerFormat, answer: &Answer) -> bool {
    let is_of = |ty: &Type, value: &Value| match (ty, value) {
        (Type::OneOf(of), Value::Symbol(symbol)) => usize::from(*symbol) < of.names().len(),
        (Type::Bool, Value::Bool(_)) | (Type::Int, Value::Int(_)) | (Type::Decimal, Value::Decimal(_)) => true,
        (Type::Text, Value::Text(_)) | (Type::Time, Value::Time(_)) | (Type::Duration, Value::Duration(_)) => true,
        _ => false,
    };
    let fits = |known: &AnswerField, value: &Value| {
        let Limits { min, max, length_max } = known.field.limits;
        let is_chosen = |value: &Value| known.choices.as_ref().is_none_or(|choices| choices.contains(value));
        match (&known.field.ty, value) {
            (Type::List(of), Value::List(items)) => {
                items.len() <= length_max && items.iter().all(|item| is_of(of, item) && is_chosen(item))
            }
            (ty, value) => {
                let length = value.as_text().map_or(0, str::len);
                let in_range = value.ordinal().is_none_or(|ordinal| (min..=max).contains(&ordinal));
                is_of(ty, value) && is_chosen(value) && in_range && length <= length_max
            }
        }
    };
    let reason_fits = match (&answer.reason, format.reason()) {
        (Some(reason), Some((_, bytes_max))) => reason.len() <= bytes_max,
        (reason, asked) => reason.is_none() && asked.is_none(),
    };
    answer.values.len() == format.fields().len()
        && reason_fits
        && format.fields().iter().zip(&answer.values).all(|(known, value)| fits(known, value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reads_whatever_the_schema_allows(seed in any::<u64>(), before in "[a-z {.]{0,20}", after in "[a-z {.\n]{0,20}") {
        let format = every_kind();
        let schema: Json = serde_json::from_str(format.schema()).unwrap();
        let said = conforming(&schema, &mut endless(seed));
        let answer = format.read(&format!("{before}{said}{after}"));
        prop_assert!(answer.is_ok(), "{said}: {answer:?}");
        let answer = answer.unwrap();
        prop_assert!(holds(&format, &answer));
        // What was read says what was said: written again, it is read the same.
        prop_assert_eq!(format.read(&format.write(&answer)), Ok(answer.clone()));
        let written: Json = serde_json::from_str(&format.write(&answer)).unwrap();
        for name in ["reason", "queue", "second", "priority", "level", "count", "is_urgent", "note", "tags", "queues"] {
            prop_assert_eq!(&written[name], &said[name], "{}", name);
        }
        prop_assert_eq!(written["refund"].as_f64(), said["refund"].as_f64());
    }

    #[test]
    fn nothing_beyond_limits_and_choices_is_ever_read(
        seed in any::<u64>(),
        member in 0_usize..16,
        other in prop_oneof![
            Just("null".to_owned()), any::<i64>().prop_map(|n| n.to_string()), any::<f64>().prop_map(|n| n.to_string()),
            "[a-z]{0,30}".prop_map(|text| format!("{text:?}")), Just("\"incident\"".to_owned()), Just("true".to_owned()),
            Just("[]".to_owned()), Just("[\"incident\",\"a\",\"b c\",\"a\",\"a\"]".to_owned()), Just("{\"queue\":\"cards\"}".to_owned()),
            Just("\"9999999d\"".to_owned()), Just("0.00001".to_owned()), Just("1000.5001".to_owned()), Just("5".to_owned()),
        ],
    ) {
        let format = every_kind();
        let schema: Json = serde_json::from_str(format.schema()).unwrap();
        let said = conforming(&schema, &mut endless(seed));
        let members: Vec<String> = said.as_object().unwrap().iter().enumerate().map(|(at, (name, value))| {
            if at == member { format!("{name:?}:{other}") } else { format!("{name:?}:{value}") }
        }).collect();
        if let Ok(answer) = format.read(&format!("{{{}}}", members.join(","))) {
            prop_assert!(holds(&format, &answer), "{answer:?}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = every_kind().read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_text_with_a_few_bytes_changed_is_read_or_refused(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<usize>(), prop_oneof![any::<char>(), "[{}\\[\\]\",:<>/\\\\]".prop_map(|c| c.chars().next().unwrap())], 0_u8..3), 1..6),
    ) {
        let format = every_kind();
        let schema: Json = serde_json::from_str(format.schema()).unwrap();
        let mut text: Vec<char> = conforming(&schema, &mut endless(seed)).to_string().chars().collect();
        for (at, character, how) in changes {
            let at = at % text.len().max(1);
            match how {
                0 => text.insert(at, character),
                1 if at < text.len() => drop(text.remove(at)),
                _ => if let Some(place) = text.get_mut(at) { *place = character },
            }
        }
        if let Ok(answer) = format.read(&text.into_iter().collect::<String>()) {
            prop_assert!(holds(&format, &answer), "{answer:?}");
        }
    }
}

#[test]
fn limits_hold_at_their_ends() {
    let format = AnswerFormat::new(
        vec![bounded("within", Type::Duration, TimeDelta::SECOND.micros(), TimeDelta::HOUR.micros())],
        0,
    );
    for (text, fits) in [("1s", true), ("1h", true), ("999ms", false), ("1h1us", false)] {
        assert_eq!(format.read(&format!("{{\"within\":\"{text}\"}}")).is_ok(), fits, "{text}");
    }
}
