//! A connection, from its first request to its end.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::behaviour::{Conduct, Manner, Says};
use crate::content::{Asked, completion};
use crate::ledger::{Ending, Entry, Ledger};
use crate::wire::{Gone, Head, Request, Wire};

/// A piece of a body without an end.
const PIECE: [u8; 16 << 10] = [b' '; 16 << 10];

/// What is done with the connection after a request.
enum After {
    /// It waits for the next; no longer than this, if there is an end.
    Keep(Option<Instant>),
    Close,
    Reset,
}

/// Serves a connection until one side ends it.
pub(crate) async fn serve(mut wire: Wire, ledger: &Ledger) {
    let connection = ledger.opened();
    let (mut served, mut idle_until) = (0, None);
    let after = loop {
        let Ok(Some(request)) = wire.request(idle_until).await else { break After::Close };
        served += 1;
        let after = if request.method == "POST" && request.path.ends_with("/chat/completions") {
            let entry = ledger.enter(connection, &request);
            let (ending, after) = complete(&mut wire, &entry, &request, served).await;
            ledger.leave(entry.number, ending);
            after
        } else {
            ledger.other();
            other(&mut wire, &request).await
        };
        match after {
            After::Keep(until) => idle_until = until,
            end => break end,
        }
    };
    match after {
        After::Reset => wire.reset(),
        After::Keep(_) | After::Close => wire.close().await,
    }
    ledger.closed();
}

/// What is asked besides completions.
async fn other(wire: &mut Wire, request: &Request) -> After {
    let (status, body) = match request.path.as_str() {
        "/health" => (200, json!({"status": "ok"})),
        path if path.ends_with("/models") => {
            (200, json!({"object": "list", "data": [{"id": "faulty", "object": "model", "owned_by": "nobody"}]}))
        }
        _ => (404, error("not_found_error", "there is nothing here")),
    };
    let body = body.to_string().into_bytes();
    let length = Some(body.len());
    let head = Head { status, content_type: "application/json", length, headers: &[], is_last: false };
    let mut bytes = head.to_bytes();
    bytes.extend_from_slice(&body);
    match wire.write(&bytes).await {
        Ok(()) => After::Keep(None),
        Err(Gone) => After::Close,
    }
}

/// Treats a request for a completion as it is to be treated; it is the `served`th on its connection.
async fn complete(wire: &mut Wire, entry: &Entry, request: &Request, served: u32) -> (Ending, After) {
    let conduct = &entry.conduct;
    match conduct.manner {
        Manner::ClosesIfReused if served > 1 => return (Ending::Broken, After::Close),
        Manner::Hangs => {
            let _ = wire.pause(None).await;
            return (Ending::ClosedEarly, After::Close);
        }
        _ => {}
    }
    let latency = conduct.latency.of(entry.turn);
    if !latency.is_zero() && wire.pause(Some(Instant::now() + latency)).await.is_err() {
        return (Ending::ClosedEarly, After::Close);
    }
    match conduct.manner {
        Manner::ResetsBefore => return (Ending::Broken, After::Reset),
        Manner::ClosesBefore => return (Ending::Broken, After::Close),
        _ => {}
    }
    let is_last = conduct.keep_alive.requests_max.is_some_and(|most| served >= most);
    let response = Response::to(entry, request, is_last);
    match response.send(wire, conduct).await {
        Err(Gone) => (Ending::ClosedEarly, After::Close),
        Ok(Some(end)) => (Ending::Broken, end),
        Ok(None) if is_last => (Ending::Answered, After::Close),
        Ok(None) => (Ending::Answered, After::Keep(conduct.keep_alive.idle_max.map(|idle| Instant::now() + idle))),
    }
}

