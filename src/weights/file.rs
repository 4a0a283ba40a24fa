//! [`WeightsFile`]: a weights file of any supported format.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::classifier::{self, Classifier};
use super::dtype::DType;
use super::entry::{Entry, Stored};
use super::error::{WeightsError, WeightsErrorKind};
use super::format::{self, Format};
use super::reparametrized;
use super::search::{self, Layout, Network};
use super::source::{Source, crc32c, sha256};
use super::torch;
use super::{burnpack, exported, foreign, named, safetensors};

/// Names that are suggested in place of one that is missing.
const SUGGESTIONS: usize = 3;

const MAX_EDITS: usize = 4;

/// A weights file whose tensors have torchvision's names. They are read one by one.
///
/// All methods may be called from several threads at once.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    source: Source,
    format: Format,
    network: Network,
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
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        Self::open_under(path, None)
    }

    /// Like [`open`](Self::open), for a file that holds several networks: the one under `key`, a
    /// dotted path of keys (`ema`, `ema.module`).
    pub fn open_under(path: impl AsRef<Path>, key: Option<&str>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        Self::open_inner(path, key, None).map_err(|kind| WeightsError::new(path, kind))
    }

    /// Like [`open_under`](Self::open_under), for a network of any kind: the one whose tensors have most of these names,
    /// behind what the names in the file have in common.
    pub(crate) fn open_named(
        path: &Path,
        key: Option<&str>,
        names: &HashSet<&str>,
    ) -> Result<Self, WeightsError> {
        Self::open_inner(path, key, Some(names)).map_err(|kind| WeightsError::new(path, kind))
    }

    /// Like [`open_under`](Self::open_under), for a network of any kind, by the file's own names.
    pub(crate) fn open_any(path: &Path, key: Option<&str>) -> Result<Self, WeightsError> {
        let opened = listed(path).and_then(|(_, _, entries)| {
            let names = named::own_names(&entries, key);
            Self::open_inner(path, key, Some(&names))
        });
        opened.map_err(|kind| WeightsError::new(path, kind))
    }

    fn open_inner(
        path: &Path,
        key: Option<&str>,
        names: Option<&HashSet<&str>>,
    ) -> Result<Self, WeightsErrorKind> {
        let (source, format, mut entries) = listed(path)?;
        let is_sorted = matches!(format, Format::Safetensors | Format::BurnPack);
        let found = match names {
            Some(names) => search::pick(named::networks(&entries, names), key)?
                .ok_or_else(|| foreign::other(&entries, names))?,
            None => search::pick(search::networks(&entries, is_sorted), key)?
                .ok_or_else(|| foreign::network(&entries))?,
        };
        let (network, others) = found;
        for entry in &mut entries {
            entry.name = network.name(entry.name());
        }
        let is_whole = |name: &str| names.is_some_and(|names| names.contains(name));
        reparametrized::join(&mut entries, is_whole).map_err(|name| {
            WeightsErrorKind::NotWeights(format!(
                "`{name}` is stored in parts that vggscope cannot put together; in Python, save the state dict after \
                 torch.nn.utils.parametrize.remove_parametrizations (or prune.remove, remove_weight_norm) on its layer, or \
                 after merge_and_unload() of LoRA"
            ))
        })?;
        let classifier = match names {
            Some(_) => Classifier::None,
            None => classifier::find(&mut entries),
        };
        let places = entries.iter().enumerate();
        let index = places
            .filter(|(_, entry)| entry.stored != Stored::Part)
            .filter_map(|(at, entry)| Some((entry.name.clone()?, at)))
            .collect();
        Ok(Self {
            path: path.to_path_buf(),
            source,
            format,
            network,
            others,
            classifier,
            entries,
            index,
        })
    }

    /// The file, as it was given to [`WeightsFile::open`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// What stands before the names of the network in the file (`state_dict.module.`); may be empty.
    pub fn prefix(&self) -> &str {
        &self.network.prefix
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.network.layout
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let is_whole = |entry: &&Entry| entry.name.is_some() && entry.stored != Stored::Part;
        self.entries.iter().filter(is_whole)
    }

    /// The prefixes of other networks in the file, as [`open_under`](Self::open_under) takes them.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|other| other.trim_end_matches('.'))
    }

    pub(crate) fn classifier(&self) -> &Classifier {
        &self.classifier
    }

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
        let entries = self.entries.iter();
        entries.filter(move |entry| !entry.name.as_deref().is_some_and(is_needed))
    }

    /// The shape of a tensor of the network.
    pub fn shape(&self, name: &str) -> Result<&[usize], WeightsError> {
        Ok(self.find(name)?.shape())
    }

    /// Reads a tensor, row-major, whatever its type in the file. Only its own bytes are read.
    ///
    /// NaN and infinite values are returned as they are.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.read_numbers(self.find(name)?)
    }

    /// Reads a tensor of any numbers: whole ones and truth values, 1 and 0, too.
    pub(crate) fn read_numbers(&self, entry: &Entry) -> Result<Vec<f32>, WeightsError> {
        let part = |at: usize| self.entries[at].tensor.read();
        entry
            .read(part)
            .map_err(|source| self.unreadable(entry, source))
    }

    fn unreadable(&self, entry: &Entry, source: io::Error) -> WeightsError {
        let name = entry.raw_name.clone();
        self.error(WeightsErrorKind::Tensor { name, source })
    }

    /// Reads a tensor of this file and of another one that has it in the same shape, piece by piece where both lie row by
    /// row: `take` gets the values of both, in order.
    pub(crate) fn read_beside(
        &self,
        other: &Self,
        name: &str,
        mut take: impl FnMut(&[f32], &[f32]),
    ) -> Result<(), WeightsError> {
        let (one, two) = (self.find(name)?, other.find(name)?);
        let in_rows =
            |entry: &Entry| entry.stored == Stored::Whole && entry.tensor.stride.is_none();
        if !in_rows(one) || !in_rows(two) {
            take(&self.read(name)?, &other.read(name)?);
            return Ok(());
        }
        one.tensor
            .read_beside(&two.tensor, &mut take)
            .map_err(|source| self.unreadable(one, source))
    }

    /// The batches that a batch norm was trained with (`num_batches_tracked`); 0 where the file does not say.
    pub(crate) fn batches_tracked(&self, norm: &str) -> Result<i64, WeightsError> {
        let name = format!("{norm}.num_batches_tracked");
        match self.get(&name) {
            Some(entry) if *entry.dtype() == DType::I64 => {
                let count = entry.tensor.single_integer();
                count.map_err(|source| self.unreadable(entry, source))
            }
            // `half()` of all that a state dict has.
            #[expect(clippy::cast_possible_truncation, reason = "as PyTorch loads it")]
            Some(entry) if entry.dtype().is_float() => {
                Ok(self.read(&name)?.first().map_or(0, |count| *count as i64))
            }
            _ => Ok(0),
        }
    }

    /// SHA-256 of the whole file, as `sha256sum` prints it.
    pub fn sha256(&self) -> Result<String, WeightsError> {
        sha256(&mut self.source.whole()).map_err(|error| self.error(error.into()))
    }

    /// CRC-32C of the whole file: enough to see that it is another one, in a tenth of the time.
    pub fn crc32c(&self) -> Result<u32, WeightsError> {
        crc32c(&mut self.source.whole()).map_err(|error| self.error(error.into()))
    }

    /// A tensor of the network; the error names the nearest.
    pub(crate) fn entry(&self, name: &str) -> Result<&Entry, WeightsError> {
        self.get(name).ok_or_else(|| {
            let raw = self.network.raw(name);
            let names = self.entries().map(Entry::raw_name);
            self.error(WeightsErrorKind::Missing {
                near: nearest(&raw, names),
                name: raw,
            })
        })
    }

    fn find(&self, name: &str) -> Result<&Entry, WeightsError> {
        let entry = self.entry(name)?;
        if entry.dtype().is_float() {
            return Ok(entry);
        }
        Err(self.error(WeightsErrorKind::NotFloat {
            name: entry.raw_name.clone(),
            found: entry.dtype().to_string(),
        }))
    }

    fn error(&self, kind: WeightsErrorKind) -> WeightsError {
        WeightsError::new(&self.path, kind)
    }
}

