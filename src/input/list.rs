//! The user's words -> image files, each with a short name of its own.

use std::path::{Path, PathBuf};

use super::find::{self, FindError, Wanted};
use super::names;

/// The endings by which images are recognised in folders and among a pattern's matches.
pub const IMAGE_EXTENSIONS: &[&str] = &["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif"];

/// What an image is, among other files.
pub(crate) const IMAGES: Wanted = Wanted {
    noun: "image",
    extensions: IMAGE_EXTENSIONS,
    recursive: true,
};

/// A file that should hold an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it is, as the user's words lead to it.
    pub path: PathBuf,
    /// A short name that no other image of the list has, not even in another case; made of letters,
    /// digits, `_`, `-` and `.`, so that it can stand in a tag and in a file's name. See
    /// [`list_images`].
    pub name: String,
}

/// Lists the images that the words name, in the words' order.
///
/// - A file is taken whatever its ending.
/// - A folder gives the files in it and in all folders below it that end in
///   [`IMAGE_EXTENSIONS`] (any case), in natural order (`img2` before `img10`, case ignored,
///   component by component). Hidden files and folders (`.x`, `._x`) are skipped; links are
///   followed.
/// - A word that is no path and holds `*`, `?` or `[` is a pattern (`**` for folders at any depth).
///   Its matches are taken in natural order, by the same endings; folders among them are gone
///   through.
/// - A file that is named more than once, directly or by a folder or a pattern, is taken once, where
///   it was named first. Two links to one file are two files.
///
/// An image's name is the stem of its file, with everything that does not belong in a tag made
/// `_`. Where two would be alike, or like a group of tags (`kernels`, `input` …), the folders'
/// names are put before them (`cats_01`, `dogs_01`), and where that does not help, a number after
/// them (`01`, `01_2`).
///
/// # Errors
/// [`FindError`], when a word names nothing or something that cannot be read.
pub fn list_images<P: AsRef<Path>>(words: &[P]) -> Result<Vec<ImageFile>, FindError> {
    let paths = find::find(words, &IMAGES)?;
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
