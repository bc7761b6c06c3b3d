//! An engine over HTTP: a thread's own connections, each with one call under way.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::door::{Address, Door, Returned};
use super::reading;
use crate::answers::Came;
use crate::clock::now;
use crate::population::{Outgoing, Stream};
use crate::scenario::Transport;

/// After a connection that could not be opened, its next call waits so long: nobody is helped by calling a machine that is down a
/// hundred thousand times a second.
const PAUSE: Duration = Duration::from_millis(10);

/// An engine over HTTP.
pub(super) struct Wire {
    terms: Arc<Terms>,
    idle: Vec<Line>,
}

/// What all connections of a thread have in common.
struct Terms {
    address: Address,
    transport: Transport,
    timeout: Duration,
    authorization: Option<HeaderValue>,
    host: HeaderValue,
    reconnects: AtomicU64,
}

/// A connection, open or not.
pub(super) struct Line {
    sender: Option<SendRequest<Full<Bytes>>>,
    was_open: bool,
}

/// An answer as it came.
pub(super) enum Heard {
    Answer { status: u16, body: Bytes },
    Nothing { how: &'static str, said: String },
}

impl Wire {
    pub(super) fn new(
        address: Address,
        transport: Transport,
        connections: usize,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let host = HeaderValue::try_from(&address.authority).context("the engine's address is no host and port")?;
        let authorization = address.token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let authorization = authorization.transpose().context("the token has characters that no header may have")?;
        let terms = Terms { address, transport, timeout, authorization, host, reconnects: AtomicU64::new(0) };
        let idle = (0..connections.max(1)).map(|_| Line { sender: None, was_open: false }).collect();
        Ok(Self { terms: Arc::new(terms), idle })
    }

    /// Opens all connections, so that no call has to.
    pub(super) async fn open(&mut self) -> anyhow::Result<()> {
        for line in &mut self.idle {
            line.open(&self.terms).await?;
        }
        Ok(())
    }
}

impl Door for Wire {
    type Line = Line;
    type Heard = Heard;

    fn line(&mut self) -> Option<Line> {
        // The last that came back: its memory is warm.
        self.idle.pop()
    }

    fn give_back(&mut self, line: Line) {
        self.idle.push(line);
    }

    fn call(
        &mut self,
        line: Line,
        stream: &Stream,
        outgoing: &Outgoing,
    ) -> impl Future<Output = Returned<Line, Heard>> + use<> {
        let terms = Arc::clone(&self.terms);
        let request = terms.request(stream, outgoing);
        async move {
            let mut line = line;
            let asked = tokio::time::timeout(terms.timeout, line.ask(&terms, request)).await;
            let (ended, heard) = asked.unwrap_or_else(|_| {
                (now(), Heard::Nothing { how: "timeout", said: format!("no answer within {:?}", terms.timeout) })
            });
            if let Heard::Nothing { how, .. } = &heard {
                // Whatever comes on it would be taken for the answer to another call.
                line.sender = None;
                if *how == "connection" {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Returned { line, ended, heard }
        }
    }

    fn read<T>(&mut self, heard: &Heard, then: impl FnOnce(Came<'_>) -> T) -> T {
        match heard {
            Heard::Answer { status, body } => reading::read(self.terms.transport, *status, body, then),
            Heard::Nothing { how, said } => then(Came::Failed { how, said }),
        }
    }

    fn reconnects(&self) -> u64 {
        self.terms.reconnects.load(Ordering::Relaxed)
    }
}

impl Terms {
    fn request(&self, stream: &Stream, outgoing: &Outgoing) -> anyhow::Result<Request<Full<Bytes>>> {
        let kind = stream.kind(outgoing);
        let (media_type, body) = match self.transport {
            Transport::MessagePack => ("application/msgpack", stream.message_pack(outgoing)?),
            Transport::Json | Transport::InProcess => ("application/json", stream.json(outgoing)?),
        };
        let mut request = Request::post(kind.path.as_str())
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(budget) = kind.asked_budget {
            request = request.header("x-budget-ms", HeaderValue::from(budget.as_millis() as u64));
        }
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }
}

impl Line {
    async fn open(&mut self, terms: &Terms) -> anyhow::Result<()> {
        let authority = &terms.address.authority;
        let tcp = TcpStream::connect(authority).await.with_context(|| format!("cannot connect to {authority}"))?;
        tcp.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
        // Its end is seen by the sender.
        drop(tokio::spawn(connection));
        if self.was_open {
            terms.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.was_open = true;
        self.sender = Some(sender);
        Ok(())
    }

    async fn ask(&mut self, terms: &Terms, request: anyhow::Result<Request<Full<Bytes>>>) -> (Instant, Heard) {
        let failed = |how, error: &dyn std::fmt::Display| (now(), Heard::Nothing { how, said: error.to_string() });
        let request = match request {
            Ok(request) => request,
            Err(error) => return failed("unwritable", &format!("{error:#}")),
        };
        let is_open = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !is_open && let Err(error) = self.open(terms).await {
            return failed("connection", &format!("{error:#}"));
        }
        let Some(sender) = &mut self.sender else { return failed("connection", &"it is not open") };
        let answer = match sender.send_request(request).await {
            Ok(answer) => answer,
            Err(error) => return failed("broken", &error),
        };
        let status = answer.status().as_u16();
        match answer.into_body().collect().await {
            Ok(body) => (now(), Heard::Answer { status, body: body.to_bytes() }),
            Err(error) => failed("broken", &error),
        }
    }
}
