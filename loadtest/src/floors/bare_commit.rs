//! The floor of deciding on disk: records of the same size, appended to a file that was zeroed ahead of time, one write
//! and one `fdatasync` for all that wait. No order among customers, no checksums, no recovery.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::sync::oneshot;

use crate::floors::closed_loop::{Answered, Caller};

/// Bytes of the file. Written from the beginning again when it is full.
const FILE_BYTES: u64 = 256 << 20;

type Acknowledged = oneshot::Sender<()>;

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    callers: Vec<Acknowledged>,
    is_over: bool,
}

/// One thread that writes and syncs what has gathered.
#[derive(Debug)]
pub(crate) struct BareCommit {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl BareCommit {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("floor");
        let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..FILE_BYTES / zeros.len() as u64 {
            file.write_all(&zeros).with_context(|| format!("cannot fill {}", path.display()))?;
        }
        file.sync_all()?;
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("floor".to_owned()).spawn(move || commit(&for_thread, &file))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn caller(&self, record_bytes: usize) -> BareCommitter {
        BareCommitter { shared: Arc::clone(&self.shared), record: vec![0x5a; record_bytes] }
    }
}

impl Drop for BareCommit {
    fn drop(&mut self) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn commit(shared: &Shared, file: &File) -> std::io::Result<()> {
    let (mut at, mut batch) = (0, Waiting::default());
    loop {
        {
            let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            while waiting.callers.is_empty() && !waiting.is_over {
                waiting = shared.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            if waiting.callers.is_empty() {
                return Ok(());
            }
            std::mem::swap(&mut waiting.bytes, &mut batch.bytes);
            std::mem::swap(&mut waiting.callers, &mut batch.callers);
        }
        if at + batch.bytes.len() as u64 > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&batch.bytes, at)?;
        file.sync_data()?;
        at += batch.bytes.len() as u64;
        batch.bytes.clear();
        for caller in batch.callers.drain(..) {
            let _ = caller.send(());
        }
    }
}

/// Someone who has records written.
#[derive(Debug)]
pub(crate) struct BareCommitter {
    shared: Arc<Shared>,
    record: Vec<u8>,
}

impl Caller for BareCommitter {
    type Item = ();

    fn prepare(&mut self) {}

    async fn call(&mut self, (): ()) -> anyhow::Result<Answered> {
        let (acknowledge, acknowledged) = oneshot::channel();
        let is_first = {
            let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.bytes.extend_from_slice(&self.record);
            waiting.callers.push(acknowledge);
            waiting.callers.len() == 1
        };
        if is_first {
            self.shared.arrived.notify_one();
        }
        acknowledged.await.context("the floor's disk failed")?;
        Ok(Answered::Given)
    }
}
