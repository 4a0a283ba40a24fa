//! What keeps a folder from being a data set.

use std::path::PathBuf;

use thiserror::Error;

use crate::data::find::FindError;

/// What keeps a folder from being a data set.
#[derive(Debug, Error)]
pub(crate) enum DatasetError {
    #[error("{}: there is no such folder; check the path of the data set", path.display())]
    Missing { path: PathBuf },
    #[error(
        "{}: this is a file; name the folder that holds a folder of images for each class",
        path.display()
    )]
    NotAFolder { path: PathBuf },
    #[error("{0}")]
    Unreadable(#[from] FindError),
    #[error(
        "{}: no class folders in it; expected a folder of images for each class, CLASS/*.jpg, or \
         train/CLASS/*.jpg and val/CLASS/*.jpg",
        path.display()
    )]
    NoClasses { path: PathBuf },
    #[error(
        "{}: its {images} images lie directly in it; put them into a folder for each class, which \
         gives the class its name",
        path.display()
    )]
    ImagesDirectly { path: PathBuf, images: usize },
    #[error(
        "{}: the only class folder in its folder; a classifier needs at least 2 classes; add another, or name the folder that holds the class folders",
        class.display()
    )]
    OneClass { class: PathBuf },
    #[error(
        "{}: no image of this class; looked for files ending in {extensions}, in folders below it \
         too, hidden ones skipped; add images, or move the folder away",
        path.display()
    )]
    EmptyClass { path: PathBuf, extensions: String },
    #[error(
        "{}: this class is not among those in the train folder next to it; add it there, or move \
         this folder away",
        path.display()
    )]
    NotInTrain { path: PathBuf },
    #[error(
        "{}: no images to validate this class with; expected some in {}; add them, or move the \
         class away",
        path.display(),
        expected.display()
    )]
    NotInVal { path: PathBuf, expected: PathBuf },
    #[error(
        "{}: expected {} next to it{}; make it, or name {} itself to have it split",
        found.display(),
        missing.display(),
        if others.is_empty() { String::new() } else { format!(", found {others}") },
        found.display()
    )]
    LonePart {
        found: PathBuf,
        missing: PathBuf,
        others: String,
    },
    #[error("{fraction}: the validation fraction must be between 0 and 1, such as 0.1")]
    Fraction { fraction: f64 },
    #[error(
        "{}: every class has a single image, so none is left for validation; add images",
        path.display()
    )]
    NothingToSplit { path: PathBuf },
}
