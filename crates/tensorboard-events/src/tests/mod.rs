//! Against what TensorBoard itself wrote, against sinks that fail, and against damage.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use crate::file::EventSink;
use crate::summary::Summary;

mod framing;
mod golden;
mod histograms;
mod malformed;
mod reading;
mod resuming;
mod scanning;
mod training;
mod writing;

const GOLDEN: &[u8] = include_bytes!("../../tests/fixtures/golden.tfevents");
const FOREIGN: &[u8] = include_bytes!("../../tests/fixtures/foreign.tfevents");
const HISTOGRAMS: &[u8] = include_bytes!("../../tests/fixtures/histograms.tfevents");
const TRAINING: &[u8] = include_bytes!("../../tests/fixtures/training.tfevents");
const GRAY: &[u8] = include_bytes!("../../tests/fixtures/grey.png");
const RGB: &[u8] = include_bytes!("../../tests/fixtures/rgb.png");

/// A disk with so much room, on which more can be made to fail. Clones are the same disk.
#[derive(Clone)]
struct Disk(Rc<RefCell<State>>);

struct State {
    bytes: Vec<u8>,
    room: usize,
    writes: usize,
    flushes: usize,
    flush_fails: bool,
    truncate_fails: bool,
    sync_fails: bool,
}

impl Disk {
    fn with_room(room: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            bytes: Vec::new(),
            room,
            writes: 0,
            flushes: 0,
            flush_fails: false,
            truncate_fails: false,
            sync_fails: false,
        })))
    }

    fn new() -> Self {
        Self::with_room(usize::MAX)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        state.writes += 1;
        let count = data.len().min(state.room - state.bytes.len());
        if count == 0 && !data.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.bytes.extend_from_slice(&data[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.flushes += 1;
        if state.flush_fails {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(())
    }
}

impl EventSink for Disk {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        if state.truncate_fails {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        state.bytes.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.0.borrow().sync_fails {
            return Err(io::ErrorKind::StaleNetworkFileHandle.into());
        }
        Ok(())
    }
}

/// A gray picture of the fixtures under `tag`.
fn picture(tag: &str) -> Summary {
    Summary::image(tag, "a picture", 3, 2, vec![GRAY.to_vec()])
}
