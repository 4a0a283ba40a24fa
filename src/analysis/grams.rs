//! The Gram matrices of a run, a file a step next to its event file: `RUN/grams/000012.safetensors`. Runs are compared
//! from them without a forward pass.
//!
//! Each layer is a tensor F32 `[values]` under its tag, `05_conv2_1`: its Gram matrices, minibatch after minibatch, row
//! by row. The metadata say what the images were.
//!
//! Source: <https://github.com/huggingface/safetensors>.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, serialize};
use thiserror::Error;

use super::similarity::Gram;
use crate::durable;
use crate::weights::{Source, WeightsError, safetensors_header};

pub(crate) const GRAMS: &str = "grams";

/// The version of what the tensors mean, and its key, which other files do not have.
const VERSION: &str = "2";
const VERSION_KEY: &str = "vggscope-grams";

pub(crate) type Grams = BTreeMap<String, Gram>;

/// What a run's Gram matrices are of. Those of two runs can be compared where all but the network is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GramsAbout {
    /// SHA-256 over the SHA-256 of all images in their order.
    pub(crate) images: String,
    pub(crate) minibatches: Vec<usize>,
    pub(crate) preprocess: String,
    /// What an image is compared by: `flattened` or `mean-pooled`.
    pub(crate) features: String,
    pub(crate) arch: String,
}

#[derive(Debug, Error)]
pub(crate) enum GramsError {
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{0}")]
    File(#[from] WeightsError),
    #[error("{path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
    #[error("{path} has the format {found}, and this vggscope reads {VERSION}")]
    Version { path: PathBuf, found: String },
    #[error("{path} is of other images, or of the same in another form, than the files next to it")]
    OtherImages { path: PathBuf },
}

pub(crate) struct GramsWriter {
    folder: PathBuf,
    about: GramsAbout,
    /// Whether there are steps from before, and none had to go.
    pub(crate) is_whole: bool,
}

impl GramsWriter {
    /// Out of the folder go the steps from `first` on, and all that are damaged or of other images or layers.
    pub(crate) fn open(
        folder: PathBuf,
        about: GramsAbout,
        layers: &[String],
        first: i64,
    ) -> Result<Self, GramsError> {
        durable::remove_unfinished(&folder, |_| false);
        let is_same =
            |file: GramsFile| file.about == about && file.layers().eq(layers.iter().cloned());
        let (mut kept, mut lost) = (0, 0);
        for (step, path) in steps(&folder)? {
            let is_earlier = step < first;
            if is_earlier && GramsFile::open(&path).is_ok_and(is_same) {
                kept += 1;
                continue;
            }
            lost += usize::from(is_earlier);
            fs::remove_file(&path).map_err(|source| write_failed(&path, source))?;
        }
        Ok(Self {
            folder,
            about,
            is_whole: kept > 0 && lost == 0,
        })
    }

    pub(crate) fn write(&self, step: i64, grams: &Grams) -> Result<(), GramsError> {
        let path = self.folder.join(format!("{step:06}.safetensors"));
        let bytes = |gram: &Gram| gram.values().flat_map(f32::to_le_bytes).collect();
        let bytes: Vec<Vec<u8>> = grams.values().map(bytes).collect();
        let serialized = || {
            let view = |bytes| TensorView::new(Dtype::F32, vec![Vec::<u8>::len(bytes) / 4], bytes);
            let views = bytes.iter().map(view).collect::<Result<Vec<_>, _>>()?;
            let metadata = Some(self.about.metadata());
            serialize(grams.keys().zip(views), metadata)
        };
        let write = || {
            durable::make_folder(&self.folder)?;
            // Not by the crate, whose files nobody else may read.
            let bytes = serialized().map_err(io::Error::other)?;
            durable::write(&path, |part| fs::write(part, bytes))
        };
        write().map_err(|source| write_failed(&path, source))
    }
}

pub(crate) struct GramsReader {
    pub(crate) about: GramsAbout,
    pub(crate) layers: Vec<String>,
    files: BTreeMap<i64, PathBuf>,
}

impl GramsReader {
    /// Those in this folder; `None` where it is missing or empty. The run may still go on.
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>, GramsError> {
        let files = steps(folder)?;
        let mut paths = files.values();
        let Some(path) = paths.next() else {
            return Ok(None);
        };
        let first = GramsFile::open(path)?;
        for path in paths {
            if !GramsFile::open(path)?.about.is_alike(&first.about) {
                return Err(GramsError::OtherImages { path: path.clone() });
            }
        }
        Ok(Some(Self {
            layers: first.layers().collect(),
            about: first.about,
            files,
        }))
    }

    pub(crate) fn steps(&self) -> impl DoubleEndedIterator<Item = i64> {
        self.files.keys().copied()
    }

