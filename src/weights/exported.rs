//! `torch.export.save` since `PyTorch` 2.8 (`.pt2`): a zip archive with a graph, and one entry a storage.
//!
//! Source: `torch/export/pt2_archive/` and `torch/_export/serde/schema.py` of `PyTorch` 2.9.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::archive::Archive;
use super::dtype::DType;
use super::entry::Entry;
use super::error::WeightsErrorKind;
use super::location::Location;
use super::source::Source;
use super::tensor::{Tensor, elements, extent, is_contiguous};
use super::torch;

/// Most bytes that are unpacked of a file of JSON: the graph of a DenseNet-121 takes 2 MB.
const MAX_JSON: u64 = 16 << 20;

/// Most values in it, of which each takes more memory than it takes bytes. A graph of 800 nodes has 65,000.
const MAX_VALUES: usize = 1 << 20;

/// Elements of a tensor that repeats what is stored, such as one of zeros that was expanded.
const MOST_REPEATED: usize = 1 << 22;

/// What `torch.export` wrote until 2.7.
const OLDER: &str = "serialized_exported_program.json";

const MODELS: &str = "models/";

#[derive(Deserialize)]
struct Payloads {
    config: BTreeMap<String, Payload>,
}

#[derive(Deserialize)]
struct Payload {
    path_name: String,
    #[serde(default)]
    use_pickle: bool,
    tensor_meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    dtype: u32,
    sizes: Vec<Size>,
    strides: Vec<Size>,
    storage_offset: Size,
}

#[derive(Deserialize)]
struct Size {
    as_int: usize,
}

/// Whether entries of an archive are those of such a file.
pub(super) fn is_exported(names: &[String]) -> bool {
    names
        .iter()
        .any(|name| model_in(name).is_some() || name.ends_with(OLDER))
}

/// The folder of the file whose model an entry is.
fn model_in(entry: &str) -> Option<&str> {
    let (folder, file) = entry.split_at(entry.find(MODELS)?);
    let is_folder = folder.is_empty() || folder.ends_with('/');
    let name = file[MODELS.len()..].strip_suffix(".json")?;
    (is_folder && !name.contains('/')).then_some(folder)
}

/// The file of the graph in an archive, and the folder that all is in.
struct Model {
    entry: String,
    folder: String,
}

impl Model {
    fn find(archive: &Archive<'_>) -> Result<Self, WeightsErrorKind> {
        let names = archive.names();
        if names.iter().any(|name| name.ends_with(OLDER)) {
            return Err(WeightsErrorKind::NotWeights(
                "is a program as torch.export wrote it until 2.7: export it with torch 2.8 or newer (torch.export.load reads it \
                 in the older one)"
                    .to_owned(),
            ));
        }
        let models = names
            .iter()
            .filter_map(|name| Some((name, model_in(name)?)));
        match *models.collect::<Vec<_>>() {
            [(entry, folder)] => Ok(Self {
                entry: entry.clone(),
                folder: folder.to_owned(),
            }),
            ref all => Err(WeightsErrorKind::NotWeights(format!(
                "holds {} models of torch.export, expected one",
                all.len()
            ))),
        }
    }
}

pub(super) fn graph(source: &Source) -> Result<Vec<u8>, WeightsErrorKind> {
    let mut archive = Archive::open(source)?;
    let model = Model::find(&archive)?;
    Ok(unpacked(&mut archive, &model.entry)?.unwrap_or_default())
}

/// Parses what lists the tensors, under the names of the state dict, then the constants; none is read.
pub(super) fn open(source: &Source) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut archive = Archive::open(source)?;
    let Model { entry, folder } = Model::find(&archive)?;
    archive.check_byte_order(&folder)?;
    let name = entry[folder.len() + MODELS.len()..].trim_end_matches(".json");
    let mut entries = Vec::new();
    for kind in ["weights", "constants"] {
        let within = format!("{folder}data/{kind}/");
        let config = format!("{within}{name}_{kind}_config.json");
        let Some(bytes) = unpacked(&mut archive, &config)? else {
            // Torch 2.8 wrote all of a kind as one file of `torch.save`.
            let saved = archive.location(&format!("{within}{name}.pt"))?;
            let Some(Location::Plain { part, .. }) = saved else {
                return Err(WeightsErrorKind::Damaged(format!("it lacks {config}")));
            };
            entries.extend(torch::open_zip(&part)?.entries);
            continue;
        };
        let payloads: Payloads = parsed(&config, &bytes)?;
        let mut storages = HashMap::new();
        for (name, payload) in payloads.config {
            entries.extend(payload.entry(name, &within, &mut archive, &mut storages)?);
        }
    }
    Ok(entries)
}

