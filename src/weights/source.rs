//! Reads at an offset, from any thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::error::WeightsErrorKind;
use super::foreign;

/// A range of an open file, with a cursor of its own: clones do not disturb each other.
///
/// The crate forbids `unsafe`, which a memory map needs; positional reads use as little memory and
/// copy once, straight into the tensor.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: Arc<File>,
    start: u64,
    len: u64,
    at: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, WeightsErrorKind> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(WeightsErrorKind::NotWeights(foreign::folder(path)));
        }
        Ok(Self {
            file: Arc::new(file),
            start: 0,
            len: metadata.len(),
            at: 0,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes from `start`, `len` of them or as many as there are.
    pub(super) fn part(&self, start: u64, len: u64) -> Self {
        let start = start.min(self.len);
        Self {
            file: Arc::clone(&self.file),
            start: self.start + start,
            len: len.min(self.len - start),
            at: 0,
        }
    }

    /// The whole range, from its beginning.
    pub(super) fn whole(&self) -> Self {
        self.part(0, self.len)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&*self.file, buffer, offset);
        // It also moves the handle's cursor, which nothing here relies on.
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, offset);
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        let read = self.read_at(buffer, self.start + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
