//! [`WeightsFile`]: a weights file of any supported format.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::dtype::DType;
use super::error::{WeightsError, WeightsErrorKind};
use super::guess;
use super::names::{self, Root};
use super::sniff::{self, Format};
use super::source::Source;
use super::tensor::RawTensor;
use super::torch::{self, Checkpoint, PickledModule};
use super::{burnpack, hash, safetensors};

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
    /// Everything in the file, in its order.
    entries: Vec<Entry>,
    /// Where in `entries` a tensor of the network is.
    index: HashMap<String, usize>,
}

/// A tensor of a weights file.
#[derive(Debug)]
pub struct Entry {
    /// torchvision's name, if the tensor belongs to the network.
    name: Option<String>,
    tensor: RawTensor,
}

impl Entry {
    /// torchvision's name (`features.0.weight`); the name in the file, if the tensor is not one
    /// of the network's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.tensor.name)
    }

    /// The name in the file, wrappers and prefixes included.
    #[must_use]
    pub fn raw_name(&self) -> &str {
        &self.tensor.name
    }

    /// Extents, outermost first, in torchvision's layout: convolutions are
    /// `[outputs, inputs, height, width]`, linear weights `[outputs, inputs]`.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    /// The type of the elements in the file.
    #[must_use]
    pub fn dtype(&self) -> &DType {
        &self.tensor.dtype
    }
}

impl WeightsFile {
    /// Opens a file and reads its header; no tensor is read yet.
    ///
    /// # Errors
    ///
    /// The file is unreadable, of an unknown format, truncated or damaged, or holds a pickle that
    /// would run code, a pickled module, or tensors of another network.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        Self::open_inner(path).map_err(|kind| WeightsError::new(path, kind))
    }

    fn open_inner(path: &Path) -> Result<Self, WeightsErrorKind> {
        let source = Source::open(path)?;
        let format = sniff::format(&source)?;
        let checkpoint = match format {
            Format::Safetensors => Checkpoint::flat(safetensors::open(&source)?),
            Format::BurnPack => Checkpoint::flat(burnpack::open(path)?),
            _ => torch::open(&source, format)?,
        };
        let root = root(&checkpoint, format)?;
        let mut index = HashMap::new();
        let tensors = checkpoint.tensors.into_iter().enumerate();
        let entries = tensors.map(|(at, tensor)| {
            let name = root.name(tensor.spelled());
            index.extend(name.clone().map(|name| (name, at)));
            Entry { name, tensor }
        });
        let entries = entries.collect();
        Ok(Self {
            path: path.to_path_buf(),
            source,
            format,
            root,
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
        self.entries.iter().filter(|entry| entry.name.is_some())
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
        entry.tensor.read().map_err(|source| {
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
fn root(checkpoint: &Checkpoint, format: Format) -> Result<Root, WeightsErrorKind> {
    let found = names::find(&checkpoint.tensors).map_err(WeightsErrorKind::Ambiguous)?;
    // A module under a usual key is what the user meant; a copy elsewhere does not replace it.
    let mut modules = checkpoint.modules.iter();
    let module = modules.find(|module| names::is_usual(&module.at.join(".")));
    let module = match &found {
        Some(root) if names::is_usual(&root.prefix) => None,
        Some(_) => module,
        None => module.or(checkpoint.modules.first()),
    };
    match (found, module) {
        (Some(root), None) if format != Format::Pickle => Ok(root),
        (_, module) => Err(WeightsErrorKind::NotWeights(match module {
            Some(module) => describe_module(module),
            None if format == Format::Pickle => {
                "is a plain pickle: save the state dict with torch.save, not with pickle.dump"
                    .to_owned()
            }
            None => describe_tensors(checkpoint),
        })),
    }
}

fn describe_module(PickledModule { at, class }: &PickledModule) -> String {
    let (holds, value) = match at.as_slice() {
        [] => ("is".to_owned(), "model".to_owned()),
        keys => (
            format!("holds, under `{}`,", keys.join(".")),
            format!("checkpoint[\"{}\"]", keys.join("\"][\"")),
        ),
    };
    format!(
        "{holds} a whole pickled module ({class}), not a state dict; in Python, `torch.save({value}.state_dict(), \"weights.pth\")` saves what vggscope reads"
    )
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
