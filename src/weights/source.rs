//! Reads at an offset of an open file, from any thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use sha2::{Digest, Sha256};

const PIECE: usize = 1 << 20;

/// A range of an open file, with a cursor of its own: clones do not disturb each other.
///
/// The crate forbids `unsafe`, which a memory map needs; positional reads use as little memory and
/// copy once, straight into the tensor.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    file: Arc<File>,
    start: u64,
    len: u64,
    at: u64,
}

impl Source {
    pub(super) fn new(file: File) -> io::Result<Self> {
        Ok(Self {
            len: file.metadata()?.len(),
            file: Arc::new(file),
            start: 0,
            at: 0,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Where it begins in the file, and where it ends.
    pub(super) fn range(&self) -> [u64; 2] {
        [self.start, self.start + self.len]
    }

    /// The bytes from `start`, `len` of them or as many as there are.
    pub(crate) fn part(&self, start: u64, len: u64) -> Self {
        let start = start.min(self.len);
        Self {
            file: Arc::clone(&self.file),
            start: self.start + start,
            len: len.min(self.len - start),
            at: 0,
        }
    }

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
        let read = self.read_at(&mut buffer[..wanted], self.start + self.at)?;
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

/// SHA-256 of everything in `reader`, in lowercase hexadecimal, as `sha256sum` prints it.
pub(crate) fn sha256(reader: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    pieces(reader, |piece| hash.update(piece))?;
    Ok(format!("{:x}", hash.finalize()))
}

/// CRC-32C of everything in `reader`: a tenth of the time of SHA-256.
pub(crate) fn crc32c(reader: &mut dyn Read) -> io::Result<u32> {
    let mut sum = 0;
    pieces(reader, |piece| sum = crc32c::crc32c_append(sum, piece))?;
    Ok(sum)
}

fn pieces(reader: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    // `printf abc | sha256sum`
    #[test]
    fn it_prints_as_sha256sum_does() {
        assert_eq!(
            super::sha256(&mut &b"abc"[..]).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