impl Payload {
    /// The tensor called `name`, whose storage is a file of the folder `within`; `None` for other objects.
    fn entry(
        self,
        name: String,
        within: &str,
        archive: &mut Archive<'_>,
        storages: &mut HashMap<String, Location>,
    ) -> Result<Option<Entry>, WeightsErrorKind> {
        let Some(meta) = self.tensor_meta else {
            return Ok(None);
        };
        if self.path_name.contains(['/', '\\']) || self.path_name.contains("..") {
            return Err(WeightsErrorKind::Damaged(format!(
                "`{name}` is in {:?}, expected the name of a file in {within}",
                self.path_name
            )));
        }
        if !storages.contains_key(&self.path_name) {
            let location = archive.location(&format!("{within}{}", self.path_name))?;
            let missing = || Location::Missing(format!("{within}{} is not there", self.path_name));
            storages.insert(self.path_name.clone(), location.unwrap_or_else(missing));
        }
        if self.use_pickle {
            let storage = &storages[&self.path_name];
            return Ok(Some(pickled(name, storage, &meta.sizes)));
        }
        let dtype = dtype(meta.dtype);
        let sizes = |all: Vec<Size>| all.into_iter().map(|size| size.as_int).collect::<Vec<_>>();
        let (shape, stride) = (sizes(meta.sizes), sizes(meta.strides));
        let location = match (dtype.size(), extent(&shape, &stride)) {
            (None, _) => Location::Missing(format!("it holds {dtype}")),
            (_, None) => Location::Missing(format!(
                "its strides {stride:?} do not belong to its shape {shape:?}"
            )),
            (_, Some(span))
                if elements(&shape).is_none_or(|count| count > span.max(MOST_REPEATED)) =>
            {
                Location::Missing(format!(
                    "its shape {shape:?} repeats {span} elements too often"
                ))
            }
            (Some(size), _) => Location::Storage {
                key: self.path_name,
                skip: meta.storage_offset.as_int.saturating_mul(size) as u64,
            },
        };
        let tensor = Tensor {
            dtype,
            stride: Some(stride).filter(|stride| !is_contiguous(&shape, stride)),
            shape,
            location,
        };
        Ok(Some(Entry::new(name, tensor.placed(storages))))
    }
}

/// A tensor that is a file of `torch.save`.
fn pickled(name: String, storage: &Location, sizes: &[Size]) -> Entry {
    let tensor = match storage {
        Location::Plain { part, .. } => torch::open_zip(part).ok(),
        _ => None,
    };
    let tensor = tensor.and_then(|saved| saved.entries.into_iter().next());
    let tensor = tensor.map(|entry| entry.tensor);
    let unreadable = || {
        let shape = sizes.iter().map(|size| size.as_int).collect();
        Tensor::unreadable(DType::Other("an object".to_owned()), shape)
    };
    Entry::new(name, tensor.unwrap_or_else(unreadable))
}

fn unpacked(archive: &mut Archive<'_>, name: &str) -> Result<Option<Vec<u8>>, WeightsErrorKind> {
    let Some(entry) = archive.entry(name)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    entry.take(MAX_JSON + 1).read_to_end(&mut bytes)?;
    let is_start = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    let beyond = if bytes.len() as u64 > MAX_JSON {
        format!("{} MB", MAX_JSON >> 20)
    } else if bytes.iter().filter(is_start).count() > MAX_VALUES {
        format!("{MAX_VALUES} values")
    } else {
        return Ok(Some(bytes));
    };
    Err(WeightsErrorKind::NotWeights(format!(
        "has {name} of more than {beyond}"
    )))
}

fn parsed<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, WeightsErrorKind> {
    serde_json::from_slice(bytes)
        .map_err(|error| WeightsErrorKind::Damaged(format!("{name}: {error}")))
}

/// Source: `ScalarType` in `torch/_export/serde/schema.py`.
fn dtype(number: u32) -> DType {
    match number {
        4 => DType::I32,
        5 => DType::I64,
        6 => DType::F16,
        7 => DType::F32,
        8 => DType::F64,
        12 => DType::Bool,
        13 => DType::BF16,
        other => DType::Other(
            match other {
                1 => "uint8",
                2 => "int8",
                3 => "int16",
                9 => "complex32",
                10 => "complex64",
                11 => "complex128",
                _ => "numbers of another type",
            }
            .to_owned(),
        ),
    }
}