/// What a file has before it is known whose network that is.
fn listed(path: &Path) -> Result<(Source, Format, Vec<Entry>), WeightsErrorKind> {
    if let Some(other) = foreign::no_file(path, &fs::metadata(path)?) {
        return Err(other);
    }
    let source = Source::new(File::open(path)?)?;
    let format = format::recognize(&source, path)?;
    let entries = match format {
        Format::Safetensors => safetensors::open(&source)?,
        Format::BurnPack => burnpack::open(&source, path)?,
        Format::TorchZip => torch::open_zip(&source)?,
        Format::ExportedProgram => exported::open(&source)?,
        Format::TorchLegacy => torch::open_legacy(&source)?,
        Format::Pickle => return Err(torch::refuse_pickle(&source)),
    };
    Ok((source, format, entries))
}

/// The names nearest to one that is missing, nearest first.
fn nearest<'a>(missing: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (strsim::damerau_levenshtein(missing, name), name))
        .filter(|(distance, _)| *distance <= MAX_EDITS)
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.truncate(SUGGESTIONS);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_the_likely_ones() {
        let names = [
            "features.26.weight",
            "features.26.bias",
            "classifier.0.weight",
        ];
        assert_eq!(
            nearest("features.28.weight", names.into_iter()),
            ["features.26.weight"]
        );
    }
}
