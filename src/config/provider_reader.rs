//! Reads the keys of one `[providers.NAME]`.

use std::path::Path;

use super::provider_settings::{Draft, ModelDraft, request_time};
use super::secret_source::SecretSource;
use super::settings::{Origin, duration, set, share, with_section};
use crate::document::{Node, Section};
use crate::domain::suggestion;
use crate::gateway::{StructuredOutput, TokensField};

/// Headers that a provider may want.
const HEADERS_MAX: usize = 16;

/// Names under which people would write a key into the file.
const KEYS: [&str; 4] = ["key", "api_key", "token", "secret"];

/// Headers that carry keys.
const SECRET_HEADERS: [&str; 5] = ["authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"];

/// Headers that every request has anyway.
const OWN_HEADERS: [&str; 6] = ["host", "content-type", "content-length", "accept", "connection", "transfer-encoding"];

/// Reads settings into what is known of a provider.
pub(super) struct Reader<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) folder: &'a Path,
    pub(super) origin: Origin,
}

impl Reader<'_> {
    pub(super) fn read(&mut self, section: &Section<'_>) {
        let provider = &mut self.draft.provider;
        self.draft.has_address |= section.get("base_url").is_some();
        set(section, "base_url", &mut provider.base_url, base_url);
        set(section, "timeout", &mut provider.timeout, request_time);
        set(section, "connect_timeout", &mut provider.connect_timeout, |node| duration(node, "10ms", "1m"));
        set(section, "linger", &mut provider.linger, |node| duration(node, "0s", "1m"));
        set(section, "idle", &mut provider.idle, |node| duration(node, "1s", "10m"));
        set(section, "connections", &mut provider.idle_connections_max, |node| node.int(0, 10_000).map(|n| n as usize));
        set(section, "response_bytes_max", &mut provider.response_bytes_max, |node| {
            node.bytes(1 << 10, 16 << 20).map(|bytes| bytes as usize)
        });
        set(section, "structured_output", &mut provider.structured, |node| {
            let words = [StructuredOutput::JsonSchema, StructuredOutput::JsonObject, StructuredOutput::None];
            one_of(node, words.map(|word| (word.as_str(), word)))
        });
        set(section, "tokens_field", &mut provider.tokens_field, |node| {
            let words = [TokensField::MaxTokens, TokensField::MaxCompletionTokens, TokensField::Both];
            one_of(node, words.map(|word| (word.as_str(), word)))
        });
        self.key(section);
        self.headers(section);
        with_section(section, "latency", |section| self.latency(section));
        with_section(section, "breaker", |section| self.breaker(section));
        with_section(section, "concurrency", |section| self.concurrency(section));
        with_section(section, "rates", |section| self.rates(section));
        with_section(section, "hedge", |section| self.hedge(section));
        with_section(section, "probes", |section| self.probes(section));
        if let Some(models) = section.get("models").and_then(|node| node.section()) {
            models.entries().iter().for_each(|(name, node)| self.model(name, node));
        }
        section.refuse_unknown();
    }

    /// A key by where it is kept; never in the file itself.
    fn key(&mut self, section: &Section<'_>) {
        let (variable, file) = (section.get("key_env"), section.get("key_file"));
        if let (Some(_), Some(file)) = (&variable, &file) {
            file.fault("the key is in an environment variable (`key_env`) or in a file; leave one of them out");
        }
        let of_variable = variable.and_then(|node| SecretSource::variable(&node));
        let of_file = file.and_then(|node| Some(SecretSource::file(&node, self.folder.join(node.text()?))));
        let mut key = of_file.or(of_variable);
        for name in KEYS {
            let Some(node) = section.get(name) else { continue };
            if name == "key" && self.origin == Origin::Environment {
                key = SecretSource::given(&node);
            } else {
                node.fault(
                    "a key does not belong in a configuration file; name the environment variable that holds it by `key_env`, \
                     or a file of its own by `key_file`",
                );
            }
        }
        if key.is_some() {
            self.draft.key = key;
        }
    }

    fn headers(&mut self, section: &Section<'_>) {
        for (key, are_named) in [("headers", false), ("headers_env", true)] {
            let Some(section) = section.get(key).and_then(|node| node.section()) else { continue };
            for (name, node) in section.entries() {
                let name = name.to_ascii_lowercase();
                if let Some(fault) = header_fault(&name, are_named) {
                    node.fault(fault);
                    continue;
                }
                let value = if are_named { SecretSource::variable(&node) } else { SecretSource::given(&node) };
                self.draft.headers.extend(value.map(|value| (name, value)));
            }
            if self.draft.headers.len() > HEADERS_MAX {
                section.fault(format!("makes {} headers, the limit is {HEADERS_MAX}", self.draft.headers.len()));
            }
        }
    }

    fn latency(&mut self, section: &Section<'_>) {
        let provider = &mut self.draft.provider;
        set(section, "half_life", &mut provider.half_life, |node| duration(node, "100ms", "10m"));
        set(section, "slow_call", &mut provider.slow_call, request_time);
    }

    fn breaker(&mut self, section: &Section<'_>) {
        let breaker = &mut self.draft.provider.breaker;
        set(section, "window", &mut breaker.window, |node| duration(node, "100ms", "10m"));
        set(section, "calls_min", &mut breaker.calls_min, |node| node.int(1, 100_000).map(|n| n as u32));
        set(section, "bad_share", &mut breaker.bad_share, |node| share(node, 1, 1_000_000));
        set(section, "slow_share", &mut breaker.slow_share, |node| share(node, 1, 1_000_000));
        set(section, "open_for", &mut breaker.open_for, |node| duration(node, "10ms", "1h"));
        set(section, "open_for_max", &mut self.draft.open_for_max, |node| duration(node, "10ms", "1h").map(Some));
        set(section, "probes", &mut breaker.probes, |node| node.int(1, 100).map(|n| n as u32));
    }

    fn concurrency(&mut self, section: &Section<'_>) {
        let concurrency = &mut self.draft.concurrency;
        let count = |node: &Node<'_>| node.int(1, 10_000).map(|n| Some(n as u32));
        set(section, "min", &mut concurrency.min, count);
        set(section, "max", &mut concurrency.max, count);
        set(section, "initial", &mut concurrency.initial, count);
    }

    fn rates(&mut self, section: &Section<'_>) {
        let rate = &mut self.draft.provider.rate;
        let count = |node: &Node<'_>| node.int(1, i64::from(u32::MAX)).map(|n| Some(n as u32));
        set(section, "requests_per_minute", &mut rate.requests_per_minute, count);
        set(section, "tokens_per_minute", &mut rate.tokens_per_minute, count);
    }

    fn hedge(&mut self, section: &Section<'_>) {
        let hedge = &mut self.draft.provider.hedge;
        set(section, "after", &mut hedge.after, |node| share(node, 500_000, 999_999));
        set(section, "share", &mut hedge.share, |node| share(node, 0, 1_000_000));
        set(section, "burst", &mut hedge.burst, |node| node.int(0, 1_000).map(|n| n as u32));
        set(section, "gain_min", &mut hedge.gain_min, |node| share(node, 0, 1_000_000));
    }

    fn probes(&mut self, section: &Section<'_>) {
        let probing = &mut self.draft.provider.probing;
        set(section, "every", &mut probing.every, |node| duration(node, "10ms", "10m"));
        set(section, "share", &mut probing.share, |node| share(node, 0, 1_000_000));
        set(section, "under_way_max", &mut probing.under_way_max, |node| node.int(1, 100).map(|n| n as u32));
    }

    fn model(&mut self, name: &str, node: &Node<'_>) {
        let Some(section) = node.section() else { return };
        let is_sound = |c: char| !c.is_whitespace() && !c.is_control();
        if !(1..=128).contains(&name.len()) || !name.chars().all(is_sound) {
            section.fault("a model's name has 1 to 128 bytes and no spaces");
            return;
        }
        let draft = self.draft.models.entry(name.to_owned()).or_insert_with(|| ModelDraft::new(section.place()));
        set(&section, "model", &mut draft.model, |node| match node.text()? {
            "" => {
                node.fault("expected the model's name as the provider knows it");
                None
            }
            text => Some(Some(text.to_owned())),
        });
        // A price that is none has its fault; it is not missing as well.
        let price = |node: &Node<'_>| Some(Some(node.money().unwrap_or_default()));
        set(&section, "input_price", &mut draft.input_price, price);
        set(&section, "cached_input_price", &mut draft.cached_input_price, price);
        set(&section, "output_price", &mut draft.output_price, price);
        section.refuse_unknown();
    }
}

