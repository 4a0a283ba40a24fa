//! Zip archives as PyTorch writes them: one folder, its entries not compressed.
//!
//! Source: `caffe2/serialize/inline_container.h` of `PyTorch`, which documents the layout.

use std::io::{self, Read};

use zip::read::{ArchiveOffset, Config, ZipFile};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::error::WeightsErrorKind;
use super::location::Location;
use super::source::Source;

const MAX_BYTE_ORDER: u64 = 64;

/// A zip archive whose directory was read.
pub(super) struct Archive<'a> {
    source: &'a Source,
    zip: ZipArchive<Source>,
}

impl<'a> Archive<'a> {
    pub(super) fn open(source: &'a Source) -> Result<Self, WeightsErrorKind> {
        // `ArchiveOffset::Detect` takes the directory's start by its size, too late by the zip64 records that torch
        // writes behind it: it is another entry's where the first one's is as long as those, with names of 21 bytes.
        let config = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let zip = ZipArchive::with_config(config, source.whole()).map_err(no_archive)?;
        Ok(Self { source, zip })
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = (0..self.zip.len()).filter_map(|index| self.zip.name_for_index(index)?.ok());
        names.map(std::borrow::Cow::into_owned).collect()
    }

    /// Checks that the numbers in `folder` are in the order of bytes that they are read in.
    pub(super) fn check_byte_order(&mut self, folder: &str) -> Result<(), WeightsErrorKind> {
        let mut order = Vec::new();
        if let Some(entry) = self.entry(&format!("{folder}byteorder"))? {
            entry.take(MAX_BYTE_ORDER).read_to_end(&mut order)?;
        }
        if order.trim_ascii() == b"big" {
            return Err(WeightsErrorKind::NotWeights(
                "was saved on a big-endian machine: load and save it again on a little-endian one"
                    .into(),
            ));
        }
        Ok(())
    }

    /// An entry, to be read from its beginning.
    pub(super) fn entry(
        &mut self,
        name: &str,
    ) -> Result<Option<ZipFile<'_, Source>>, WeightsErrorKind> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let crc32 = self.zip.by_index_raw(index).map_err(damaged)?.crc32();
        // `compute_crc32=False` writes 0 everywhere.
        let options = ZipReadOptions::new().ignore_crc32(crc32 == 0);
        let entry = self.zip.by_index_with_options(index, options);
        entry.map(Some).map_err(damaged)
    }

    pub(super) fn location(&mut self, name: &str) -> Result<Option<Location>, WeightsErrorKind> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let entry = self.zip.by_index_raw(index).map_err(damaged)?;
        let (len, crc32) = (entry.size(), entry.crc32());
        let is_plain =
            entry.compression() == CompressionMethod::Stored && entry.compressed_size() == len;
        let start = entry.data_start().filter(|_| is_plain);
        drop(entry);
        Ok(Some(match start {
            Some(start) => Location::Plain {
                part: self.source.part(start, len),
                crc32: Some(crc32).filter(|&crc32| crc32 != 0),
            },
            None => Location::Compressed {
                archive: self.zip.clone(),
                index,
                skip: 0,
                len,
            },
        }))
    }
}

/// A zip archive's directory comes last, so a truncated file has none.
fn no_archive(error: ZipError) -> WeightsErrorKind {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
        _ => WeightsErrorKind::Truncated("the zip archive's directory is not at its end".into()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: ZipError) -> WeightsErrorKind {
    WeightsErrorKind::Damaged(format!("as a zip archive: {error}"))
}
