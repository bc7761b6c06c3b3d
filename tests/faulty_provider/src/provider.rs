//! The server, started and stopped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::behaviour::Behaviour;
use crate::connection::serve;
use crate::ledger::{Counts, Ledger, Seen};
use crate::wire::Wire;

/// How long it rests when no connection can be taken, for want of descriptors say.
const REST: Duration = Duration::from_millis(10);

/// A server on a thread of its own. It stops when it is dropped; its connections are closed then.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start(behaviour: impl Into<Behaviour>) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), behaviour)
    }

    /// Starts one at this address: at that of one that was stopped, say.
    pub fn start_at(address: SocketAddr, behaviour: impl Into<Behaviour>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let ledger = Arc::new(Ledger::new(behaviour.into()));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("faulty-provider".to_owned()).spawn({
            let ledger = Arc::clone(&ledger);
            move || run(&runtime, listener, ledger, stopped)
        })?;
        Ok(Self { address, ledger, stop: Some(stop), thread: Some(thread) })
    }

    /// What an OpenAI client is given as its base: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Behaves otherwise from the next request on. Requests under way are treated as before.
    pub fn set(&self, behaviour: impl Into<Behaviour>) {
        self.ledger.set(behaviour.into());
    }

    /// The latest requests for a completion: up to 4,096, or as many as [`keep`](Self::keep) said.
    pub fn requests(&self) -> Vec<Seen> {
        self.ledger.seen()
    }

    /// Keeps so many requests to be looked at; 0 for a provider under load.
    pub fn keep(&self, requests: usize) {
        self.ledger.keep(requests);
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.ledger.counts()
    }

    /// Waits until the counts are as asked; false if they are not after `patience`.
    #[must_use = "it may have waited in vain"]
    pub fn wait(&self, is_so: impl FnMut(&Counts) -> bool, patience: Duration) -> bool {
        self.ledger.wait(is_so, patience)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(runtime: &Runtime, listener: TcpListener, ledger: Arc<Ledger>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let accepting = tokio::spawn(accept(listener, ledger));
        // An error says that the sender is gone, which is how it is stopped.
        let _ = stopped.await;
        accepting.abort();
    });
}

async fn accept(listener: TcpListener, ledger: Arc<Ledger>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let ledger = Arc::clone(&ledger);
                tokio::spawn(async move { serve(Wire::new(stream), &ledger).await });
            }
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}
