//! What an answer says.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{mixed, schema};

/// Parts of an answer's bytes that JSON writers do not write. They are put in after writing.
const NOT_UTF8: &[u8] = b"\xff\xfe\xc3\x28";

/// What the model says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// What the request's JSON Schema permits; the same prompt gets the same choice. `{}` where it has no schema.
    #[default]
    Permitted,
    /// These texts, by the number of the request since the behaviour was set, from the start again after the last.
    Texts(Vec<String>),
    /// What is permitted, between Markdown fences.
    Fenced,
    /// What is permitted, with talk before and after it.
    Prose,
    /// The first half of what is permitted; `finish_reason` is `length`.
    Truncated,
    /// JSON of another form.
    WrongForm,
    /// JSON of the right form with values that are not among the choices.
    NotPermitted,
    /// Talk without any JSON, although a schema was asked for: the schema was dropped.
    FreeText,
    /// The model refuses: `refusal` instead of `content`.
    Refusal,
    /// `content` is null.
    Null,
    /// `choices` is empty.
    NoChoices,
    /// Bytes that are not UTF-8 within the answer.
    InvalidUtf8,
    /// A text of so many bytes.
    Huge(usize),
}

/// What the answer says of its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Usage {
    /// A token for every four bytes.
    #[default]
    Counted,
    /// Nothing.
    Missing,
    /// These numbers.
    Fixed {
        /// Tokens of the prompt.
        prompt: u64,
        /// Tokens of the answer.
        answer: u64,
    },
}

/// What an answer is made for.
pub(crate) struct Asked<'a> {
    /// The request's number since the start.
    pub(crate) number: u64,
    /// Its number since the behaviour was set.
    pub(crate) turn: u64,
    /// Its body.
    pub(crate) body: &'a Value,
}

