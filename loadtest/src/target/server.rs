//! An HTTP server on a thread of its own.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use anyhow::{Context, bail};
use forthwith::config::ServerSettings;

/// How long requests under way may take to finish when it stops, as in the `forthwith` command.
const DRAIN_SECONDS: u64 = 10;

/// An HTTP server on a thread of its own, on the loopback.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// The settings that are the default, with so many workers.
    pub(crate) fn settings(workers: usize) -> ServerSettings {
        ServerSettings { workers, ..ServerSettings::default() }
    }

    /// Starts a server with the settings that the `forthwith` command gives its own, but for where it listens; port 0 is a free one.
    pub(crate) fn start(
        port: u16,
        settings: &ServerSettings,
        configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> anyhow::Result<Self> {
        let ServerSettings { workers, connections_max, backlog, keep_alive, header_timeout, .. } = *settings;
        let workers = workers.max(1);
        let (told, hear) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let server = HttpServer::new(move || App::new().configure(&configure));
                let server = server
                    .workers(workers)
                    .max_connections(connections_max.div_ceil(workers))
                    .backlog(backlog)
                    .keep_alive(keep_alive)
                    .client_request_timeout(header_timeout)
                    .shutdown_timeout(DRAIN_SECONDS)
                    .disable_signals();
                let server = server.bind(("127.0.0.1", port))?;
                let address = server.addrs().first().copied();
                let server = server.run();
                let _ = told.send((address, server.handle()));
                server.await
            })
        });
        let Ok((address, handle)) = hear.recv() else {
            return match thread.join() {
                Ok(Err(error)) => Err(error).with_context(|| format!("cannot listen on 127.0.0.1:{port}")),
                _ => bail!("the server did not start"),
            };
        };
        Ok(Self { address: address.context("the server has no address")?, handle, thread })
    }

    /// Stops it when the requests under way are answered.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(self.handle.stop(true));
        match self.thread.join() {
            Ok(ended) => Ok(ended?),
            Err(_) => bail!("the server panicked"),
        }
    }
}
