//! A question as the body of a chat-completions request.

use super::config::{Provider, StructuredOutput, TokensField};
use crate::agents::Question;

/// Tokens that a message takes beside its text: the words of its role and the marks around it, in any template that we know of.
const TOKENS_PER_MESSAGE: u64 = 16;

/// Bytes of a text that make a token, where an estimate is asked for and not a bound: three and a half in English, less elsewhere.
const BYTES_PER_TOKEN: u64 = 3;

/// The body of the request for a model, by the provider's name of it.
pub(super) fn body(question: &Question, provider: &Provider, model: &str) -> String {
    let prompt: usize = question.messages.iter().map(|message| message.text.len()).sum();
    let mut body = String::with_capacity(prompt + prompt / 8 + question.format.schema().len() + 512);
    body.push_str(r#"{"model":"#);
    push_text(&mut body, model);
    body.push_str(r#","messages":["#);
    for (nth, message) in question.messages.iter().enumerate() {
        body.push_str(if nth == 0 { r#"{"role":""# } else { r#",{"role":""# });
        body.push_str(message.role.as_str());
        body.push_str(r#"","content":"#);
        push_text(&mut body, &message.text);
        body.push('}');
    }
    body.push_str(r#"],"temperature":"#);
    body.push_str(&format!("{}", f64::from(question.temperature_milli) / 1_000.0));
    let tokens = question.answer_tokens;
    if provider.tokens_field != TokensField::MaxCompletionTokens {
        body.push_str(&format!(r#","max_tokens":{tokens}"#));
    }
    if provider.tokens_field != TokensField::MaxTokens {
        body.push_str(&format!(r#","max_completion_tokens":{tokens}"#));
    }
    body.push_str(r#","stream":false"#);
    match provider.structured {
        StructuredOutput::JsonSchema => {
            body.push_str(r#","response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"#);
            body.push_str(r#""schema":"#);
            // As it is written: the order of its members is the order in which a model fills them.
            body.push_str(question.format.schema());
            body.push_str("}}");
        }
        StructuredOutput::JsonObject => body.push_str(r#","response_format":{"type":"json_object"}"#),
        StructuredOutput::None => {}
    }
    body.push('}');
    body
}

/// Tokens that the prompt has at most: no token is shorter than a byte, and some providers put the schema into the prompt.
pub(super) fn prompt_tokens_max(question: &Question) -> u64 {
    texts(question) + TOKENS_PER_MESSAGE * (question.messages.len() as u64 + 1)
}

/// Tokens that the prompt has by a rough estimate.
pub(super) fn prompt_tokens_estimate(question: &Question) -> u64 {
    texts(question).div_ceil(BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * (question.messages.len() as u64 + 1) / 4
}

fn texts(question: &Question) -> u64 {
    let messages: usize = question.messages.iter().map(|message| message.text.len()).sum();
    (messages + question.format.schema().len()) as u64
}

/// Writes a text as JSON does.
fn push_text(body: &mut String, text: &str) {
    // A text can always be written.
    body.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::questions::question;
    use super::*;

    fn sent(provider: &Provider) -> Value {
        serde_json::from_str(&body(&question("Where is \"my\" card?\n"), provider, "small-1")).unwrap()
    }

    #[test]
    fn asks_for_the_form_and_says_how_long_the_answer_may_be() {
        let body = sent(&Provider::default());
        assert_eq!(body["model"], "small-1");
        assert_eq!(body["messages"][0]["role"], "system");
        assert_eq!(body["messages"][1], json!({"role": "user", "content": "Where is \"my\" card?\n"}));
        assert_eq!((body["temperature"].as_f64(), &body["stream"]), (Some(0.0), &json!(false)));
        assert_eq!((body["max_tokens"].clone(), body.get("max_completion_tokens")), (json!(64), None));
        let format = &body["response_format"];
        assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
        let schema: Value = serde_json::from_str(question("").format.schema()).unwrap();
        assert_eq!(format["json_schema"]["schema"], schema);
    }

    #[test]
    fn says_it_in_the_words_of_the_provider() {
        let tokens_field = TokensField::MaxCompletionTokens;
        let body = sent(&Provider { structured: StructuredOutput::JsonObject, tokens_field, ..Provider::default() });
        assert_eq!(body["response_format"], json!({"type": "json_object"}));
        assert_eq!((body.get("max_tokens"), body["max_completion_tokens"].clone()), (None, json!(64)));
        let body = sent(&Provider { structured: StructuredOutput::None, ..Provider::default() });
        assert_eq!(body.get("response_format"), None);
    }

    #[test]
    fn no_prompt_has_more_tokens_than_bytes() {
        let short = prompt_tokens_max(&question("a"));
        assert_eq!(prompt_tokens_max(&question(&"a".repeat(101))), short + 100);
        assert!(prompt_tokens_estimate(&question("a")) < short);
    }
}
