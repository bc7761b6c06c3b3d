//! Which request is treated how.

use std::time::Duration;

use serde::Deserialize;

use crate::content::{Content, Usage};
use crate::latency::Latency;
use crate::mixed;

/// Which request is treated how. Requests are counted from 0 when a behaviour is set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// All alike.
    Always(Conduct),
    /// One after the other; the last is that of all after it.
    Script(Vec<Conduct>),
    /// Several, by their shares.
    Mixed {
        /// Which request falls to which.
        seed: u64,
        /// The conducts with their weights.
        parts: Vec<Part>,
    },
    /// Now the one, now the other, from when the behaviour was set.
    Flapping {
        /// How long each lasts.
        #[serde(deserialize_with = "crate::span::deserialize")]
        every: Duration,
        /// The first and the second.
        between: Box<[Conduct; 2]>,
    },
}

/// A conduct with its share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its share of the sum of all weights.
    pub weight: u64,
    /// How those requests are treated.
    pub conduct: Conduct,
}

/// How a request is treated. The default is a quick and right answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conduct {
    /// How long it waits for the first byte.
    pub latency: Latency,
    /// How long the body comes after the headers.
    #[serde(deserialize_with = "crate::span::deserialize")]
    pub body_after: Duration,
    /// What is said.
    pub says: Says,
    /// How it is said, and whether at all.
    pub manner: Manner,
    /// More headers of the response, as they are.
    pub headers: Vec<(String, String)>,
    /// What becomes of the connection afterwards.
    pub keep_alive: KeepAlive,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Says {
    /// A completion.
    Completion {
        /// What the model says.
        #[serde(default)]
        content: Content,
        /// What is said of its tokens.
        #[serde(default)]
        usage: Usage,
    },
    /// An error as OpenAI writes it.
    Error {
        /// The status.
        status: u16,
        /// Its `type`, such as `invalid_request_error`.
        kind: String,
        /// Its `message`.
        message: String,
    },
    /// Any bytes as a body.
    Body {
        /// The status.
        status: u16,
        /// The content type.
        content_type: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Bytes in place of the whole response, status line and all.
    Raw(Vec<u8>),
}

/// How something is said, and whether at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Manner {
    /// At once, with its length.
    #[default]
    Whole,
    /// In chunks of so many bytes, without its length.
    Chunked(usize),
    /// A few bytes of the body at a time.
    Trickles {
        /// So many.
        bytes: usize,
        /// As often.
        #[serde(deserialize_with = "crate::span::deserialize")]
        every: Duration,
    },
    /// Never: the connection stays open.
    Hangs,
    /// The headers, then nothing.
    HangsAfterHeaders,
    /// Half of the body, then nothing.
    HangsInBody,
    /// A body without an end, as fast as it is taken.
    Endless,
    /// Not: the connection is reset.
    ResetsBefore,
    /// The headers, then the connection is reset.
    ResetsAfterHeaders,
    /// Half of the body, then the connection is reset.
    ResetsInBody,
    /// Not: the connection is closed.
    ClosesBefore,
    /// Half of the body, then the connection is closed.
    ClosesInBody,
    /// Whole on a new connection; on one that has served before it is closed without a byte, as when the server had ended it just
    /// before the request came.
    ClosesIfReused,
}

/// What becomes of a connection after a response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepAlive {
    /// It is closed after as many requests.
    pub requests_max: Option<u32>,
    /// It is closed when no request has come for so long.
    #[serde(deserialize_with = "crate::span::optional::deserialize")]
    pub idle_max: Option<Duration>,
    /// Whether the last response says that it will be.
    pub is_announced: bool,
}

// === impl Behaviour ===

impl Behaviour {
    /// How a request is treated: the `turn`th since this was set, `since` ago.
    pub(crate) fn conduct(&self, turn: u64, since: Duration) -> Conduct {
        match self {
            Self::Always(conduct) => conduct.clone(),
            Self::Script(conducts) => {
                let at = usize::try_from(turn).unwrap_or(usize::MAX).min(conducts.len().saturating_sub(1));
                conducts.get(at).cloned().unwrap_or_default()
            }
            Self::Mixed { seed, parts } => {
                let sum: u64 = parts.iter().map(|part| part.weight).sum();
                let mut at = mixed(*seed, turn).checked_rem(sum).unwrap_or(0);
                for part in parts {
                    match at.checked_sub(part.weight) {
                        Some(rest) => at = rest,
                        None => return part.conduct.clone(),
                    }
                }
                Conduct::default()
            }
            Self::Flapping { every, between } => {
                let [first, second] = between.as_ref();
                let spells = since.as_nanos().checked_div(every.as_nanos()).unwrap_or(0);
                if spells.is_multiple_of(2) { first.clone() } else { second.clone() }
            }
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::Always(Conduct::default())
    }
}

impl From<Conduct> for Behaviour {
    fn from(conduct: Conduct) -> Self {
        Self::Always(conduct)
    }
}

impl From<Vec<Conduct>> for Behaviour {
    fn from(conducts: Vec<Conduct>) -> Self {
        Self::Script(conducts)
    }
}

impl<const N: usize> From<[Conduct; N]> for Behaviour {
    fn from(conducts: [Conduct; N]) -> Self {
        Self::Script(conducts.into())
    }
}

// === impl Conduct ===

impl Conduct {
    /// An answer in this manner.
    pub fn of(manner: Manner) -> Self {
        Self { manner, ..Self::default() }
    }

