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

use super::series::MESSAGE_LIMIT;

const LENGTH_SIZE: usize = 8;
const CRC_SIZE: usize = 4;
pub(super) const HEADER_SIZE: usize = LENGTH_SIZE + CRC_SIZE;

/// What framing adds to the data of a record. Units: bytes.
pub const OVERHEAD: usize = HEADER_SIZE + CRC_SIZE;

/// Frames what `fill` appends to `buffer` as one record.
///
/// The data is written where it will lie, so a picture of many megabytes is copied once.
///
/// # Errors
///
/// What `fill` returns; `buffer` is then as long as it was before.
pub fn append<E>(
    buffer: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_SIZE]);
    if let Err(error) = fill(buffer) {
        buffer.truncate(start);
        return Err(error);
    }
    let data = &buffer[start + HEADER_SIZE..];
    let header = header(data.len() as u64);
    let footer = masked_crc(data).to_le_bytes();
    buffer[start..start + HEADER_SIZE].copy_from_slice(&header);
    buffer.extend_from_slice(&footer);
    Ok(())
}

fn header(length: u64) -> [u8; HEADER_SIZE] {
    let length = length.to_le_bytes();
    let mut header = [0; HEADER_SIZE];
    header[..LENGTH_SIZE].copy_from_slice(&length);
    header[LENGTH_SIZE..].copy_from_slice(&masked_crc(&length).to_le_bytes());
    header
}

/// The length of a record's data, out of its header.
pub(super) fn data_length(header: &[u8], offset: u64) -> Result<u64, RecordError> {
    let (length, crc) = split_header(header).ok_or(RecordError::Truncated { offset })?;
    if masked_crc(&length.to_le_bytes()) != crc {
        return Err(RecordError::HeaderCrc { offset });
    }
    Ok(length)
}

/// CRC-32C, masked so that the checksum of data which holds checksums stays a good one.
///
/// Source: `tensorflow/core/lib/hash/crc32c.h`.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// Why a record could not be read. Every offset is where the record begins, in bytes: what lies
/// before it is whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The source ends inside the record: a write that has not finished, or never did.
    #[error("the record at byte {offset} is truncated")]
    Truncated {
        /// Where the record begins.
        offset: u64,
    },
    /// The length does not fit its checksum, so no later record can be found either.
    #[error("the header of the record at byte {offset} does not match its checksum")]
    HeaderCrc {
        /// Where the record begins.
        offset: u64,
    },
    /// The data does not fit its checksum.
    #[error("the data of the record at byte {offset} does not match its checksum")]
    DataCrc {
        /// Where the record begins.
        offset: u64,
    },
    /// No reader takes a record as long as this one says it is: its header is not what was written.
    #[error(
        "the record at byte {offset} says that it has {length} bytes, expected less than 2 GiB"
    )]
    TooLong {
        /// Where the record begins.
        offset: u64,
        /// How long it says that it is.
        length: u64,
    },
    /// The source itself could not be read.
    #[error("the record at byte {offset} could not be read")]
    Io {
        /// Where the record begins.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
}

impl RecordError {
    /// Where the record begins, and what is whole ends. Units: bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match self {
            Self::Truncated { offset }
            | Self::HeaderCrc { offset }
            | Self::DataCrc { offset }
            | Self::TooLong { offset, .. }
            | Self::Io { offset, .. } => *offset,
        }
    }
}

/// Reads records one after the other, strictly: the first damage is the last item.
///
/// `None` without an error before it means that the source ends where a record ends.
#[derive(Debug)]
pub struct RecordReader<R> {
    source: R,
    /// The end of the last whole record.
    offset: u64,
    stopped: bool,
    /// Whether the data of a record has to match its checksum.
    is_strict: bool,
}

impl<R: Read + Seek> RecordReader<R> {
    /// Goes to the record at `offset` of the source.
    pub(super) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        self.stopped = false;
        Ok(())
    }

    /// Goes on behind data that did not match its checksum, as if no data had one. For a source whose beginning is
    /// that of the file.
    pub(super) fn go_on_unchecked(&mut self) -> io::Result<()> {
        self.is_strict = false;
        self.go_to(self.offset)
    }
}

impl<R: Read> RecordReader<R> {
    /// A reader of a source that stands at the beginning of a record. Many small reads are made:
    /// wrap a file in a [`BufReader`](io::BufReader).
    pub fn new(source: R) -> Self {
        Self {
            source,
            offset: 0,
            stopped: false,
            is_strict: true,
        }
    }

    /// Where the last whole record ends. Units: bytes from where this reader began.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn read_record(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        let offset = self.offset;
        let header = self.read_up_to(HEADER_SIZE as u64)?;
        if header.is_empty() {
            return Ok(None);
        }
        let length = data_length(&header, offset)?;
        if length > MESSAGE_LIMIT {
            return Err(RecordError::TooLong { offset, length });
        }
        let data = self.read_up_to(length)?;
        let footer = self.read_up_to(CRC_SIZE as u64)?;
        // Data that falls short leaves nothing for the footer.
        let footer: [u8; CRC_SIZE] = footer
            .try_into()
            .map_err(|_| RecordError::Truncated { offset })?;
        if self.is_strict && masked_crc(&data) != u32::from_le_bytes(footer) {
            return Err(RecordError::DataCrc { offset });
        }
        self.offset += (OVERHEAD + data.len()) as u64;
        Ok(Some(data))
    }

    /// Reads `count` bytes, or what is left. Memory grows with what arrives, never with `count`,
    /// which is a number out of a file.
    fn read_up_to(&mut self, count: u64) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::new();
        self.source
            .by_ref()
            .take(count)
            .read_to_end(&mut bytes)
            .map_err(|source| RecordError::Io {
                offset: self.offset,
                source,
            })?;
        Ok(bytes)
    }
}

/// `None` when the header is not whole.
fn split_header(header: &[u8]) -> Option<(u64, u32)> {
    let (length, crc) = header.split_first_chunk::<LENGTH_SIZE>()?;
    let crc = <[u8; CRC_SIZE]>::try_from(crc).ok()?;
    Some((u64::from_le_bytes(*length), u32::from_le_bytes(crc)))
}

impl<R: Read> Iterator for RecordReader<R> {
    /// The data of a record.
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

impl<R: Read> std::iter::FusedIterator for RecordReader<R> {}
