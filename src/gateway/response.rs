//! What a provider's response says.

use serde::Deserialize;

/// What a response of the chat-completions kind says.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    /// The answer's text, or why there is none.
    pub(super) text: Result<String, Unsaid>,
    /// What the provider counted, if it says so.
    pub(super) usage: Option<Usage>,
    /// The model that answered, in the provider's own words.
    pub(super) model: Option<String>,
    /// Why it ended, in the provider's own words.
    pub(super) finish: Option<String>,
}

/// Tokens as a provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u32,
    /// Those among them that it had read before.
    pub(super) cached_tokens: u32,
    pub(super) answer_tokens: u32,
}

/// Why a response has no text to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// It is not what the protocol says.
    Malformed,
    /// The model declined.
    Refused,
    /// The answer was longer than it may be.
    CutOff,
    /// The provider held it back.
    Filtered,
    /// There is none.
    Empty,
}

impl Unsaid {
    /// In the words of metrics and logs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused => "refused_to_say",
            Self::CutOff => "cut_off",
            Self::Filtered => "filtered",
            Self::Empty => "empty",
        }
    }
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    model: Option<String>,
    choices: Vec<Choice>,
    /// Of no form that is relied upon: an answer is one, however it was counted.
    #[serde(default)]
    usage: serde_json::Value,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

/// Reads the body of a response that succeeded.
pub(super) fn read(body: &[u8]) -> Said {
    let Ok(Completion { model, choices, usage }) = serde_json::from_slice(body) else {
        return Said { text: Err(Unsaid::Malformed), usage: None, model: None, finish: None };
    };
    let Some(choice) = choices.into_iter().next() else {
        return Said { text: Err(Unsaid::Empty), usage: counted(&usage, false), model, finish: None };
    };
    let finish = choice.finish_reason.clone();
    let text = text(choice);
    Said { usage: counted(&usage, text.is_ok()), text, model, finish }
}

/// What was counted. What is missing, no count, or a zero that cannot be is as if nothing was said: a request without a count is
/// paid for in full, one with a false zero would be free.
fn counted(usage: &serde_json::Value, has_text: bool) -> Option<Usage> {
    let tokens = |value: &serde_json::Value| value.as_u64().and_then(|count| u32::try_from(count).ok());
    let (prompt_tokens, answer_tokens) = (tokens(&usage["prompt_tokens"])?, tokens(&usage["completion_tokens"])?);
    if prompt_tokens == 0 || has_text && answer_tokens == 0 {
        return None;
    }
    let cached_tokens = tokens(&usage["prompt_tokens_details"]["cached_tokens"]).unwrap_or(0).min(prompt_tokens);
    Some(Usage { prompt_tokens, cached_tokens, answer_tokens })
}

fn text(choice: Choice) -> Result<String, Unsaid> {
    match choice.finish_reason.as_deref() {
        Some("length") => return Err(Unsaid::CutOff),
        Some("content_filter") => return Err(Unsaid::Filtered),
        _ => {}
    }
    let text = match choice.message.content {
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
        None => String::new(),
    };
    match choice.message.refusal {
        Some(refusal) if !refusal.is_empty() => Err(Unsaid::Refused),
        _ if text.trim().is_empty() => Err(Unsaid::Empty),
        _ => Ok(text),
    }
}