/// An address without what does not belong there, and without a `/` at its end.
fn base_url(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let expected = "expected an address such as \"https://api.openai.com/v1\" or \"http://127.0.0.1:8080/v1\"";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        node.fault(expected);
        return None;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let fault = if authority.contains('@') {
        "a name and a password do not belong in an address; name the key by `key_env` or `key_file`"
    } else if text.contains(['?', '#']) {
        "is what goes before `/chat/completions`; it has no `?` and no `#`"
    } else if authority.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        expected
    } else if rest.trim_end_matches('/').ends_with("/chat/completions") {
        "is what goes before `/chat/completions`, without that"
    } else {
        return Some(text.trim_end_matches('/').to_owned());
    };
    node.fault(fault);
    None
}

/// Why a header cannot be set so, if it cannot.
fn header_fault(name: &str, is_named: bool) -> Option<String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some(format!("`{name}` is no name of a header"));
    }
    if OWN_HEADERS.contains(&name) {
        return Some(format!("every request has its own `{name}`"));
    }
    let is_secret = SECRET_HEADERS.contains(&name) && !is_named;
    is_secret.then(|| {
        format!(
            "`{name}` carries a key, which does not belong in a configuration file; name the environment variable that holds \
             it: `headers_env = {{ {name} = \"NAME\" }}`"
        )
    })
}

fn one_of<T, const N: usize>(node: &Node<'_>, words: [(&'static str, T); N]) -> Option<T> {
    let found = node.text()?;
    let names = words.each_ref().map(|(word, _)| *word);
    let known = words.into_iter().find(|(word, _)| *word == found);
    if known.is_none() {
        let listed = names.map(|word| format!("`{word}`")).join(", ");
        node.fault(format!("expected one of {listed}, found `{found}`{}", suggestion(found, names)));
    }
    known.map(|(_, value)| value)
}
