//! The HTTP client of one provider.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client as Http, Url, redirect};

use super::config::Provider;
use super::wire::{Broken, Received};
use crate::telemetry::Counter;
use crate::time::{Clock, Instant};

/// Sends requests to one provider, over connections that are kept.
#[derive(Debug)]
pub(super) struct Client {
    pooled: Http,
    /// Every request over a connection of its own: where a kept one turned out to be closed.
    fresh: Http,
    url: Url,
    host: String,
    headers: HeaderMap,
    response_bytes_max: usize,
    /// Kept connections that may turn out to be closed: a request is sent again without counting as a failure only so often. A
    /// provider that breaks every connection leaves none, so it is not asked twice for long.
    kept: AtomicUsize,
    kept_max: usize,
    /// When a request last took longer than it may. No response has come over a kept connection since.
    doubted: Mutex<Option<Instant>>,
}

/// A connection that carries several requests is asked for a sign of life so often, and is given up without one in that time: who has
/// lost its network says nothing, and all requests on it would hang.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// A kept connection that was closed is noticed as soon as it is used. What breaks later than this may have been worked on, and may
/// be billed.
const STALE_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 100 });

/// So long after a request that was overdue others have connections of their own; by then the kept ones have shown whether they live.
const DOUBT: Duration = Duration::from_secs(3);

impl Client {
    /// The client of a provider; or what is wrong with its settings.
    pub(super) fn new(provider: &Provider) -> Result<Self, String> {
        let url = url(&provider.base_url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let headers = headers(provider)?;
        // Whoever embeds the engine may have chosen another implementation already; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Http::builder()
                .user_agent(concat!("forthwith/", env!("CARGO_PKG_VERSION")))
                // A body that is sent on to a place nobody named is a leak.
                .redirect(redirect::Policy::none())
                .no_proxy()
                .connect_timeout(provider.connect_timeout)
                .pool_idle_timeout(provider.idle)
                .http2_keep_alive_interval(SIGN_OF_LIFE)
                .http2_keep_alive_timeout(SIGN_OF_LIFE)
                .http2_keep_alive_while_idle(true)
        };
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|e| told(&e));
        Ok(Self {
            pooled: build(builder().pool_max_idle_per_host(provider.idle_connections_max))?,
            fresh: build(builder().pool_max_idle_per_host(0))?,
            url,
            host,
            headers,
            response_bytes_max: provider.response_bytes_max,
            kept: AtomicUsize::new(0),
            kept_max: provider.idle_connections_max,
            doubted: Mutex::new(None),
        })
    }

    /// The provider's host, for spans.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The provider's port, for spans.
    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Sends a request, a body and the header `traceparent`, and reads the response. Dropped before its end, it closes the stream, and a provider that looks stops.
    pub(super) async fn send(
        &self,
        message: (&str, Option<&str>),
        clock: &Clock,
        stale: &Counter,
    ) -> Result<Received, Broken> {
        let began = clock.instant();
        let is_doubted = self.is_doubted(began);
        let http = if is_doubted { &self.fresh } else { &self.pooled };
        let sent = match self.request(http, message).send().await {
            // Later it may have been worked on: whether it is sent again is for those to say who have to pay for it.
            Err(e) if is_broken(&e) && !is_doubted && is_soon(began, clock) && self.may_be_stale() => {
                stale.inc();
                self.request(&self.fresh, message).send().await
            }
            sent => sent,
        };
        let mut response = sent.map_err(|e| match e.is_connect() {
            true => Broken::Unconnected(told(&e)),
            false => Broken::Midway(told(&e)),
        })?;
        let first_byte = clock.instant();
        if !is_doubted {
            *self.doubted() = None;
        }
        let (status, hints) = (response.status().as_u16(), hints(response.headers()));
        let mut read = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| Broken::Midway(told(&e)))? {
            if read.len() + piece.len() > self.response_bytes_max {
                return Err(Broken::Overlong);
            }
            read.extend_from_slice(&piece);
        }
        self.keep_one_more();
        Ok(Received { status, hints, body: read, first_byte })
    }

    /// A request takes longer than it may: its connection may be dead, and others with it.
    pub(super) fn doubt(&self, now: Instant) {
        *self.doubted() = Some(now);
    }

    fn is_doubted(&self, now: Instant) -> bool {
        self.doubted().is_some_and(|since| now.since(since) < DOUBT)
    }

    fn doubted(&self) -> MutexGuard<'_, Option<Instant>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, http: &Http, (body, traceparent): (&str, Option<&str>)) -> reqwest::RequestBuilder {
        let request = http.post(self.url.clone()).headers(self.headers.clone()).body(body.to_owned());
        match traceparent {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        }
    }

    /// Whether the connection that broke before a response may have been a kept one that the provider had closed.
    fn may_be_stale(&self) -> bool {
        let fewer = |kept: usize| kept.checked_sub(1);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }

    fn keep_one_more(&self) {
        let more = |kept: usize| (kept < self.kept_max).then_some(kept + 1);
        // At the bound it stays as it is.
        let _ = self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

/// Whether a connection that was there broke before anything of a response was read.
fn is_broken(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_body() && !error.is_decode()
}

fn is_soon(began: Instant, clock: &Clock) -> bool {
    clock.instant().since(began) < STALE_WITHIN
}

fn url(base: &str) -> Result<Url, String> {
    let wrong = |why: &str| format!("`base_url` is `{base}`: {why}, as in `https://api.example.com/v1`");
    let text = format!("{}/chat/completions", base.trim_end_matches('/'));
    let url = Url::parse(&text).map_err(|e| wrong(&format!("expected a URL ({e})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("expected `http://` or `https://` and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`base_url` has a user or a password in it: expected the key in `key_env` or `key_file`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("expected no `?` and no `#`"));
    }
    Ok(url)
}

fn headers(provider: &Provider) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let secret = |text: &str| -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    };
    if let Some(key) = &provider.key {
        let value = secret(&format!("Bearer {}", key.expose()));
        headers.insert(AUTHORIZATION, value.ok_or("its key has characters that no header can carry")?);
    }
    for (name, value) in &provider.headers {
        let wrong = |what: &str| format!("its header `{name}` has {what}");
        let header: HeaderName = name.parse().map_err(|_| wrong("a name that is none"))?;
        let value = secret(value.expose()).ok_or_else(|| wrong("a value with characters that no header can carry"))?;
        headers.insert(header, value);
    }
    Ok(headers)
}