    /// An answer that says this.
    pub fn saying(content: Content) -> Self {
        Self { says: Says::Completion { content, usage: Usage::Counted }, ..Self::default() }
    }

    /// An answer after so long.
    pub fn after(latency: Duration) -> Self {
        Self { latency: Latency::Constant(latency), ..Self::default() }
    }

    /// An error with the type that OpenAI gives to this status.
    pub fn error(status: u16) -> Self {
        let (kind, message) = match status {
            400 => ("invalid_request_error", "this request cannot be read"),
            401 => ("authentication_error", "incorrect API key provided"),
            403 => ("permission_error", "this key may not use this model"),
            404 => ("not_found_error", "the model does not exist or you do not have access to it"),
            408 => ("timeout_error", "the request took too long"),
            422 => ("invalid_request_error", "this schema is not supported"),
            429 => ("rate_limit_error", "rate limit reached for requests"),
            503 => ("overloaded_error", "the engine is currently overloaded, please try again later"),
            _ => ("server_error", "the server had an error while serving your request"),
        };
        let says = Says::Error { status, kind: kind.to_owned(), message: message.to_owned() };
        Self { says, ..Self::default() }
    }

    /// Too many requests; `retry_after` is the header of that name: seconds, or a date as [`http_date`](crate::http_date) writes it.
    pub fn rate_limited(retry_after: &str) -> Self {
        Self::error(429).header("retry-after", retry_after)
    }

    /// The same with this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this latency.
    pub fn latency(self, latency: Latency) -> Self {
        Self { latency, ..self }
    }

    /// The same with this word on its tokens; of no effect where no completion is given.
    pub fn usage(mut self, said: Usage) -> Self {
        if let Says::Completion { usage, .. } = &mut self.says {
            *usage = said;
        }
        self
    }

    /// The same in this manner.
    pub fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    /// The same with this end of its connection.
    pub fn keep_alive(self, keep_alive: KeepAlive) -> Self {
        Self { keep_alive, ..self }
    }
}

impl Default for Says {
    fn default() -> Self {
        Self::Completion { content: Content::default(), usage: Usage::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_last_of_a_script_stays() {
        let script = Behaviour::from([Conduct::error(500), Conduct::default()]);
        let conducts = [0, 1, 2, 100].map(|turn| script.conduct(turn, SECOND));
        assert_eq!(conducts[0], Conduct::error(500));
        assert!(conducts[1..].iter().all(|conduct| *conduct == Conduct::default()));
        assert_eq!(Behaviour::Script(Vec::new()).conduct(0, SECOND), Conduct::default());
    }

    #[test]
    fn shares_are_kept_and_a_flap_goes_by_time() {
        let parts =
            vec![Part { weight: 1, conduct: Conduct::error(503) }, Part { weight: 3, conduct: Conduct::default() }];
        let behaviour = Behaviour::Mixed { seed: 3, parts };
        let failed = (0..10_000).filter(|turn| behaviour.conduct(*turn, SECOND) == Conduct::error(503)).count();
        assert!((2_350..=2_650).contains(&failed), "{failed}");

        let between = Box::new([Conduct::default(), Conduct::of(Manner::Hangs)]);
        let flapping = Behaviour::Flapping { every: 5 * SECOND, between };
        let hangs = [0, 4, 5, 9, 10, 14, 15].map(|s| flapping.conduct(s, u32::try_from(s).unwrap() * SECOND).manner);
        let expected = [0, 0, 1, 1, 0, 0, 1].map(|n| if n == 1 { Manner::Hangs } else { Manner::Whole });
        assert_eq!(hangs, expected);
    }

    #[test]
    fn reads_a_behaviour_from_json_and_refuses_what_it_does_not_know() {
        let text = r#"{"flapping": {"every": "5s", "between": [
            {"latency": {"bimodal": {"fast": "50ms", "slow": "2s", "slow_milli": 100, "seed": 1}}},
            {"manner": "hangs", "keep_alive": {"requests_max": 100, "idle_max": "5s"}}]}}"#;
        let Behaviour::Flapping { every, between } = serde_json::from_str(text).unwrap() else { panic!("{text}") };
        assert_eq!(every, 5 * SECOND);
        assert_eq!(between[1].keep_alive.idle_max, Some(5 * SECOND));
        let fault = serde_json::from_str::<Behaviour>(r#"{"always": {"manners": "hangs"}}"#).unwrap_err().to_string();
        assert!(fault.contains("manners"), "{fault}");
        let fault = serde_json::from_str::<Latency>(r#"{"constant": "5 minutes"}"#).unwrap_err().to_string();
        assert!(fault.contains("`5 minutes` is not a duration"), "{fault}");
    }
}
