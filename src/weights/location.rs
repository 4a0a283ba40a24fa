//! Where in a file a tensor's bytes are, and reading them.

use std::io::{self, Read};

use zip::ZipArchive;

use super::source::Source;

/// Bytes of a Burn pack read at a time, so that a tensor is never in memory twice.
const PIECE: usize = 4 << 20;

/// Where the bytes of a storage, or of one tensor in it, are.
#[derive(Debug, Clone)]
pub(super) enum Location {
    /// In the file as they are, with a checksum if it covers exactly this part.
    Plain { part: Source, crc32: Option<u32> },
    /// In a compressed zip entry of `len` bytes, from `skip` on.
    Compressed {
        archive: ZipArchive<Source>,
        index: usize,
        skip: u64,
        len: u64,
    },
    /// In a storage, from the byte `skip` on: not looked up yet.
    Storage { key: String, skip: u64 },
    /// In a Burn pack.
    Pack(burn_pack::Tensor),
    /// Nowhere: why.
    Missing(String),
}

impl Location {
    /// Whether both are the same bytes of the file.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain { part, .. }, Self::Plain { part: other, .. }) => {
                part.range() == other.range()
            }
            _ => false,
        }
    }

    /// The bytes of this storage, named `key`, from `skip` on, `wanted` of them.
    pub(super) fn view(&self, key: &str, skip: u64, wanted: u64) -> Self {
        let len = match self {
            Self::Plain { part, .. } => part.len(),
            Self::Compressed { len, .. } => *len,
            Self::Storage { .. } | Self::Pack(_) | Self::Missing(_) => return self.clone(),
        };
        if skip.saturating_add(wanted) > len {
            return Self::Missing(format!(
                "it needs {wanted} bytes at {skip} of storage {key}, which has {len}"
            ));
        }
        let mut view = self.clone();
        match &mut view {
            Self::Plain { part, crc32 } => {
                *part = part.part(skip, wanted);
                *crc32 = crc32.filter(|_| wanted == len);
            }
            Self::Compressed { skip: before, .. } => *before = skip,
            _ => {}
        }
        view
    }

    /// Gives `take` what is stored, from the first byte on.
    pub(super) fn read<T>(
        &self,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        match self {
            Self::Plain { part, crc32 } => {
                let mut reader = Checksummed {
                    inner: part.whole(),
                    crc32: crc32.map(|_| crc32fast::Hasher::new()),
                };
                let taken = take(&mut reader)?;
                if reader.crc32.map(crc32fast::Hasher::finalize) != *crc32 {
                    return Err(invalid("its checksum does not match its bytes".into()));
                }
                Ok(taken)
            }
            Self::Compressed {
                archive,
                index,
                skip,
                ..
            } => {
                // The clone shares the directory and has a cursor of its own.
                let mut archive = archive.clone();
                let mut entry = archive.by_index(*index).map_err(io::Error::other)?;
                io::copy(&mut (&mut entry).take(*skip), &mut io::sink())?;
                take(&mut entry)
            }
            Self::Pack(tensor) => take(&mut PackReader { tensor, at: 0 }),
            Self::Missing(why) => Err(invalid(why.clone())),
            Self::Storage { key, .. } => {
                Err(invalid(format!("its storage {key} is not in the file")))
            }
        }
    }
}

/// Sums up the bytes that pass through, if there is a checksum to compare with.
struct Checksummed {
    inner: Source,
    crc32: Option<crc32fast::Hasher>,
}

impl Read for Checksummed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(crc32) = &mut self.crc32 {
            crc32.update(&buffer[..read]);
        }
        Ok(read)
    }
}

/// Reads a pack's tensor from its first byte to its last.
struct PackReader<'a> {
    tensor: &'a burn_pack::Tensor,
    at: usize,
}

impl Read for PackReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = |error| io::Error::other(format!("{error:?}"));
        let bytes = self.tensor.to_bytes().map_err(io::Error::other)?;
        let end = bytes.len().min(self.at + buffer.len().min(PIECE));
        let piece = bytes
            .view(self.at, end)
            .map_err(|error| invalid(format!("no view of the pack: {error:?}")))?;
        let piece = piece.read(burn_std::Reader::new()).map_err(failed)?;
        buffer[..piece.len()].copy_from_slice(piece);
        self.at = end;
        Ok(piece.len())
    }
}

pub(super) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
