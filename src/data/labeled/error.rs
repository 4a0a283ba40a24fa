//! What keeps images from becoming batches.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::order::Position;
use crate::data::error::LoadError;
use crate::data::find::FindError;

#[derive(Debug, Error)]
pub(crate) enum DatasetError {
    #[error("{path}: there is no such folder")]
    Missing { path: PathBuf },
    #[error("{path}: this is a file; name the folder that holds a folder of images for each class")]
    NotAFolder { path: PathBuf },
    #[error("{0}")]
    Unreadable(#[from] FindError),
    #[error(
        "{path}: no class folders in it; expected a folder of images for each class, CLASS/*.jpg, or train/CLASS/*.jpg and val/CLASS/*.jpg"
    )]
    NoClasses { path: PathBuf },
    #[error(
        "{path}: its {images} images lie directly in it; put them into a folder for each class, which gives the class its name"
    )]
    ImagesDirectly { path: PathBuf, images: usize },
    #[error(
        "{class}: the only class folder in its folder; a classifier needs at least 2 classes; add another, or name the folder that holds the class folders"
    )]
    OneClass { class: PathBuf },
    #[error(
        "{path}: no image of this class; looked for files ending in {extensions}, in folders below it too, hidden ones skipped; add images, or move the folder away"
    )]
    EmptyClass { path: PathBuf, extensions: String },
    #[error(
        "{path}: this class is not among those in the train folder next to it; add it there, or move this folder away"
    )]
    NotInTrain { path: PathBuf },
    #[error(
        "{path}: no images to validate this class with; expected some in {expected}; add them, or move the class away"
    )]
    NotInVal { path: PathBuf, expected: PathBuf },
    #[error(
        "{first} and {second}: two classes whose names look alike but are stored in two Unicode forms, as macOS and \
         other systems write them; give both the same name"
    )]
    LookAlike { first: PathBuf, second: PathBuf },
    #[error("{found}: expected {missing} next to it{}; make it, or name {found} itself to have it split", if others.is_empty() { String::new() } else { format!(", found {others}") })]
    LonePart {
        found: PathBuf,
        missing: PathBuf,
        others: String,
    },
    #[error("{fraction}: the validation fraction must be between 0 and 1, such as 0.1")]
    Fraction { fraction: f64 },
    #[error("{path}: every class has a single image, so none is left for validation; add images")]
    NothingToSplit { path: PathBuf },
}

#[derive(Debug, Error)]
pub(crate) enum LoaderError {
    #[error("{0}")]
    Image(#[from] LoadError),
    #[error("{path}: {} x {} pixels after preprocessing, and {} x {} for {other}, which is in the same batch", size[0], size[1], other_size[0], other_size[1])]
    Sizes {
        path: PathBuf,
        size: [usize; 2],
        other: PathBuf,
        other_size: [usize; 2],
    },
    #[error("none of the images can be read; the first: {first}")]
    NothingReadable { first: String },
    #[error(
        "a thread that loads images crashed, which is a bug; please report it with the command you ran"
    )]
    Stopped,
    #[error("there are no samples to make batches of; name a data set with images")]
    NoSamples,
    #[error("training cannot resume from batch {} of epoch {}: an epoch has {batches} batches now", from.batch, from.epoch)]
    NoSuchPosition { from: Position, batches: u64 },
    #[error("{threads} threads for loading images cannot be started; choose fewer")]
    Threads {
        threads: usize,
        #[source]
        source: io::Error,
    },
}