/// The bytes of the body of an answer.
pub(crate) fn completion(content: &Content, usage: &Usage, asked: &Asked<'_>) -> Vec<u8> {
    let message = message(content, asked);
    let said = message.get("content").and_then(Value::as_str).map_or(0, str::len);
    let finish = if matches!(content, Content::Truncated) { "length" } else { "stop" };
    let mut choices = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}]);
    if matches!(content, Content::NoChoices) {
        choices = json!([]);
    }
    let mut answer = json!({
        "id": format!("chatcmpl-{}", asked.number),
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": asked.body.get("model").unwrap_or(&Value::Null),
        "choices": choices,
    });
    if let Some((prompt, said)) = tokens(usage, asked.body, said) {
        answer["usage"] = json!({"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said});
    }
    let mut bytes = answer.to_string().into_bytes();
    if matches!(content, Content::InvalidUtf8) {
        // Into the text of the answer, which is the place where a reader of JSON comes upon it.
        let mark = b"\"content\":\"";
        let at = bytes.windows(mark.len()).position(|window| window == mark).map_or(0, |at| at + mark.len());
        bytes.splice(at..at, NOT_UTF8.iter().copied());
    }
    bytes
}

fn message(content: &Content, asked: &Asked<'_>) -> Value {
    let said = match content {
        Content::Permitted | Content::NoChoices | Content::InvalidUtf8 => permitted(asked).to_string(),
        Content::Texts(texts) => {
            let at = usize::try_from(asked.turn).unwrap_or_default().checked_rem(texts.len());
            at.and_then(|at| texts.get(at)).cloned().unwrap_or_default()
        }
        Content::Fenced => format!("```json\n{:#}\n```\n", permitted(asked)),
        Content::Prose => {
            format!(
                "Sure! Having thought about it, I choose:\n\n{:#}\n\nLet me know if you need more.",
                permitted(asked)
            )
        }
        Content::Truncated => {
            let whole = permitted(asked).to_string();
            whole.chars().take(whole.chars().count() / 2).collect()
        }
        Content::WrongForm => json!({"something": {"else": [1, 2, 3]}}).to_string(),
        Content::NotPermitted => schema::forbidden(&permitted(asked)).to_string(),
        Content::FreeText => "I would say that this is a matter for the people who know about it.".to_owned(),
        Content::Huge(bytes) => "a".repeat(*bytes),
        Content::Refusal => {
            return json!({"role": "assistant", "content": null, "refusal": "I'm sorry, I cannot help with that."});
        }
        Content::Null => return json!({"role": "assistant", "content": null, "refusal": null}),
    };
    json!({"role": "assistant", "content": said, "refusal": null})
}

fn permitted(asked: &Asked<'_>) -> Value {
    let schema = asked.body.pointer("/response_format/json_schema/schema");
    schema.map_or_else(|| json!({}), |schema| schema::permitted(schema, hash(prompt(asked.body))))
}

/// The last message: what differs from question to question.
fn prompt(body: &Value) -> &str {
    let messages = body.get("messages").and_then(Value::as_array);
    messages.and_then(|all| all.last()).and_then(|last| last.get("content")).and_then(Value::as_str).unwrap_or_default()
}

/// FNV-1a, mixed: neighbours come far apart.
fn hash(text: &str) -> u64 {
    let folded = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mixed(folded, 0)
}

fn tokens(usage: &Usage, body: &Value, said: usize) -> Option<(u64, u64)> {
    let of = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
    match usage {
        Usage::Counted => {
            let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
            let texts = messages.filter_map(|message| message.get("content").and_then(Value::as_str));
            Some((of(texts.map(str::len).sum()), of(said)))
        }
        Usage::Missing => None,
        Usage::Fixed { prompt, answer } => Some((*prompt, *answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Value {
        json!({
            "model": "small",
            "messages": [{"role": "system", "content": "Route it."}, {"role": "user", "content": "My card is gone"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {
                "type": "object", "properties": {"queue": {"enum": ["cards", "general"]}},
            }}},
        })
    }

    fn said(content: &Content) -> (Value, String) {
        let body = body();
        let bytes = completion(content, &Usage::Counted, &Asked { number: 4, turn: 1, body: &body });
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        (answer, text)
    }

    #[test]
    fn answers_are_of_the_protocol_and_permitted() {
        let (answer, text) = said(&Content::Permitted);
        assert_eq!(answer["object"], "chat.completion");
        assert_eq!(answer["model"], "small");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        let chosen: Value = serde_json::from_str(&text).unwrap();
        assert!(["cards", "general"].contains(&chosen["queue"].as_str().unwrap()));
        // "Route it." and "My card is gone" are 24 bytes.
        assert_eq!(answer["usage"]["prompt_tokens"], 6);
        assert_eq!(said(&Content::Permitted).1, text);
    }

    #[test]
    fn the_same_choice_comes_in_every_wrapping() {
        let (_, plain) = said(&Content::Permitted);
        let plain: Value = serde_json::from_str(&plain).unwrap();
        for content in [Content::Fenced, Content::Prose] {
            let (_, text) = said(&content);
            assert!(serde_json::from_str::<Value>(&text).is_err());
            let inner = &text[text.find('{').unwrap()..=text.rfind('}').unwrap()];
            assert_eq!(serde_json::from_str::<Value>(inner).unwrap(), plain);
        }
    }

    #[test]
    fn what_is_wrong_is_wrong() {
        let (answer, text) = said(&Content::Truncated);
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        assert!(serde_json::from_str::<Value>(&text).is_err());
        let (_, text) = said(&Content::NotPermitted);
        let chosen: Value = serde_json::from_str(&text).unwrap();
        assert!(!["cards", "general"].contains(&chosen["queue"].as_str().unwrap()));
        assert!(serde_json::from_str::<Value>(&said(&Content::WrongForm).1).unwrap().get("queue").is_none());
        assert!(!said(&Content::FreeText).1.contains('{'));
        let (answer, _) = said(&Content::Refusal);
        assert!(answer["choices"][0]["message"]["refusal"].is_string());
        assert_eq!(said(&Content::NoChoices).0["choices"], json!([]));
        assert_eq!(said(&Content::Huge(10_000)).1.len(), 10_000);
        assert_eq!(said(&Content::Texts(vec!["a".to_owned(), "b".to_owned()])).1, "b");
    }

    #[test]
    fn what_is_not_utf8_stands_within_the_answer() {
        let body = body();
        let bytes = completion(&Content::InvalidUtf8, &Usage::Missing, &Asked { number: 0, turn: 0, body: &body });
        assert!(std::str::from_utf8(&bytes).is_err());
        assert!(serde_json::from_slice::<Value>(&bytes).is_err());
        let cleaned: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii).collect();
        let answer: Value = serde_json::from_slice(&cleaned).unwrap();
        assert!(answer.get("usage").is_none());
    }
}
