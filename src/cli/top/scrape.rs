//! Asking a server how it stands.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::page::{Page, PageError};
use crate::domain::{Secret, Timestamp};
use crate::time::{Clock, Instant};

/// How long one answer may take: a server that takes longer is worth a word of its own.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that an answer may have. A page of the largest bundle has a few megabytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How many of the busiest customers are asked for.
const BUSIEST: usize = 10;

/// A server that is asked.
#[derive(Debug)]
pub(super) struct Source {
    url: Url,
    client: Client,
    has_token: bool,
}

/// How a server stood at one time.
#[derive(Clone, Debug)]
pub(super) struct Scrape {
    pub(super) at: Instant,
    pub(super) wall: Timestamp,
    pub(super) page: Page,
    pub(super) health: Option<Health>,
    pub(super) bundle: Option<Bundle>,
    pub(super) providers: Option<Providers>,
    pub(super) busiest: Option<Busiest>,
}

/// Whether it is ready.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Health {
    #[serde(skip)]
    pub(super) is_ready: bool,
    pub(super) status: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

/// The bundle in force.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bundle {
    pub(super) bundle: String,
    #[serde(default)]
    pub(super) playbooks: Vec<Playbook>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Playbook {
    pub(super) playbook: String,
    pub(super) budget_ms: u64,
}

/// How the providers of large models stand.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Providers {
    pub(super) providers: Vec<Provider>,
    #[serde(default)]
    pub(super) budgets: Vec<Budget>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) off: bool,
    pub(super) breaker: String,
    pub(super) in_flight: u32,
    pub(super) in_flight_max: u32,
    pub(super) models: Vec<Model>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) off: bool,
    pub(super) p50_us: Option<u64>,
    pub(super) p95_us: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub(super) struct Budget {
    pub(super) name: String,
    pub(super) per_day: String,
    pub(super) spent: String,
    pub(super) left: String,
}

/// The busiest customers of the last minute.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Busiest {
    pub(super) seconds: f64,
    pub(super) turns: u64,
    pub(super) customers: Vec<Busy>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Busy {
    pub(super) customer: String,
    pub(super) turns: u64,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScrapeError {
    /// What was typed is wrong.
    #[error("{0}")]
    Asked(String),
    /// Nobody answers.
    #[error("no answer from {url}: {why}")]
    NoAnswer { url: String, why: String },
    /// It wants another token, or one at all.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// It is something else.
    #[error("{url} answers with status {status}: is this the address of a `forthwith serve`?")]
    Other { url: String, status: u16 },
    /// The page is not what it should be.
    #[error("{url}: {source}: is this the address of a `forthwith serve`?")]
    Page { url: String, source: PageError },
    /// An answer of JSON is not what it should be.
    #[error("{url} answers what cannot be read: {why}")]
    Answer { url: String, why: String },
}

/// What was answered.
struct Answer {
    url: String,
    status: StatusCode,
    body: Vec<u8>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl Source {
    /// The server at an address, with the token in a file.
    pub(super) fn new(url: &str, token_file: Option<&Path>) -> Result<Self, ScrapeError> {
        let wrong = |why: String| ScrapeError::Asked(why);
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let url = Url::parse(&whole)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| wrong(format!("`{url}` is no address such as `http://127.0.0.1:8080`")))?;
        let mut headers = HeaderMap::new();
        if let Some(file) = token_file {
            headers.insert(AUTHORIZATION, authorization(file)?);
        }
        // Whoever has chosen another implementation already keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("forthwith-top/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A token that is sent on to a place nobody named is a leak.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self { url, client, has_token: token_file.is_some() })
    }

    /// Asks for everything once.
    pub(super) async fn scrape(&self, clock: &Clock) -> Result<Scrape, ScrapeError> {
        let answer = self.get("metrics").await?;
        let (at, wall) = (clock.instant(), clock.wall());
        if !answer.status.is_success() {
            return Err(ScrapeError::Other { url: answer.url, status: answer.status.as_u16() });
        }
        let page = Page::parse(&String::from_utf8_lossy(&answer.body))
            .map_err(|source| ScrapeError::Page { url: answer.url, source })?;
        let ready = self.get("readyz").await?;
        let is_ready = ready.status.is_success();
        // An engine that is not ready says why with status 503.
        let health = serde_json::from_slice(&ready.body).ok().map(|health| Health { is_ready, ..health });
        Ok(Scrape {
            at,
            wall,
            page,
            health,
            bundle: self.read("v1/bundle").await?,
            providers: self.read("v1/providers").await?,
            busiest: self.read(&format!("v1/busiest?limit={BUSIEST}")).await?,
        })
    }

    /// Reads a door that servers of other versions may not have.
    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ScrapeError> {
        let answer = self.get(path).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        let read = serde_json::from_slice(&answer.body);
        read.map(Some).map_err(|error| ScrapeError::Answer { url: answer.url, why: error.to_string() })
    }

    async fn get(&self, path: &str) -> Result<Answer, ScrapeError> {
        let url = format!("{}/{path}", self.url.as_str().trim_end_matches('/'));
        let failed = |error: &reqwest::Error| ScrapeError::NoAnswer { url: self.to_string(), why: root_of(error) };
        let mut response = self.client.get(&url).send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(ScrapeError::Unauthorized(if self.has_token {
                "the server does not know this token; `--token-file` names a file with that of `[server]` in its forthwith.toml"
            } else {
                "the server wants a token; name a file that has it with `--token-file FILE`"
            }));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(ScrapeError::Answer { url, why: format!("it has more than {ANSWER_BYTES_MAX} bytes") });
            }
        }
        Ok(Answer { url, status, body })
    }
}

/// The header of the token in a file.
fn authorization(file: &Path) -> Result<HeaderValue, ScrapeError> {
    let wrong = |why: &dyn fmt::Display| ScrapeError::Asked(format!("`--token-file {}`: {why}", file.display()));
    let token = Secret::new(std::fs::read_to_string(file).map_err(|error| wrong(&error))?.trim());
    if token.expose().is_empty() {
        return Err(wrong(&"the file is empty"));
    }
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| wrong(&"a token has no line breaks and no control characters"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The innermost cause, which is what people know: `connection refused` and such.
fn root_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("nothing came within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
