//! The format of a file, recognized by its first bytes. The extension is ignored.

use std::io::Read;
use std::path::Path;

use super::archive::Archive;
use super::error::WeightsErrorKind;
use super::exported;
use super::foreign;
use super::safetensors::MAX_HEADER;
use super::source::Source;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `torch.save` since `PyTorch` 1.6: a zip archive.
    TorchZip,
    /// `torch.export.save` since `PyTorch` 2.8 (`.pt2`): a zip archive.
    ExportedProgram,
    /// `torch.save` before that: pickles, then the storages. torchvision's published files.
    TorchLegacy,
    /// A plain pickle, which holds no tensors but may name something to refuse.
    Pickle,
    Safetensors,
    BurnPack,
}

/// Enough for a tar header, the longest of the marks below.
const HEAD: u64 = 512;

/// 0x1950a86a20f9469cfc6c, the first thing in a legacy file, as protocols 2 and up write it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The members of the tar archives that `torch.save` wrote until 2016.
const TAR_MEMBERS: [&[u8]; 4] = [b"sys_info", b"pickle", b"tensors", b"storages"];

/// The same number as protocols 0 and 1 write it.
const TEXT_MAGIC: &[u8] = b"L119547037146038801333356L\n";

/// The legacy magic comes after at most a protocol and a frame opcode and the integer's own.
const LEGACY_MAGIC_WITHIN: usize = 23;

/// Recognizes the format, or says what the file is instead.
pub(super) fn recognize(source: &Source, path: &Path) -> Result<Format, WeightsErrorKind> {
    let mut head = Vec::new();
    source.part(0, HEAD).read_to_end(&mut head)?;
    let mut windows = head.windows(LEGACY_MAGIC.len()).take(LEGACY_MAGIC_WITHIN);
    Ok(
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            let names = Archive::open(source)?.names();
            if exported::is_exported(&names) {
                Format::ExportedProgram
            } else {
                Format::TorchZip
            }
        } else if head.starts_with(&burn_pack::MAGIC_NUMBER.to_le_bytes()) {
            Format::BurnPack
        } else if head.get(257..262) == Some(b"ustar") {
            let is_saved = TAR_MEMBERS.iter().any(|name| head.starts_with(name));
            return Err(if is_saved {
                WeightsErrorKind::TooOld("a tar archive")
            } else {
                WeightsErrorKind::NotWeights("is a tar archive: unpack it first".to_owned())
            });
        } else if head.starts_with(TEXT_MAGIC) {
            return Err(WeightsErrorKind::TooOld("a pickle of protocol 0 or 1"));
        } else if is_safetensors(&head) {
            // Before pickle: the length's first byte can be any opcode.
            Format::Safetensors
        } else if windows.any(|bytes| bytes == LEGACY_MAGIC) {
            Format::TorchLegacy
        } else if matches!(*head, [0x80, 2..=5, ..]) {
            Format::Pickle
        } else {
            return Err(foreign::file(path, &head));
        },
    )
}

fn is_safetensors(head: &[u8]) -> bool {
    let length = head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    length.is_some_and(|length| (2..=MAX_HEADER).contains(&length)) && head.get(8) == Some(&b'{')
}
