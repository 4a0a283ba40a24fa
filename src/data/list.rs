//! Image arguments -> image files, each with a short name of its own.

use std::path::{Path, PathBuf};

use super::find::{self, FindError, LeftOut, Wanted};
use super::names;
use super::notes::InputNotes;

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

/// A file that should hold an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFile {
    /// Where it is, as the arguments lead to it.
    pub(crate) path: PathBuf,
    /// A short name that no other image of the list has, not even in another case; made of letters,
    /// digits, `_`, `-` and `.`, so that it can stand in a tag and in a file's name. See
    /// [`list_images`].
    pub(crate) name: String,
}

/// Lists the images that the arguments name, in their order; what a folder holds besides is noted.
///
/// - A file is taken whatever its ending.
/// - A folder gives the files in it and in all folders below it that end in
///   one of [`IMAGES`]' endings (any case), in natural order (`img2` before `img10`, case ignored,
///   component by component). Hidden files and folders (`.x`, `._x`) are skipped; links are
///   followed.
/// - An argument that is no path and holds `*`, `?` or `[` is a pattern (`**` for folders at any depth).
///   Its matches are taken in natural order, by the same endings; folders among them are
///   searched.
/// - A file that is named more than once, directly or by a folder or a pattern, is taken once, where
///   it was named first. Two links to one file are two files.
///
/// An image's name is the stem of its file, with everything that does not belong in a tag replaced
/// by `_`; where stems are equal, the path below their common folder (`cats_01`, `dogs_01`). A name
/// that is still taken, or is a group of tags (`kernels`, `input` …), gets a number (`01_2`).
pub(crate) fn list_images<P: AsRef<Path>>(
    args: &[P],
    notes: &InputNotes,
) -> Result<Vec<ImageFile>, FindError> {
    let mut left_out = LeftOut::default();
    let paths = find::find(args, &IMAGES, &mut left_out)?;
    notes.add_left_out(&left_out);
    let places = paths
        .iter()
        .map(|path| find::identity(path).map(|(folder, file)| folder.join(file)))
        .collect::<Result<Vec<_>, _>>()?;
    let names = names::unique_names(&places);
    Ok(paths
        .into_iter()
        .zip(names)
        .map(|(path, name)| ImageFile { path, name })
        .collect())
}
