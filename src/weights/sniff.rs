//! The format of a file, recognized by its first bytes. The extension is ignored.

use std::fmt;
use std::io::Read;
use std::path::Path;

use super::error::WeightsErrorKind;
use super::foreign;
use super::safetensors::MAX_HEADER;
use super::source::Source;

/// The format of a weights file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `torch.save` since `PyTorch` 1.6: a zip archive.
    TorchZip,
    /// `torch.save` before that: pickles, then the storages. torchvision's published files.
    TorchLegacy,
    /// A plain pickle, which holds no tensors but may name something to refuse.
    Pickle,
    /// `.safetensors`
    Safetensors,
    /// Burn's `.bpk`
    BurnPack,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TorchZip => "PyTorch (zip)",
            Self::TorchLegacy => "PyTorch (legacy)",
            Self::Pickle => "pickle",
            Self::Safetensors => "safetensors",
            Self::BurnPack => "Burn pack",
        })
    }
}

/// Enough for a tar header, the longest of the marks below.
const HEAD: u64 = 512;

/// 0x1950a86a20f9469cfc6c, the first thing in a legacy file, as protocols 2 and up write it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The same number as protocols 0 and 1 write it.
const TEXT_MAGIC: &[u8] = b"L119547037146038801333356L\n";

/// The legacy magic comes after at most a protocol and a frame opcode and the integer's own.
const LEGACY_MAGIC_WITHIN: usize = 23;

/// Recognizes the format, or says what the file is instead: by its name where its content says nothing.
pub(super) fn format(source: &Source, path: &Path) -> Result<Format, WeightsErrorKind> {
    let mut head = Vec::new();
    source.part(0, HEAD).read_to_end(&mut head)?;

    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Format::TorchZip);
    }
    if head.starts_with(&burn_pack::MAGIC_NUMBER.to_le_bytes()) {
        return Ok(Format::BurnPack);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Err(WeightsErrorKind::TooOld("a tar archive"));
    }
    if head.starts_with(TEXT_MAGIC) {
        return Err(WeightsErrorKind::TooOld("a pickle of protocol 0 or 1"));
    }
    // Before pickle: the length's first byte can be any opcode.
    if is_safetensors(&head) {
        return Ok(Format::Safetensors);
    }
    let mut windows = head.windows(LEGACY_MAGIC.len()).take(LEGACY_MAGIC_WITHIN);
    if windows.any(|bytes| bytes == LEGACY_MAGIC) {
        return Ok(Format::TorchLegacy);
    }
    if matches!(*head, [0x80, 2..=5, ..]) {
        return Ok(Format::Pickle);
    }
    let by_name = foreign::by_name(path).filter(|_| !head.is_empty());
    Err(WeightsErrorKind::NotWeights(
        by_name.unwrap_or_else(|| describe_unknown(&head)),
    ))
}

fn is_safetensors(head: &[u8]) -> bool {
    let length = head
        .first_chunk::<8>()
        .map(|bytes| u64::from_le_bytes(*bytes));
    length.is_some_and(|length| (2..=MAX_HEADER).contains(&length)) && head.get(8) == Some(&b'{')
}

fn describe_unknown(head: &[u8]) -> String {
    const EXPECTED: &str = "expected .pth or .pt (a state dict), .safetensors or .bpk";
    let text = head.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let is_text =
        text.len() + 3 >= head.len() && !text.chars().any(|c| c.is_control() && !c.is_whitespace());

    if head.is_empty() {
        "is empty: the save or the download did not finish".into()
    } else if start.starts_with("version https://git-lfs.github.com/spec/") {
        "is a Git LFS pointer, not the weights: run `git lfs pull` where it came from".into()
    } else if is_text && start.starts_with('<') {
        "is a web page, not weights: the download got an error or a login page".into()
    } else if is_text {
        format!("is a text file, not weights; {EXPECTED}")
    } else if head.starts_with(b"\x89HDF\r\n") {
        foreign::HDF5.into()
    } else if head.starts_with(b"\x82\xa8metadata") {
        foreign::MPK.into()
    } else if head.starts_with(b"\x1f\x8b") {
        "is compressed with gzip: unpack it first".into()
    } else if head.starts_with(b"\x93NUMPY") {
        format!("is a NumPy array; {EXPECTED}")
    } else if head.starts_with(b"GGUF") {
        format!("is a GGUF file; {EXPECTED}")
    } else {
        format!("is of an unknown weights format; {EXPECTED}")
    }
}
