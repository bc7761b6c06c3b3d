//! The floor: what nobody can do without who has many records made durable at once.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::drive::Write;
use super::records::Recorded;

/// Bytes of the file. Written from the beginning again when it is full.
const FILE_BYTES: u64 = 256 << 20;

/// One thread that writes and syncs what has gathered.
pub(crate) struct Floor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    arrived: Condvar,
    syncs: AtomicU64,
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    waiting: Vec<oneshot::Sender<()>>,
    is_over: bool,
}

/// A caller.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    records: &'static [Recorded],
    next: usize,
}

impl Floor {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut file = File::create(folder.join("floor")).expect("a file");
        let zeros = vec![0; 1 << 20];
        for _ in 0..FILE_BYTES / zeros.len() as u64 {
            file.write_all(&zeros).expect("room on the disk");
        }
        file.sync_all().expect("the disk works");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        Self { shared, thread: Some(std::thread::spawn(move || commit(&of_thread, &file))) }
    }

    pub(crate) fn writer(&self, records: &'static [Recorded], next: usize) -> Writer {
        Writer { shared: Arc::clone(&self.shared), records, next }
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.shared.gathered.lock().expect("nobody breaks off").is_over = true;
        self.shared.arrived.notify_one();
        self.thread.take().map(JoinHandle::join);
    }
}

fn commit(shared: &Shared, file: &File) {
    let (mut at, mut batch) = (0, Gathered::default());
    loop {
        let mut gathered = shared.gathered.lock().expect("nobody breaks off");
        while gathered.waiting.is_empty() && !gathered.is_over {
            gathered = shared.arrived.wait(gathered).expect("nobody breaks off");
        }
        if gathered.waiting.is_empty() {
            return;
        }
        std::mem::swap(&mut gathered.bytes, &mut batch.bytes);
        std::mem::swap(&mut gathered.waiting, &mut batch.waiting);
        drop(gathered);
        if at + batch.bytes.len() as u64 > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&batch.bytes, at).expect("the disk works");
        file.sync_data().expect("the disk works");
        shared.syncs.fetch_add(1, Ordering::Relaxed);
        at += batch.bytes.len() as u64;
        batch.bytes.clear();
        for waiting in batch.waiting.drain(..) {
            let _ = waiting.send(());
        }
    }
}

impl Write for Writer {
    async fn write(&mut self) {
        let Recorded { key, payload } = &self.records[self.next % self.records.len()];
        self.next += 1;
        let (written, is_written) = oneshot::channel();
        let is_first = {
            let mut gathered = self.shared.gathered.lock().expect("nobody breaks off");
            // As many bytes as a frame of the journal has.
            gathered.bytes.extend_from_slice(&[0x5a; 12]);
            gathered.bytes.extend_from_slice(&key.to_be_bytes());
            gathered.bytes.extend_from_slice(payload);
            gathered.waiting.push(written);
            gathered.waiting.len() == 1
        };
        if is_first {
            self.shared.arrived.notify_one();
        }
        is_written.await.expect("the floor's disk works");
    }
}
