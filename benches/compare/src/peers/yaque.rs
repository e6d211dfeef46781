//! yaque: a queue that writes before it returns and never syncs.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use yaque::{Receiver, Sender, TryRecvError, TrySendError};

use crate::class::Class;
use crate::peer::{Entry, Peer, Result};

pub const ENTRY: Entry = Entry {
    name: "yaque",
    release: "yaque 0.6.6",
    setting: "default options; the sender behind a mutex; never syncs",
    acknowledges: "memory (saved every 250 records)",
    can: |class: Class| {
        (class.writes() || class.drains() || class.waits()) && class != Class::Killed
    },
    open,
};

struct Yaque {
    sender: Mutex<Sender>,
    receiver: Mutex<Receiver>,
}

fn open(folder: &Path, _class: Class) -> Result<Box<dyn Peer>> {
    let folder = folder.join("queue");
    Ok(Box::new(Yaque {
        sender: Mutex::new(Sender::open(&folder)?),
        receiver: Mutex::new(Receiver::open(&folder)?),
    }))
}

impl Peer for Yaque {
    fn append(&self, record: &[u8]) -> Result<()> {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match sender.try_send(record) {
            Ok(()) => Ok(()),
            Err(TrySendError::Io(error)) => Err(error.into()),
            Err(TrySendError::QueueFull { .. }) => Err("the queue is full".into()),
        }
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = 0;
        while taken < records {
            let wanted = usize::try_from(per_ack.min(records - taken))?;
            let batch = match receiver.try_recv_batch_up_to(wanted) {
                Ok(batch) => batch,
                Err(TryRecvError::QueueEmpty) => break,
                Err(TryRecvError::Io(error)) => return Err(error.into()),
            };
            taken += batch.len() as u64;
            batch.commit()?;
            each();
        }
        Ok(taken)
    }

    fn see_first(&self) -> Result<bool> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let record = match receiver.try_recv() {
            Ok(record) => record,
            Err(TryRecvError::QueueEmpty) => return Ok(false),
            Err(TryRecvError::Io(error)) => return Err(error.into()),
        };
        record.rollback()?;
        Ok(true)
    }
}
