//! Reads at an offset, from any thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// An open file that is read at explicit offsets, so that threads do not disturb each other.
///
/// The crate forbids `unsafe`, which a memory map needs; positional reads of the ranges that are
/// asked for cost the same memory and are copied once, straight into the tensor.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: Arc<File>,
    len: u64,
}

impl Source {
    /// Opens `path`. A folder is an error of kind [`io::ErrorKind::IsADirectory`].
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self {
            file: Arc::new(file),
            len: about.len(),
        })
    }

    /// Bytes in the file when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes from `start`, `len` of them or as many as there are.
    pub(super) fn part(&self, start: u64, len: u64) -> Part {
        let start = start.min(self.len);
        Part {
            source: self.clone(),
            start,
            len: len.min(self.len - start),
            at: 0,
        }
    }

    /// The whole file.
    pub(super) fn whole(&self) -> Part {
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

/// A range of a [`Source`], with a cursor of its own.
#[derive(Debug, Clone)]
pub(super) struct Part {
    source: Source,
    start: u64,
    len: u64,
    at: u64,
}

impl Part {
    /// Bytes in the part.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// A part of the part.
    pub(super) fn sub(&self, start: u64, len: u64) -> Self {
        let start = start.min(self.len);
        self.source
            .part(self.start + start, len.min(self.len - start))
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        let read = self.source.read_at(buffer, self.start + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Part {
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
