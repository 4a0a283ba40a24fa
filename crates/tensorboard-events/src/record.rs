//! Framing: how the records of an event file lie behind one another.
//!
//! ```text
//! u64  length, little-endian          ┐ header
//! u32  masked CRC-32C of those bytes  ┘
//! u8   data[length]
//! u32  masked CRC-32C of the data       footer
//! ```
//!
//! Source: TensorFlow's `tensorflow/core/lib/io/record_writer.cc`.

use std::io::{self, Read, Seek, SeekFrom};

/// The longest protocol buffer that every reader takes. Units: bytes.
pub(crate) const MESSAGE_LIMIT: u64 = i32::MAX as u64;

const LENGTH_SIZE: usize = 8;
const CRC_SIZE: usize = 4;
const HEADER_SIZE: usize = LENGTH_SIZE + CRC_SIZE;

/// What framing adds to the data of a record. Units: bytes.
pub(crate) const OVERHEAD: u64 = (HEADER_SIZE + CRC_SIZE) as u64;

/// Frames what `fill` appends to `buffer` as one record; after an error the buffer is as long as it was before.
///
/// The data is written where it will lie, so a picture of many megabytes is copied once.
pub(crate) fn append<E>(
    buffer: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_SIZE]);
    if let Err(error) = fill(buffer) {
        buffer.truncate(start);
        return Err(error);
    }
    let (header, data) = buffer[start..].split_at_mut(HEADER_SIZE);
    let length = (data.len() as u64).to_le_bytes();
    header[..LENGTH_SIZE].copy_from_slice(&length);
    header[LENGTH_SIZE..].copy_from_slice(&masked_crc(&length).to_le_bytes());
    let footer = masked_crc(data).to_le_bytes();
    buffer.extend_from_slice(&footer);
    Ok(())
}

/// CRC-32C, masked so that the checksum of data which holds checksums stays a good one.
///
/// Source: `tensorflow/core/lib/hash/crc32c.h`.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// Why a record could not be read: what lies before it is whole.
#[derive(Debug, thiserror::Error)]
#[error("the record at byte {offset} {damage}")]
pub struct RecordError {
    /// Where the record begins. Units: bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The source ends inside the record: a write that has not finished, or never did.
    #[error("is truncated")]
    Truncated,
    /// The length does not fit its checksum, so no later record can be found either.
    #[error("has a header that does not match its checksum")]
    HeaderCrc,
    /// Where the record was to begin there are NUL bytes, which never reached the disk.
    #[error("is empty, as a loss of power leaves it")]
    Nul,
    /// The data does not fit its checksum.
    #[error("has data that does not match its checksum")]
    DataCrc,
    /// No reader takes a record of so many bytes: its header is not what was written.
    #[error("says that it has {0} bytes, expected less than 2 GiB")]
    TooLong(u64),
    /// The source itself could not be read.
    #[error("could not be read: {0}")]
    Io(io::Error),
    /// The data is whole and no event.
    #[error("is no event ({0}); was the file written by another program?")]
    Malformed(io::Error),
    /// TensorBoard's fast loader reads no further than an event with such a time.
    #[error("has the wall time {0}, expected seconds since 1970")]
    WallTime(f64),
}

impl RecordError {
    pub(crate) fn is_io(&self) -> bool {
        matches!(self.damage, Damage::Io(_))
    }
}

/// Reads records one after the other, strictly: the first damage is the last item.
///
/// `None` without an error before it means that the source ends where a record ends.
#[derive(Debug)]
pub(crate) struct RecordReader<R> {
    source: R,
    offset: u64,
    stopped: bool,
    /// Whether the data of a record has to match its checksum.
    is_strict: bool,
}

impl<R: Read> RecordReader<R> {
    /// Of a source that stands at the beginning of a record and is buffered: many small reads are made.
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            offset: 0,
            stopped: false,
            is_strict: true,
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    fn read_record(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        let Some(length) = self.read_length()? else {
            return Ok(None);
        };
        let data = self.read_up_to(length)?;
        // Data that falls short leaves nothing for the footer.
        let footer = self.read_up_to(CRC_SIZE as u64)?.try_into();
        let footer = footer.map_err(|_| self.error(Damage::Truncated))?;
        if self.is_strict && masked_crc(&data) != u32::from_le_bytes(footer) {
            return Err(self.error(Damage::DataCrc));
        }
        self.offset += OVERHEAD + length;
        Ok(Some(data))
    }

    /// The length of the next record's data; `None` at the end of the source.
    fn read_length(&mut self) -> Result<Option<u64>, RecordError> {
        let header = self.read_up_to(HEADER_SIZE as u64)?;
        if header.is_empty() {
            return Ok(None);
        }
        let header = <[u8; HEADER_SIZE]>::try_from(header);
        let header = header.map_err(|_| self.error(Damage::Truncated))?;
        if header == [0; HEADER_SIZE] {
            return Err(self.error(Damage::Nul));
        }
        let [l0, l1, l2, l3, l4, l5, l6, l7, crc @ ..] = header;
        let length = [l0, l1, l2, l3, l4, l5, l6, l7];
        if masked_crc(&length) != u32::from_le_bytes(crc) {
            return Err(self.error(Damage::HeaderCrc));
        }
        let length = u64::from_le_bytes(length);
        if length > MESSAGE_LIMIT {
            return Err(self.error(Damage::TooLong(length)));
        }
        Ok(Some(length))
    }

    /// `count` bytes, or what is left. Memory grows with what arrives, never with `count`, which is out of a file.
    fn read_up_to(&mut self, count: u64) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::new();
        let mut part = self.source.by_ref().take(count);
        part.read_to_end(&mut bytes)
            .map_err(|source| self.error(Damage::Io(source)))?;
        Ok(bytes)
    }

    fn error(&self, damage: Damage) -> RecordError {
        let offset = self.offset;
        RecordError { offset, damage }
    }
}

impl<R: Read + Seek> RecordReader<R> {
    pub(crate) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        self.stopped = false;
        Ok(())
    }

    /// Goes on as if no data had a checksum, as the fast loader does. For a source that begins where the file does.
    pub(crate) fn go_on_unchecked(&mut self) -> io::Result<()> {
        self.is_strict = false;
        self.go_to(self.offset)
    }

    /// Passes over the next record, of which `beginning` bytes are read and returned: neither the rest nor the data's
    /// checksum. `None` where the source, of `length` bytes, has no whole record any more.
    pub(crate) fn pass_over(
        &mut self,
        beginning: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, RecordError> {
        let Some(data) = self.read_length()? else {
            return Ok(None);
        };
        let after = self.offset + OVERHEAD + data;
        if after > length {
            return Ok(None);
        }
        let bytes = self.read_up_to(data.min(beginning))?;
        let rest = data - bytes.len() as u64 + CRC_SIZE as u64;
        // What is in a buffer already is not read again. No rest is longer than a message.
        let skipped = self.source.seek_relative(rest.cast_signed());
        skipped.map_err(|source| self.error(Damage::Io(source)))?;
        self.offset = after;
        Ok(Some(bytes))
    }
}

impl<R: Read> Iterator for RecordReader<R> {
    type Item = Result<Vec<u8>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let record = self.read_record().transpose();
        self.stopped = !matches!(record, Some(Ok(_)));
        record
    }
}
