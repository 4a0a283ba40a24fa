//! [`WeightsFile`]: a weights file of any supported format.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::classifier::{self, Classifier};
use super::entry::{Entry, Stored};
use super::error::{WeightsError, WeightsErrorKind};
use super::guess;
use super::names::{self, Found, Root};
use super::reparametrized;
use super::sniff::{self, Format};
use super::source::Source;
use super::torch::{self, Checkpoint};
use super::{burnpack, foreign, hash, safetensors};

/// How many names of another network's file a message shows.
const FIRST_NAMES: usize = 4;

/// A weights file whose tensors have torchvision's names. They are read one by one.
///
/// All methods may be called from several threads at once.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    source: Source,
    format: Format,
    root: Root,
    /// Prefixes of other networks in the file.
    others: Vec<String>,
    classifier: Classifier,
    /// Everything in the file, in its order.
    entries: Vec<Entry>,
    /// Where in `entries` a tensor of the network is.
    index: HashMap<String, usize>,
}

impl WeightsFile {
    /// Opens a file and reads its header; no tensor is read yet.
    ///
    /// # Errors
    ///
    /// The file is unreadable, of an unknown format, truncated or damaged, or holds a pickle that
    /// would run code, tensors of another network, or several networks that are as good.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        Self::open_under(path, None)
    }

    /// Like [`open`](Self::open), for a file that holds several networks: the one under `key`, a
    /// dotted path of keys (`ema`, `ema.module`).
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); there is no network under `key`, or more than one.
    pub fn open_under(path: impl AsRef<Path>, key: Option<&str>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        Self::open_inner(path, key).map_err(|kind| WeightsError::new(path, kind))
    }

    fn open_inner(path: &Path, key: Option<&str>) -> Result<Self, WeightsErrorKind> {
        let source = Source::open(path)?;
        if let Some(part) = foreign::part(path) {
            return Err(WeightsErrorKind::NotWeights(part));
        }
        let format = sniff::format(&source, path)?;
        let checkpoint = match format {
            Format::Safetensors => Checkpoint::flat(safetensors::open(&source)?),
            Format::BurnPack => Checkpoint::flat(burnpack::open(path)?),
            _ => torch::open(&source, format)?,
        };
        let Found { root, others } = find(&checkpoint, format, key)?;
        let tensors = checkpoint.tensors.into_iter();
        let mut entries: Vec<Entry> = tensors
            .map(|tensor| Entry::new(root.name(tensor.spelled()), tensor))
            .collect();
        reparametrized::join(&mut entries).map_err(|name| {
            WeightsErrorKind::NotWeights(format!(
                "`{name}` is stored in parts that vggscope cannot put together; in Python, save the state dict after \
                 torch.nn.utils.parametrize.remove_parametrizations (or prune.remove, remove_weight_norm) on its layer"
            ))
        })?;
        let classifier = classifier::find(&mut entries);
        let whole = entries.iter().enumerate();
        let index = whole
            .filter(|(_, entry)| entry.stored != Stored::Part)
            .filter_map(|(at, entry)| Some((entry.name.clone()?, at)))
            .collect();
        Ok(Self {
            path: path.to_path_buf(),
            source,
            format,
            root,
            others,
            classifier,
            entries,
            index,
        })
    }

    /// The file, as it was given to [`WeightsFile::open`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format, which the file's content decided.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The prefix of torchvision's names in the file (`state_dict.module.`); may be empty.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.root.prefix
    }

    /// The network's tensors, in the file's order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let is_whole = |entry: &&Entry| entry.name.is_some() && entry.stored != Stored::Part;
        self.entries.iter().filter(is_whole)
    }

    /// The prefixes of other networks in the file, as [`open_under`](Self::open_under) takes them.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|other| other.trim_end_matches('.'))
    }

    /// What stands behind the feature maps.
    pub(crate) fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// One tensor of the network, by torchvision's name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).and_then(|&at| self.entries.get(at))
    }

    /// Everything in the file that `needed` does not name: other layers of the network, an
    /// optimizer's state, a copy of the weights.
    pub fn unused<'a, N: AsRef<str>>(
        &'a self,
        needed: &'a [N],
    ) -> impl Iterator<Item = &'a Entry> + 'a {
        let is_needed = |name: &str| needed.iter().any(|needed| needed.as_ref() == name);
        self.entries
            .iter()
            .filter(move |entry| !entry.name.as_deref().is_some_and(is_needed))
    }

    /// Checks that a tensor is there, has this shape and holds floating-point numbers.
    ///
    /// # Errors
    ///
    /// [`WeightsErrorKind::Missing`], [`WeightsErrorKind::Shape`], [`WeightsErrorKind::NotFloat`].
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<&Entry, WeightsError> {
        let entry = self.find(name)?;
        if entry.shape() != shape {
            return Err(self.error(WeightsErrorKind::Shape {
                name: entry.raw_name().to_owned(),
                expected: shape.to_vec(),
                found: entry.shape().to_vec(),
            }));
        }
        Ok(entry)
    }

    /// The shape of a tensor of the network.
    ///
    /// # Errors
    ///
    /// [`WeightsErrorKind::Missing`], [`WeightsErrorKind::NotFloat`].
    pub fn shape(&self, name: &str) -> Result<&[usize], WeightsError> {
        Ok(self.find(name)?.shape())
    }

    /// Reads a tensor, row-major, whatever its type in the file. Only its own bytes are read.
    ///
    /// NaN and infinite values are returned as they are.
    ///
    /// # Errors
    ///
    /// [`WeightsErrorKind::Missing`], [`WeightsErrorKind::NotFloat`], [`WeightsErrorKind::Tensor`].
    pub fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let entry = self.find(name)?;
        let part = |at: usize| self.entries[at].tensor.read();
        entry.read(part).map_err(|source| {
            self.error(WeightsErrorKind::Tensor {
                name: entry.raw_name().to_owned(),
                source,
            })
        })
    }

    /// SHA-256 of the whole file, as `sha256sum` prints it.
    ///
    /// # Errors
    ///
    /// [`WeightsErrorKind::Io`].
    pub fn fingerprint(&self) -> Result<String, WeightsError> {
        hash::sha256(&mut self.source.whole())
            .map_err(|error| self.error(WeightsErrorKind::Io(error)))
    }

    fn find(&self, name: &str) -> Result<&Entry, WeightsError> {
        let entry = self.get(name).ok_or_else(|| {
            let raw = self.root.raw(name);
            let names = self.entries().map(Entry::raw_name);
            self.error(WeightsErrorKind::Missing {
                near: guess::nearest(&raw, names),
                name: raw,
            })
        })?;
        if entry.dtype().size().is_none() {
            return Err(self.error(WeightsErrorKind::NotFloat {
                name: entry.raw_name().to_owned(),
                found: entry.dtype().to_string(),
            }));
        }
        Ok(entry)
    }

    fn error(&self, kind: WeightsErrorKind) -> WeightsError {
        WeightsError::new(&self.path, kind)
    }
}

