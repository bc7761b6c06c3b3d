//! An HTTP server on a thread of its own.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use anyhow::{Context, bail};

/// An HTTP server on a thread of its own, on the loopback.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts a server; port 0 is a free one.
    pub(crate) fn start(
        port: u16,
        workers: usize,
        configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (told, hear) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let server = HttpServer::new(move || App::new().configure(&configure));
                let server = server.workers(workers.max(1)).disable_signals().shutdown_timeout(5);
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
