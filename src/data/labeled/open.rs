//! A folder with a folder of images for each class -> samples for training and validation.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use icu_normalizer::ComposingNormalizerBorrowed;

use super::error::DatasetError;
use super::layout::{Layout, folders};
use super::order::Split;
use crate::data::find::{self, FindError, LeftOut};
use crate::data::wanted::IMAGES;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
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
    pub(crate) notes: Vec<String>,
    pub(crate) left_out: LeftOut,
}

impl Dataset {
    /// Lists the images of a data set, as docs/files.md says; nothing is opened yet. Classes in `order` come first.
    pub(crate) fn open(root: &Path, split: Split, order: &[String]) -> Result<Self, DatasetError> {
        let path = root.to_path_buf();
        match root.metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(DatasetError::NotAFolder { path }),
            Err(error) if find::is_absent(&error) => return Err(DatasetError::Missing { path }),
            Err(source) => return Err(find::unreadable(root, source).into()),
        }
        let (mut notes, mut left_out) = (Vec::new(), LeftOut::default());
        let layout = Layout::of(root, &mut notes, &mut left_out)?;
        let mut classes_in = |folder: &Path| classes_in(folder, order, &mut left_out);
        let fraction = split.fraction;
        if layout.val.is_none() && !(fraction > 0.0 && fraction < 1.0) {
            return Err(DatasetError::Fraction { fraction });
        }
        let mut train = classes_in(&layout.train)?;
        if let [only] = &*train {
            let class = only.folder.clone();
            return Err(DatasetError::OneClass { class });
        }
        let val = if let Some(folder) = layout.val {
            let val = classes_in(&folder)?;
            check_names(train.iter().chain(&val))?;
            check_same(&train, &folder, &val)?;
            val
        } else {
            check_names(train.iter())?;
            let val = set_apart(&mut train, split);
            if val.iter().all(|class| class.images.is_empty()) {
                let path = layout.train;
                return Err(DatasetError::NothingToSplit { path });
            }
            val
        };
        let name = |class: &Class| class.name.to_string_lossy().into_owned();
        Ok(Self {
            classes: train.iter().map(name).collect(),
            train: samples(train),
            val: samples(val),
            notes,
            left_out,
        })
    }
}

struct Class {
    name: OsString,
    folder: PathBuf,
    images: Vec<PathBuf>,
}

/// Takes the images that are for validation out of the classes.
fn set_apart(classes: &mut [Class], split: Split) -> Vec<Class> {
    let apart = |(number, class): (usize, &mut Class)| {
        let mut chosen = split.choose(number, class.images.len()).into_iter();
        let for_val = |_: &mut PathBuf| chosen.next() == Some(true);
        Class {
            name: class.name.clone(),
            folder: class.folder.clone(),
            images: class.images.extract_if(.., for_val).collect(),
        }
    };
    classes.iter_mut().enumerate().map(apart).collect()
}

fn samples(classes: Vec<Class>) -> Vec<Sample> {
    let samples = |(class, found): (usize, Class)| {
        let images = found.images.into_iter();
        images.map(move |path| Sample { path, class })
    };
    classes.into_iter().enumerate().flat_map(samples).collect()
}

/// The classes in a folder, each with its images; one at least, none of them empty.
fn classes_in(
    root: &Path,
    order: &[String],
    left_out: &mut LeftOut,
) -> Result<Vec<Class>, DatasetError> {
    let path = root.to_path_buf();
    let mut folders = folders(root, left_out)?;
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
            0 => match find::empty(path, &IMAGES) {
                FindError::EmptyFolder { path, .. } => DatasetError::NoClasses { path },
                other => other.into(),
            },
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

/// Checks that no two names are the same text in two of Unicode's normalization forms.
fn check_names<'a>(classes: impl Iterator<Item = &'a Class>) -> Result<(), DatasetError> {
    let mut seen: HashMap<_, &Class> = HashMap::new();
    for class in classes {
        let name = class.name.to_string_lossy();
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&name);
        let other = seen.entry(composed.into_owned()).or_insert(class);
        if other.name != class.name {
            return Err(DatasetError::LookAlike {
                first: other.folder.clone(),
                second: class.folder.clone(),
            });
        }
    }
    Ok(())
}

/// Checks that training and validation have the same classes; their order then makes them the same
/// at each place.
fn check_same(train: &[Class], val_folder: &Path, val: &[Class]) -> Result<(), DatasetError> {
    let names = |classes: &[Class]| -> HashSet<OsString> {
        classes.iter().map(|class| class.name.clone()).collect()
    };
    let (in_train, in_val) = (names(train), names(val));
    if let Some(extra) = val.iter().find(|class| !in_train.contains(&class.name)) {
        let path = extra.folder.clone();
        return Err(DatasetError::NotInTrain { path });
    }
    if let Some(missing) = train.iter().find(|class| !in_val.contains(&class.name)) {
        return Err(DatasetError::NotInVal {
            path: missing.folder.clone(),
            expected: val_folder.join(&missing.name),
        });
    }
    Ok(())
}
