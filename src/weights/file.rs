//! [`WeightsFile`]: a weights file of any supported format.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::dtype::DType;
use super::fit::{self, Layers};
use super::names::{self, Root};
use super::problem::{Problem, WeightsError};
use super::sniff::{self, Format};
use super::source::Source;
use super::tensor::RawTensor;
use super::torch::{self, Checkpoint, PickledModule};
use super::{burnpack, hash, safetensors};

/// How many names of a foreign file a message shows.
const FIRST_NAMES: usize = 4;

/// A weights file with a network of VGG's names in it. Its tensors are read one by one.
///
/// Methods take `&self` and may be called from several threads at once.
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
    /// Anything that keeps the file from being used: unreadable, of no known format, cut or
    /// damaged, a pickle that would run code, a pickled module, another network.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        Self::open_inner(path).map_err(|problem| WeightsError::new(path, problem))
    }

    fn open_inner(path: &Path) -> Result<Self, Problem> {
        let source = Source::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::IsADirectory => {
                Problem::NotWeights("is a folder, not a weights file".into())
            }
            _ => Problem::Io(error),
        })?;
        let format = sniff::format(&source)?;
        let checkpoint = match format {
            Format::Safetensors => Checkpoint::flat(safetensors::open(&source)?),
            Format::BurnPack => Checkpoint::flat(burnpack::open(path)?),
            _ => torch::open(&source, format)?,
        };
        let root = root(&checkpoint, format)?;
        let entries = checkpoint.tensors.into_iter().map(|tensor| Entry {
            name: root.name(tensor.spelled()),
            tensor,
        });
        let entries: Vec<Entry> = entries.collect();
        let names = entries.iter().enumerate();
        let index = names.filter_map(|(at, entry)| Some((entry.name.clone()?, at)));
        Ok(Self {
            path: path.to_path_buf(),
            source,
            format,
            root,
            index: index.collect(),
            entries,
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

    /// What stands before torchvision's names in the file (`state_dict.module.`), or nothing.
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
    /// optimiser's state, a copy of the weights.
    pub fn unused<'a, N: AsRef<str>>(
        &'a self,
        needed: &'a [N],
    ) -> impl Iterator<Item = &'a Entry> + 'a {
        let is_needed = |name: &str| needed.iter().any(|needed| needed.as_ref() == name);
        self.entries
            .iter()
            .filter(move |entry| !entry.name.as_deref().is_some_and(is_needed))
    }

    /// The members of the family that these weights fit: one, if the convolutions are all there;
    /// several, if only the first ones are; none, if this is no VGG.
    #[must_use]
    pub fn architectures(&self) -> Vec<&'static str> {
        self.layers().architectures()
    }

    /// Checks that the weights can be `arch`'s, and if they cannot, says whose they are.
    ///
    /// # Errors
    ///
    /// [`Problem::OtherArch`].
    pub fn expect_arch(&self, arch: &str) -> Result<(), WeightsError> {
        let layers = self.layers();
        let found = layers.architectures();
        if found.contains(&arch) {
            return Ok(());
        }
        let (found, way_out) = match found.as_slice() {
            [] => (
                layers.describe(),
                "vggscope runs torchvision's VGG11, 13, 16 and 19".to_owned(),
            ),
            [first, ..] => (
                format!("these are {} weights, not {arch}", found.join(" or ")),
                format!("use --arch {first}"),
            ),
        };
        Err(self.error(Problem::OtherArch { found, way_out }))
    }

    /// Checks that a tensor is there, has this shape and holds floating-point numbers.
    ///
    /// # Errors
    ///
    /// [`Problem::Missing`], [`Problem::Shape`], [`Problem::NotFloat`].
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<&Entry, WeightsError> {
        let entry = self.find(name)?;
        if entry.shape() != shape {
            return Err(self.error(Problem::Shape {
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
    /// [`Problem::Missing`], [`Problem::NotFloat`].
    pub fn shape(&self, name: &str) -> Result<&[usize], WeightsError> {
        Ok(self.find(name)?.shape())
    }

    /// Reads a tensor, row-major, whatever its type in the file. Only its own bytes are read.
    ///
    /// NaN and infinite values are returned as they are.
    ///
    /// # Errors
    ///
    /// [`Problem::Missing`], [`Problem::NotFloat`], [`Problem::Tensor`].
    pub fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let entry = self.find(name)?;
        entry.tensor.read().map_err(|source| {
            self.error(Problem::Tensor {
                name: entry.raw_name().to_owned(),
                source,
            })
        })
    }

    /// SHA-256 of the whole file, as `sha256sum` prints it.
    ///
    /// # Errors
    ///
    /// [`Problem::Io`].
    pub fn fingerprint(&self) -> Result<String, WeightsError> {
        hash::sha256(&mut self.source.whole()).map_err(|error| self.error(Problem::Io(error)))
    }

    fn find(&self, name: &str) -> Result<&Entry, WeightsError> {
        let entry = self.get(name).ok_or_else(|| {
            let raw = self.root.raw(name);
            let names = self.entries().map(Entry::raw_name);
            self.error(Problem::Missing {
                near: fit::nearest(&raw, names),
                name: raw,
            })
        })?;
        if entry.dtype().size().is_none() {
            return Err(self.error(Problem::NotFloat {
                name: entry.raw_name().to_owned(),
                found: entry.dtype().to_string(),
            }));
        }
        Ok(entry)
    }

    fn layers(&self) -> Layers {
        Layers::of(
            self.entries()
                .map(|entry| (entry.name().to_owned(), entry.shape())),
        )
    }

    fn error(&self, problem: Problem) -> WeightsError {
        WeightsError::new(&self.path, problem)
    }
}

/// Finds the network in a checkpoint, or says what is there instead.
fn root(checkpoint: &Checkpoint, format: Format) -> Result<Root, Problem> {
    let found = names::find(&checkpoint.tensors).map_err(Problem::Ambiguous)?;
    // A module in a usual place is what the user meant; a copy elsewhere does not replace it.
    let is_usual = |module: &&PickledModule| names::is_usual(&module.at.join("."));
    let module = checkpoint.modules.iter().find(is_usual);
    let module = match &found {
        Some(root) if root.is_usual() => None,
        Some(_) => module,
        None => module.or(checkpoint.modules.first()),
    };
    match (found, module) {
        (Some(root), None) if format != Format::Pickle => Ok(root),
        (_, Some(module)) => Err(Problem::PickledModule {
            at: module.at.clone(),
            class: module.class.clone(),
        }),
        (_, None) if format == Format::Pickle => Err(Problem::NotWeights(
            "is a plain pickle: save the state dict with torch.save, not with pickle.dump".into(),
        )),
        // A tensor at the root has no name.
        _ if checkpoint
            .tensors
            .iter()
            .all(|tensor| tensor.name.is_empty()) =>
        {
            Err(Problem::NoStateDict(checkpoint.root.clone()))
        }
        _ => {
            let names = checkpoint.tensors.iter().map(|tensor| tensor.name.as_str());
            let first: Vec<&str> = names.clone().take(FIRST_NAMES).collect();
            Err(Problem::NotVgg {
                guess: fit::guess(&names).to_owned(),
                first: first.join(", "),
            })
        }
    }
}