/// A response, not yet sent.
struct Response {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Response {
    fn to(entry: &Entry, request: &Request, is_last: bool) -> Self {
        let conduct = &entry.conduct;
        let (status, content_type, body) = match &conduct.says {
            Says::Raw(bytes) => return Self { head: bytes.clone(), body: Vec::new() },
            Says::Body { status, content_type, bytes } => (*status, content_type.as_str(), bytes.clone()),
            Says::Error { status, kind, message } => {
                (*status, "application/json", error(kind, message).to_string().into())
            }
            Says::Completion { content, usage } => match serde_json::from_slice::<Value>(&request.body) {
                Ok(body) if body.get("stream") != Some(&Value::Bool(true)) => {
                    let asked = Asked { number: entry.number, turn: entry.turn, body: &body };
                    (200, "application/json", completion(content, usage, &asked))
                }
                Ok(_) => (400, "application/json", refused("this provider does not stream")),
                Err(_) => (400, "application/json", refused("the body is not JSON")),
            },
        };
        let length = match conduct.manner {
            Manner::Chunked(_) | Manner::Endless => None,
            _ => Some(body.len()),
        };
        let is_last = is_last && conduct.keep_alive.is_announced;
        let head = Head { status, content_type, length, headers: &conduct.headers, is_last }.to_bytes();
        Self { head, body }
    }

    /// Sends it in its manner; how the connection is broken, if it is.
    async fn send(self, wire: &mut Wire, conduct: &Conduct) -> Result<Option<After>, Gone> {
        let half = &self.body[..self.body.len() / 2];
        match &conduct.manner {
            Manner::Whole | Manner::ClosesIfReused => self.send_whole(wire, conduct).await?,
            Manner::Trickles { bytes, every } => {
                wire.write(&self.head).await?;
                for piece in self.body.chunks((*bytes).max(1)) {
                    wire.pause(Some(Instant::now() + *every)).await?;
                    wire.write(piece).await?;
                }
            }
            Manner::Chunked(bytes) => {
                self.send_head(wire, conduct).await?;
                for piece in self.body.chunks((*bytes).max(1)) {
                    wire.write(&chunk(piece)).await?;
                }
                wire.write(b"0\r\n\r\n").await?;
            }
            Manner::Endless => {
                self.send_head(wire, conduct).await?;
                let piece = chunk(&PIECE);
                loop {
                    wire.write(&piece).await?;
                }
            }
            Manner::HangsAfterHeaders => return self.stop(wire, &[], After::Close, true).await,
            Manner::HangsInBody => return self.stop(wire, half, After::Close, true).await,
            Manner::ResetsAfterHeaders => return self.stop(wire, &[], After::Reset, false).await,
            Manner::ResetsInBody => return self.stop(wire, half, After::Reset, false).await,
            Manner::ClosesInBody => return self.stop(wire, half, After::Close, false).await,
            // These have no response.
            Manner::Hangs | Manner::ResetsBefore | Manner::ClosesBefore => {}
        }
        Ok(None)
    }

    async fn send_whole(&self, wire: &mut Wire, conduct: &Conduct) -> Result<(), Gone> {
        if conduct.body_after.is_zero() {
            // One write: one packet.
            return wire.write(&[&self.head[..], &self.body[..]].concat()).await;
        }
        self.send_head(wire, conduct).await?;
        wire.write(&self.body).await
    }

    async fn send_head(&self, wire: &mut Wire, conduct: &Conduct) -> Result<(), Gone> {
        wire.write(&self.head).await?;
        if !conduct.body_after.is_zero() {
            wire.pause(Some(Instant::now() + conduct.body_after)).await?;
        }
        Ok(())
    }

    /// Sends a part, and then nothing or the end.
    async fn stop(&self, wire: &mut Wire, part: &[u8], end: After, hangs: bool) -> Result<Option<After>, Gone> {
        wire.write(&[&self.head[..], part].concat()).await?;
        if hangs {
            wire.pause(None).await?;
        }
        Ok(Some(end))
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// An error as OpenAI writes it.
fn error(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

fn refused(message: &str) -> Vec<u8> {
    error("invalid_request_error", message).to_string().into_bytes()
}
