//! What keeps a folder from being a data set.

use std::path::PathBuf;

use thiserror::Error;

use crate::input::find::FindError;

/// What keeps a folder from being a data set.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The path leads nowhere.
    #[error("{}: there is no such folder; check the path of the data set", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The path leads to a file.
    #[error(
        "{}: this is a file; name the folder that holds a folder of images for each class",
        path.display()
    )]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A folder or a file that is there but cannot be looked into.
    #[error(transparent)]
    Unreadable(#[from] FindError),
    /// No folders to be classes, and no images either.
    #[error(
        "{}: no class folders in it; expected a folder of images for each class, CLASS/*.jpg, or \
         train/CLASS/*.jpg and val/CLASS/*.jpg",
        path.display()
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
    },
    /// Images where the classes' folders should be.
    #[error(
        "{}: its {images} images lie directly in it; put them into a folder for each class, which \
         gives the class its name",
        path.display()
    )]
    ImagesDirectly {
        /// The folder.
        path: PathBuf,
        /// How many images are in it.
        images: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "{}: the only class folder in its folder; there is nothing to tell apart with fewer than 2 \
         classes, add another, or name the folder that holds the class folders",
        class.display()
    )]
    OneClass {
        /// Its folder.
        class: PathBuf,
    },
    /// A class's folder without images.
    #[error(
        "{}: no image of this class; looked for files ending in {extensions}, in folders below it \
         too, hidden ones skipped; add images, or move the folder away",
        path.display()
    )]
    EmptyClass {
        /// The class's folder.
        path: PathBuf,
        /// The endings that would have been taken.
        extensions: String,
    },
    /// A class that could be validated but never learnt.
    #[error(
        "{}: this class is not among those in the train folder beside it; add it there, or move \
         this folder away",
        path.display()
    )]
    NotInTrain {
        /// The class's folder in the validation part.
        path: PathBuf,
    },
    /// A class that is learnt but not validated.
    #[error(
        "{}: no images to validate this class with; expected some in {}; add them, or move the \
         class away",
        path.display(),
        expected.display()
    )]
    NotInVal {
        /// The class's folder in the training part.
        path: PathBuf,
        /// Where its validation images should be.
        expected: PathBuf,
    },
    /// One of `train` and `val`, and not the other.
    #[error(
        "{}: expected {} beside it{}; make it, or name {} itself to have it split",
        found.display(),
        missing.display(),
        if others.is_empty() { String::new() } else { format!(", found {others}") },
        found.display()
    )]
    LonePart {
        /// The part that is there.
        found: PathBuf,
        /// The one that is not.
        missing: PathBuf,
        /// The other folders in their place, in words.
        others: String,
    },
    /// A share that leaves one side without images.
    #[error("{fraction}: the share for validation must lie between 0 and 1, such as 0.1")]
    Fraction {
        /// The share.
        fraction: f64,
    },
    /// No class has an image to spare.
    #[error(
        "{}: every class has a single image, so none can be put aside for validation; add images",
        path.display()
    )]
    NothingToSplit {
        /// The folder.
        path: PathBuf,
    },
}