/// Finds the network in a checkpoint, or says what is there instead.
fn find(
    checkpoint: &Checkpoint,
    format: Format,
    key: Option<&str>,
) -> Result<Found, WeightsErrorKind> {
    let tensors = &checkpoint.tensors;
    // `pickle.dump` writes torch's tensors as bytes that hold another file; NumPy's arrays are there.
    let is_dumped = format == Format::Pickle && tensors.iter().all(|t| t.dtype.size().is_none());
    match names::find(tensors, key).map_err(WeightsErrorKind::Ambiguous)? {
        _ if is_dumped => Err(WeightsErrorKind::NotWeights(
            "is a plain pickle: save the state dict with torch.save, not with pickle.dump".into(),
        )),
        Some(found) => Ok(found),
        None => Err(match (key, names::find(tensors, None)) {
            (Some(key), Ok(Some(found))) => {
                let others = found.others.into_iter();
                let there = std::iter::once(found.root.prefix).chain(others);
                WeightsErrorKind::NoKey {
                    key: key.to_owned(),
                    found: there.collect(),
                }
            }
            (Some(key), Err(found)) => WeightsErrorKind::NoKey {
                key: key.to_owned(),
                found,
            },
            (_, _) => WeightsErrorKind::NotWeights(describe_tensors(checkpoint)),
        }),
    }
}

/// What a checkpoint without a network holds instead.
fn describe_tensors(checkpoint: &Checkpoint) -> String {
    let names = checkpoint.tensors.iter().map(|tensor| tensor.name.as_str());
    // A tensor at the root has no name.
    if names.clone().all(str::is_empty) {
        return format!(
            "holds {}, not a state dict; in Python, `torch.save(model.state_dict(), \"weights.pth\")` writes one",
            checkpoint.root
        );
    }
    let first: Vec<&str> = names.clone().take(FIRST_NAMES).collect();
    format!(
        "has no `features.0.weight`: {}; vggscope runs torchvision's VGG (first names in the file: {})",
        guess::guess(&names),
        first.join(", ")
    )
}