    /// A layer's Gram matrices at a step; `None` where one of both is missing.
    pub(crate) fn gram(&self, layer: &str, step: i64) -> Result<Option<Gram>, GramsError> {
        let Some(path) = self.files.get(&step) else {
            return Ok(None);
        };
        GramsFile::open(path)?.gram(layer)
    }
}

pub(crate) fn first_without_grams(folder: &Path, all: &[i64]) -> Option<i64> {
    let files = steps(folder).unwrap_or_default();
    let is_whole = |path: &PathBuf| GramsFile::open(path).is_ok();
    let lacks = |step: &&i64| !files.get(step).is_some_and(is_whole);
    all.iter().find(lacks).copied()
}

pub(crate) fn copy_grams(from: &Path, to: &Path) -> Result<(), GramsError> {
    for path in steps(from)?.into_values() {
        let to = to.join(path.file_name().unwrap_or_default());
        let copied = durable::make_folder(to.parent().unwrap_or(Path::new("")))
            .and_then(|()| durable::write(&to, |part| fs::copy(&path, part).map(drop)));
        copied.map_err(|source| write_failed(&to, source))?;
    }
    Ok(())
}

fn steps(folder: &Path) -> Result<BTreeMap<i64, PathBuf>, GramsError> {
    let find = || {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let step = name.and_then(|name| name.strip_suffix(".safetensors")?.parse().ok());
            if let Some(step) = step {
                files.insert(step, path);
            }
        }
        Ok::<_, io::Error>(files)
    };
    match find() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        found => found.map_err(|source| read_failed(folder, source)),
    }
}

/// The file of a step, of which all but the matrices is read.
struct GramsFile {
    file: Source,
    path: PathBuf,
    header: Metadata,
    /// Where the tensors begin. Units: bytes.
    data: u64,
    about: GramsAbout,
}

impl GramsFile {
    fn open(path: &Path) -> Result<Self, GramsError> {
        let damaged = |why| damaged(path, why);
        let (file, header, data) = safetensors_header(path)?;
        let texts = header.metadata().as_ref();
        match texts.and_then(|texts| texts.get(VERSION_KEY)) {
            Some(version) if version == VERSION => {}
            Some(version) => {
                return Err(GramsError::Version {
                    path: path.to_owned(),
                    found: version.clone(),
                });
            }
            None => return Err(damaged("it holds no Gram matrices".to_owned())),
        }
        Ok(Self {
            about: GramsAbout::parse(&header).map_err(damaged)?,
            path: path.to_owned(),
            file,
            header,
            data,
        })
    }

    fn layers(&self) -> impl Iterator<Item = String> {
        self.header.offset_keys().into_iter()
    }

    fn gram(&self, layer: &str) -> Result<Option<Gram>, GramsError> {
        let Some(info) = self.header.info(layer) else {
            return Ok(None);
        };
        let squares = self.about.minibatches.iter();
        let squares = squares.map(|images| images.saturating_mul(*images));
        let values = squares.clone().fold(0, usize::saturating_add);
        let (dtype, shape) = (info.dtype, &info.shape);
        if (dtype, &shape[..]) != (Dtype::F32, &[values]) {
            let why = format!("`{layer}` is {dtype:?} {shape:?}, expected F32 [{values}]");
            return Err(damaged(&self.path, why));
        }
        // The header was checked: the file has them, unless it became shorter.
        let mut bytes = vec![0; values * 4];
        let start = self.data + info.data_offsets.0 as u64;
        let mut part = self.file.part(start, bytes.len() as u64);
        let read = part.read_exact(&mut bytes);
        read.map_err(|source| read_failed(&self.path, source))?;
        let mut values = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
        let blocks = squares.map(|count| values.by_ref().take(count).collect());
        Ok(Some(Gram::new(blocks)))
    }
}

impl GramsAbout {
    pub(crate) fn count(&self) -> usize {
        let sizes = self.minibatches.iter().copied();
        sizes.fold(0, usize::saturating_add)
    }

    fn is_alike(&self, other: &Self) -> bool {
        let arch = self.arch.clone();
        let like_this = Self {
            arch,
            ..other.clone()
        };
        *self == like_this
    }

    fn metadata(&self) -> HashMap<String, String> {
        let sizes: Vec<String> = self.minibatches.iter().map(ToString::to_string).collect();
        let texts = [
            (VERSION_KEY, VERSION.to_owned()),
            ("minibatches", sizes.join(",")),
            ("images", self.images.clone()),
            ("image-count", self.count().to_string()),
            ("preprocess", self.preprocess.clone()),
            ("features", self.features.clone()),
            ("arch", self.arch.clone()),
        ];
        texts.map(|(key, text)| (key.to_owned(), text)).into()
    }

    fn parse(header: &Metadata) -> Result<Self, String> {
        let text = |key: &str| {
            let texts = header.metadata().as_ref();
            let found = texts.and_then(|texts| texts.get(key)).cloned();
            found.ok_or_else(|| format!("its metadata have no `{key}`"))
        };
        let sizes = text("minibatches")?;
        let sizes: Result<Vec<usize>, _> = sizes.split(',').map(str::parse).collect();
        let about = Self {
            images: text("images")?,
            minibatches: sizes.map_err(|_| "`minibatches` must be numbers".to_owned())?,
            preprocess: text("preprocess")?,
            features: text("features")?,
            arch: text("arch")?,
        };
        let (images, count) = (about.count(), text("image-count")?);
        if count != images.to_string() {
            return Err(format!("its minibatches have {images} images, not {count}"));
        }
        Ok(about)
    }
}

fn read_failed(path: &Path, source: io::Error) -> GramsError {
    let path = path.to_owned();
    GramsError::Read { path, source }
}

fn write_failed(path: &Path, source: io::Error) -> GramsError {
    let path = path.to_owned();
    GramsError::Write { path, source }
}

fn damaged(path: &Path, why: String) -> GramsError {
    let path = path.to_owned();
    GramsError::Damaged { path, why }
}

#[cfg(test)]
mod tests;
