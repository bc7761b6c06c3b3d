//! Calls to an engine over HTTP that are not measured.

use std::time::Duration;

use anyhow::{Context, bail};
use forthwith::DecisionId;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::clock::now;
use crate::driving::Address;

/// How long a batch is asked again that is shed, and the pause before each time.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a batch was not taken on, or all of it that came to nothing was not.
fn is_shed(status: u16, answer: &Value) -> bool {
    let is_later = |status: u64| matches!(status, 429 | 503);
    let problems = || answer["results"].as_array().into_iter().flatten().filter_map(|result| result.get("problem"));
    is_later(u64::from(status))
        || status == 200 && problems().all(|problem| problem["status"].as_u64().is_some_and(is_later))
}

/// One connection, and a runtime for it.
#[derive(Debug)]
pub(crate) struct Client {
    runtime: Runtime,
    address: Address,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(super) fn new(address: &Address) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sender = runtime.block_on(async {
            let tcp = TcpStream::connect(&address.authority).await;
            let tcp = tcp.with_context(|| format!("cannot connect to {}", address.authority))?;
            tcp.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
            drop(tokio::spawn(connection));
            anyhow::Ok(sender)
        })?;
        Ok(Self { runtime, address: address.clone(), sender })
    }

    /// Calls a door; the status and the body.
    pub(super) fn call(&mut self, method: Method, path: &str, body: String) -> anyhow::Result<(u16, Bytes)> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.address.authority);
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.address.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let sender = &mut self.sender;
        self.runtime.block_on(async {
            let answer = sender.send_request(request).await.with_context(|| format!("{path} was not answered"))?;
            let status = answer.status().as_u16();
            Ok((status, answer.into_body().collect().await?.to_bytes()))
        })
    }

    /// Has events decided that need not be heard. What is shed is asked again, as callers do who are told to come later: a batch is the
    /// first that an engine under load does without.
    pub(super) fn decide_all(&mut self, playbook: &str, events: &[String]) -> anyhow::Result<()> {
        let path = format!("/v1/decide/{playbook}/batch");
        let until = now() + PATIENCE;
        loop {
            let (status, body) = self.call(Method::POST, &path, format!("[{}]", events.join(",")))?;
            let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
            if status == 200 && answer["failed"] == 0 {
                return Ok(());
            }
            if !is_shed(status, &answer) || now() > until {
                let said = String::from_utf8_lossy(&body).chars().take(500).collect::<String>();
                bail!("a customer's first event was not decided: {status}, {said}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The playbook's budget, as the engine says.
    pub(super) fn budgets(&mut self) -> anyhow::Result<Vec<(String, u64)>> {
        let (status, body) = self.call(Method::GET, "/v1/bundle", String::new())?;
        let answer: Value = serde_json::from_slice(&body).with_context(|| format!("/v1/bundle answered {status}"))?;
        let playbooks =
            answer["playbooks"].as_array().with_context(|| format!("/v1/bundle answered {status}: {answer}"))?;
        let budget = |of: &Value| Some((of["playbook"].as_str()?.to_owned(), of["budget_ms"].as_u64()?));
        Ok(playbooks.iter().filter_map(budget).collect())
    }

    /// Loads the configuration folder again; the bundle that is in force.
    pub(super) fn reload(&mut self) -> anyhow::Result<String> {
        let (status, body) = self.call(Method::POST, "/v1/bundle/reload", String::new())?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        match answer["bundle"].as_str() {
            Some(bundle) if status == 200 => Ok(bundle.to_owned()),
            _ => bail!("the reload was answered with {status}: {}", String::from_utf8_lossy(&body)),
        }
    }

    /// The outcome of a decision as JSON, if the engine has it.
    pub(super) fn decision(&mut self, id: DecisionId) -> anyhow::Result<Option<String>> {
        #[derive(serde::Deserialize)]
        struct Found<'a> {
            #[serde(borrow)]
            outcome: &'a serde_json::value::RawValue,
        }
        let (status, body) = self.call(Method::GET, &format!("/v1/decisions/{id}"), String::new())?;
        match status {
            200 => Ok(Some(serde_json::from_slice::<Found<'_>>(&body)?.outcome.get().to_owned())),
            404 => Ok(None),
            _ => bail!("decision {id} was answered with {status}: {}", String::from_utf8_lossy(&body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shed_is_told_from_what_is_wrong() {
        let of = |status: u64| json!({"results": [{"decision": {}}, {"problem": {"status": status}}], "failed": 1});
        assert!(is_shed(503, &Value::Null) && is_shed(200, &of(503)) && is_shed(200, &of(429)));
        assert!(!is_shed(404, &Value::Null) && !is_shed(200, &of(422)));
    }
}
