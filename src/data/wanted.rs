//! What files are called, by the endings of their names.

use std::path::Path;

/// How images are recognized in folders and among a pattern's matches.
pub(crate) const IMAGES: Wanted = Wanted {
    noun: "image",
    // torchvision's IMG_EXTENSIONS, and what else is commonly read.
    extensions: &[
        "png", "jpg", "jpeg", "jfif", "jpe", "webp", "bmp", "tif", "tiff", "gif", "ppm", "pgm",
        "pbm", "pnm",
    ],
    recursive: true,
};

/// How checkpoints are recognized in folders and among a pattern's matches.
pub(crate) const CHECKPOINTS: Wanted = Wanted {
    noun: "checkpoint",
    extensions: &[
        "pth",
        "pt",
        "safetensors",
        "bpk",
        "ckpt",
        "bin",
        "pth.tar",
        "pt.tar",
        "ckpt.tar",
    ],
    recursive: true,
};

/// What to look for in folders and among a pattern's matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// What a file is called in messages: `image`, `checkpoint`.
    pub(crate) noun: &'static str,
    /// The endings of wanted files, lower case, without the dot.
    pub(crate) extensions: &'static [&'static str],
    /// Whether folders below a named folder are searched too.
    pub(crate) recursive: bool,
}

impl Wanted {
    /// Whether a file's name ends as wanted ones do.
    pub(super) fn accepts(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().to_ascii_lowercase();
        let stem = |extension| name.strip_suffix(extension)?.strip_suffix('.');
        self.extensions
            .iter()
            .any(|extension| stem(extension).is_some_and(|stem| !stem.is_empty()))
    }

    pub(crate) fn endings(&self) -> String {
        self.extensions.join(" ")
    }
}
