//! A folder with a folder of images for each class -> samples for training and validation.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::folders::folders;
use super::layout::Layout;
use super::problem::DatasetError;
use super::split::Split;
use crate::data::find::{self, LeftOut};
use crate::data::list::IMAGES;

/// An image and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The file.
    pub(crate) path: PathBuf,
    /// The class: a place in [`Dataset::classes`].
    pub(crate) class: usize,
}

/// Labeled images, apart for training and validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dataset {
    /// The names of the classes; two at least.
    pub(crate) classes: Vec<String>,
    /// Images to train with, by class and then in natural order; some of each class.
    pub(crate) train: Vec<Sample>,
    /// Images to validate with, in the same order; never empty.
    pub(crate) val: Vec<Sample>,
    /// What is to be said of the folders.
    pub(crate) notes: Vec<String>,
    /// What the classes' folders hold besides images.
    pub(crate) left_out: LeftOut,
}

impl Dataset {
    /// Lists the images of a data set, in one of two layouts:
    ///
    /// - `root/train/<class>/…` and `root/val/<class>/…`, with the same classes in both, or as [`Layout`]
    ///   finds them;
    /// - `root/<class>/…`, of which `split` reserves a fraction of each class for validation. A
    ///   class with one image has none for validation.
    ///
    /// The classes are the folders' names: first those in `order`, then the others as PyTorch's `ImageFolder`
    /// numbers them, by code point (`class10` before `class2`, `B` before `a`). A class's images are the files
    /// in its folder, and in all folders below it, that [`IMAGES`] describes, in natural order; hidden files
    /// and folders are skipped, links followed, files next to the classes' folders ignored. Nothing is opened
    /// yet.
    ///
    /// A folder `train` that holds no folders, with no `val` next to it, is a class like others.
    pub(crate) fn open(root: &Path, split: Split, order: &[String]) -> Result<Self, DatasetError> {
        check_folder(root)?;
        let mut notes = Vec::new();
        let dataset = match Layout::of(root, &mut notes)? {
            Layout::Apart { train, val } => two_parts(&train, &val, order)?,
            Layout::Together(folder) => one_part(&folder, split, order)?,
        };
        Ok(Self { notes, ..dataset })
    }
}

/// A class's folder and its images.
struct Class {
    name: OsString,
    folder: PathBuf,
    images: Vec<PathBuf>,
}

fn check_folder(root: &Path) -> Result<(), DatasetError> {
    let path = root.to_path_buf();
    match root.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(DatasetError::NotAFolder { path }),
        Err(error) if find::is_absent(&error) => Err(DatasetError::Missing { path }),
        Err(source) => Err(find::unreadable(root, source).into()),
    }
}

fn two_parts(train: &Path, val: &Path, order: &[String]) -> Result<Dataset, DatasetError> {
    let mut left_out = LeftOut::new();
    let train_classes = classes_in(train, order, &mut left_out)?;
    check_count(&train_classes)?;
    let val_classes = classes_in(val, order, &mut left_out)?;
    same_classes(&train_classes, val, &val_classes)?;
    Ok(Dataset {
        classes: names(&train_classes),
        train: all_samples(&train_classes),
        val: all_samples(&val_classes),
        notes: Vec::new(),
        left_out,
    })
}

fn one_part(root: &Path, split: Split, order: &[String]) -> Result<Dataset, DatasetError> {
    if !(split.fraction > 0.0 && split.fraction < 1.0) {
        return Err(DatasetError::Fraction {
            fraction: split.fraction,
        });
    }
    let mut left_out = LeftOut::new();
    let classes = classes_in(root, order, &mut left_out)?;
    check_count(&classes)?;
    let (mut train, mut val) = (Vec::new(), Vec::new());
    for (class, found) in classes.iter().enumerate() {
        let chosen = split.choose(class, found.images.len());
        for (sample, for_val) in samples(class, &found.images).zip(chosen) {
            if for_val { &mut val } else { &mut train }.push(sample);
        }
    }
    if val.is_empty() {
        return Err(DatasetError::NothingToSplit {
            path: root.to_path_buf(),
        });
    }
    Ok(Dataset {
        classes: names(&classes),
        train,
        val,
        notes: Vec::new(),
        left_out,
    })
}

fn all_samples(classes: &[Class]) -> Vec<Sample> {
    let classes = classes.iter().enumerate();
    classes
        .flat_map(|(class, found)| samples(class, &found.images))
        .collect()
}

fn samples(class: usize, images: &[PathBuf]) -> impl Iterator<Item = Sample> {
    images.iter().map(move |path| Sample {
        path: path.clone(),
        class,
    })
}

fn names(classes: &[Class]) -> Vec<String> {
    let name = |class: &Class| class.name.to_string_lossy().into_owned();
    classes.iter().map(name).collect()
}

fn check_count(classes: &[Class]) -> Result<(), DatasetError> {
    match classes {
        [class] => Err(DatasetError::OneClass {
            class: class.folder.clone(),
        }),
        _ => Ok(()),
    }
}

/// The classes in a folder, each with its images; one at least, none of them empty.
fn classes_in(
    root: &Path,
    order: &[String],
    left_out: &mut LeftOut,
) -> Result<Vec<Class>, DatasetError> {
    let path = root.to_path_buf();
    let mut folders = folders(root)?;
    // Stable: what is not in the order keeps its own.
    folders.sort_by_key(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let place = order.iter().position(|class| *class == name);
        place.unwrap_or(order.len())
    });
    if folders.is_empty() {
        // Only in the folder itself: below it there is nothing but what is hidden.
        let images = find::walk(root, &IMAGES, left_out)?.len();
        return Err(match images {
            0 => DatasetError::NoClasses { path },
            _ => DatasetError::ImagesDirectly { path, images },
        });
    }
    let class = |folder: PathBuf| {
        let images = find::walk(&folder, &IMAGES, left_out)?;
        if images.is_empty() {
            return Err(DatasetError::EmptyClass {
                path: folder,
                extensions: IMAGES.endings(),
            });
        }
        Ok(Class {
            name: folder.file_name().unwrap_or_default().to_owned(),
            folder,
            images,
        })
    };
    folders.into_iter().map(class).collect()
}

/// Checks that training and validation have the same classes; their order then makes them the same
/// at each place.
fn same_classes(train: &[Class], val_folder: &Path, val: &[Class]) -> Result<(), DatasetError> {
    let names = |classes: &[Class]| -> HashSet<OsString> {
        classes.iter().map(|class| class.name.clone()).collect()
    };
    let (in_train, in_val) = (names(train), names(val));
    if let Some(extra) = val.iter().find(|class| !in_train.contains(&class.name)) {
        return Err(DatasetError::NotInTrain {
            path: extra.folder.clone(),
        });
    }
    if let Some(missing) = train.iter().find(|class| !in_val.contains(&class.name)) {
        return Err(DatasetError::NotInVal {
            path: missing.folder.clone(),
            expected: val_folder.join(&missing.name),
        });
    }
    Ok(())
}
