//! Where an event file writes to.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// Where an [`EventFile`](super::EventFile) writes to: a [`File`], or a stand-in for one that
/// fails on purpose.
pub trait EventSink: Write {
    /// Forgets everything after the first `length` bytes; the next write goes there.
    ///
    /// # Errors
    ///
    /// When the sink cannot be truncated.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Returns when everything written is on the disk.
    ///
    /// # Errors
    ///
    /// When it cannot be put there, late write errors included.
    fn sync(&mut self) -> io::Result<()>;
}

impl EventSink for File {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