/// The headers that say when to come again and what is left.
fn hints(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_hint = |name: &str| name == "retry-after" || name.starts_with("x-ratelimit-");
    let hints = headers.iter().filter(|(name, _)| is_hint(name.as_str()));
    hints.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// An error with what it comes from, and without the URL.
fn told(error: &reqwest::Error) -> String {
    let mut told = String::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = next {
        if !told.is_empty() {
            told.push_str(": ");
        }
        told.push_str(&error.to_string());
        next = error.source();
    }
    if told.is_empty() { "the request failed".to_owned() } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Secret;

    fn refused(provider: &Provider) -> String {
        Client::new(provider).unwrap_err()
    }

    #[test]
    fn refuses_what_cannot_be_called() {
        let at = |base: &str| Provider { base_url: base.to_owned(), ..Provider::default() };
        assert!(Client::new(&at("http://127.0.0.1:8080/v1/")).is_ok());
        insta::assert_snapshot!(refused(&at("api.example.com")), @"`base_url` is `api.example.com`: expected a URL (relative URL without a base), as in `https://api.example.com/v1`");
        insta::assert_snapshot!(refused(&at("file:///v1")), @"`base_url` is `file:///v1`: expected `http://` or `https://` and a host, as in `https://api.example.com/v1`");
        insta::assert_snapshot!(refused(&at("https://me:pass@api.example.com")), @"`base_url` has a user or a password in it: expected the key in `key_env` or `key_file`");
        insta::assert_snapshot!(refused(&at("https://api.example.com/v1?key=x")), @"`base_url` is `https://api.example.com/v1?key=x`: expected no `?` and no `#`, as in `https://api.example.com/v1`");
    }

    #[test]
    fn a_wrong_key_is_not_shown() {
        let provider = Provider { base_url: "https://a.example/v1".to_owned(), ..Provider::default() };
        let key = Some(Secret::new("sk-\n123"));
        assert!(!refused(&Provider { key, ..provider.clone() }).contains("123"));
        let headers = vec![("x-key".to_owned(), Secret::new("\u{1}geheim"))];
        assert!(!refused(&Provider { headers, ..provider.clone() }).contains("geheim"));
        let client = Client::new(&Provider { key: Some(Secret::new("sk-123")), ..provider }).unwrap();
        assert!(!format!("{client:?}").contains("sk-123"));
    }
}