/// The provider's own word for an error, from the body of a response that failed: `context_length_exceeded`, bounded, and only
/// of letters that a code has, so that it can stand in a log.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Failed {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        #[serde(default)]
        code: Option<serde_json::Value>,
        #[serde(default, rename = "type")]
        kind: Option<String>,
    }
    let Failed { error } = serde_json::from_slice(body).ok()?;
    let code = error.code.and_then(|code| code.as_str().map(str::to_owned));
    let is_code = |code: &String| {
        (1..=64).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    code.filter(is_code).or_else(|| error.kind.filter(is_code))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(choice: &str) -> Said {
        read(format!(r#"{{"choices":[{choice}],"usage":{{"prompt_tokens":7,"completion_tokens":3}}}}"#).as_bytes())
    }

    #[test]
    fn reads_the_text_and_what_was_counted() {
        let body = br#"{"id":"x","model":"m-1","choices":[{"index":0,"finish_reason":"stop","logprobs":null,
            "message":{"role":"assistant","content":"{\"queue\":\"cards\"}","refusal":null}}],
            "usage":{"prompt_tokens":90,"completion_tokens":8,"total_tokens":98,"prompt_tokens_details":{"cached_tokens":64}},
            "timings":{"prompt_n":14}}"#;
        let expected = Said {
            text: Ok(r#"{"queue":"cards"}"#.to_owned()),
            usage: Some(Usage { prompt_tokens: 90, cached_tokens: 64, answer_tokens: 8 }),
            model: Some("m-1".to_owned()),
            finish: Some("stop".to_owned()),
        };
        assert_eq!(read(body), expected);
    }

    #[test]
    fn tells_apart_why_there_is_no_text() {
        let unsaid = |choice| said(choice).text.unwrap_err();
        assert_eq!(unsaid(r#"{"message":{"content":null,"refusal":"I would rather not"}}"#), Unsaid::Refused);
        assert_eq!(unsaid(r#"{"message":{"content":"{\"queue\":"},"finish_reason":"length"}"#), Unsaid::CutOff);
        assert_eq!(unsaid(r#"{"message":{"content":"x"},"finish_reason":"content_filter"}"#), Unsaid::Filtered);
        assert_eq!(unsaid(r#"{"message":{"content":" \n"}}"#), Unsaid::Empty);
        assert_eq!(unsaid(r#"{"message":{"role":"assistant"}}"#), Unsaid::Empty);
        assert_eq!(read(br#"{"choices":[]}"#).text, Err(Unsaid::Empty));
        assert_eq!(read(br#"{"error":{"message":"no"}}"#).text, Err(Unsaid::Malformed));
        assert_eq!(read(b"<html>").text, Err(Unsaid::Malformed));
        assert_eq!(
            said(r#"{"message":{"content":null,"refusal":"no"}}"#).usage.unwrap().prompt_tokens,
            7,
            "it is paid for"
        );
    }

    #[test]
    fn an_answer_counts_however_it_was_counted() {
        let counted = |usage: &str| {
            let choices = r#""choices":[{"message":{"content":"yes"}}]"#;
            let said = read(format!("{{{choices}{usage}}}").as_bytes());
            assert_eq!(said.text.as_deref(), Ok("yes"), "{usage}");
            said.usage
        };
        let unsaid = [
            "",
            r#","usage":null"#,
            r#","usage":{}"#,
            r#","usage":[]"#,
            r#","usage":7"#,
            r#","usage":{"prompt_tokens":null,"completion_tokens":null}"#,
            r#","usage":{"prompt_tokens":7}"#,
            r#","usage":{"prompt_tokens":7,"completion_tokens":null}"#,
            r#","usage":{"prompt_tokens":0,"completion_tokens":0}"#,
            r#","usage":{"prompt_tokens":7,"completion_tokens":0}"#,
            r#","usage":{"prompt_tokens":-1,"completion_tokens":3}"#,
            r#","usage":{"prompt_tokens":"7","completion_tokens":"3"}"#,
            r#","usage":{"prompt_tokens":5000000000,"completion_tokens":3}"#,
        ];
        for usage in unsaid {
            assert_eq!(counted(usage), None, "{usage}");
        }
        let usage = |cached_tokens| Some(Usage { prompt_tokens: 7, cached_tokens, answer_tokens: 3 });
        let said =
            |details: &str| counted(&format!(r#","usage":{{"prompt_tokens":7,"completion_tokens":3{details}}}"#));
        assert_eq!(said(""), usage(0));
        assert_eq!(said(r#","prompt_tokens_details":null"#), usage(0));
        assert_eq!(said(r#","prompt_tokens_details":{"cached_tokens":null}"#), usage(0));
        assert_eq!(said(r#","prompt_tokens_details":{"cached_tokens":9}"#), usage(7), "no more than there were");
    }

    #[test]
    fn reads_a_text_in_parts() {
        let parts = r#"{"message":{"content":[{"type":"text","text":"{\"a\":"},{"type":"image"},{"type":"text","text":"1}"}]}}"#;
        assert_eq!(said(parts).text.as_deref(), Ok(r#"{"a":1}"#));
    }

    #[test]
    fn an_errors_code_is_a_code_or_nothing() {
        let code = |body: &str| error_code(body.as_bytes());
        assert_eq!(
            code(r#"{"error":{"code":"context_length_exceeded","type":"x"}}"#).unwrap(),
            "context_length_exceeded"
        );
        assert_eq!(
            code(r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#).unwrap(),
            "exceed_context_size_error"
        );
        assert_eq!(code(r#"{"error":{"code":"key sk-123 is wrong","message":"…"}}"#), None);
        assert_eq!(code("oops"), None);
    }

    proptest! {
        #[test]
        fn strangers_bytes_are_malformed_and_no_more(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = error_code(&bytes);
        }
    }
}
