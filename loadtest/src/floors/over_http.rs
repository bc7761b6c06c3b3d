//! Decisions over HTTP, beside a handler that decodes and echoes.

use std::net::SocketAddr;

use actix_web::web;
use anyhow::{Context, bail};
use forthwith::Doors;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::args::floors::HttpRun;
use crate::floors::closed_loop::{Answered, Caller, Measured, drive};
use crate::floors::subject::Subject;
use crate::floors::workload::Stream;
use crate::report::{Row, say, table, thousands};
use crate::target::Server;

/// One connection with one request under way.
struct Connection {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
    path: String,
    stream: Stream,
}

impl Caller for Connection {
    type Item = Bytes;

    async fn begin(&mut self) -> anyhow::Result<()> {
        let tcp = TcpStream::connect(self.address).await;
        let tcp = tcp.with_context(|| format!("cannot connect to {}", self.address))?;
        tcp.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
        // Its end is seen by the sender.
        drop(tokio::spawn(connection));
        self.sender = Some(sender);
        Ok(())
    }

    fn prepare(&mut self) -> Bytes {
        self.stream.json().into()
    }

    async fn call(&mut self, body: Bytes) -> anyhow::Result<Answered> {
        let request = Request::post(&self.path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let sender = self.sender.as_mut().context("the connection was not opened")?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        match status {
            StatusCode::OK if is_pending(&body) => Ok(Answered::Short),
            StatusCode::OK => Ok(Answered::Given),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Ok(Answered::Short),
            _ => bail!("{} answered {status}: {}", self.path, String::from_utf8_lossy(&body)),
        }
    }
}

/// Whether a decision was answered before it was on disk.
fn is_pending(answer: &[u8]) -> bool {
    const PENDING: &[u8] = br#""durability":"pending""#;
    answer.windows(PENDING.len()).any(|part| part == PENDING)
}

/// Measures and prints a table for each number of connections.
pub(crate) fn run(run: &HttpRun) -> anyhow::Result<()> {
    let load = &run.load;
    let subject = Subject::start(load)?;
    let workers = run.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let echo = Server::start(0, &Server::settings(workers), |app| {
        app.route("/echo", web::post().to(echo));
    })?;
    let doors = Doors::new(subject.engine.clone(), &subject.settings);
    let server = Server::start(0, &Server::settings(workers), move |app| doors.configure(app))?;
    let path = format!("/v1/decide/{}", load.playbook);
    for &connections in &run.connections {
        let (mut floor, mut engine) = (Row::new("floor: decode and echo"), Row::new("decide"));
        for round in 0..load.rounds {
            say(load.quiet, &format!("{connections} connections, round {} of {}", round + 1, load.rounds));
            let stream = |caller| subject.workload.stream(&format!("{connections}-{round}"), caller);
            let streams = || (0..connections).map(stream);
            floor.push(measure(&subject, load.seconds, echo.address, "/echo", streams())?);
            engine.push(measure(&subject, load.seconds, server.address, &path, streams())?);
        }
        let title = format!(
            "Decisions over HTTP: ack = \"{}\", {connections} connections, {workers} workers, {} customers ({:?}), {} rules",
            load.ack.as_str(),
            thousands(load.customers),
            load.spread,
            subject.rules(&load.playbook),
        );
        table(&title, &[floor, engine])?;
    }
    echo.stop()?;
    server.stop()?;
    subject.stop(load.quiet)
}

async fn echo(body: web::Json<serde_json::Value>) -> web::Json<serde_json::Value> {
    body
}

fn measure(
    subject: &Subject,
    seconds: u64,
    address: SocketAddr,
    path: &str,
    streams: impl Iterator<Item = Stream>,
) -> anyhow::Result<Measured> {
    let connection = |stream| Connection { address, sender: None, path: path.to_owned(), stream };
    drive(subject.threads, seconds, streams.map(connection).collect())
}
