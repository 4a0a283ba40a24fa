//! `torch.export.save` since `PyTorch` 2.8 (`.pt2`): a zip archive with a graph, and one entry a storage.
//!
//! Source: `torch/export/pt2_archive/` and `torch/_export/serde/schema.py` of `PyTorch` 2.9.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::Deserialize;

use super::archive::Archive;
use super::dtype::DType;
use super::entry::Entry;
use super::error::WeightsErrorKind;
use super::location::Location;
use super::source::Source;
use super::tensor::{Tensor, elements, extent};
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

/// The file of the graph in an archive of such names, and the folder that all is in.
fn model(names: &[String]) -> Result<(&str, &str), WeightsErrorKind> {
    if names.iter().any(|name| name.ends_with(OLDER)) {
        return Err(WeightsErrorKind::NotWeights(
            "is a program as torch.export wrote it until 2.7: export it with torch 2.8 or newer (torch.export.load reads it \
             in the older one)"
                .to_owned(),
        ));
    }
    let names = names.iter().map(String::as_str);
    let models = names.filter_map(|name| Some((name, model_in(name)?)));
    match *models.collect::<Vec<_>>() {
        [model] => Ok(model),
        ref all => Err(WeightsErrorKind::NotWeights(format!(
            "holds {} models of torch.export, expected one",
            all.len()
        ))),
    }
}

pub(super) fn graph(source: &Source) -> Result<Vec<u8>, WeightsErrorKind> {
    let mut archive = Archive::open(source)?;
    let names = archive.names();
    let (entry, _) = model(&names)?;
    Ok(unpacked(&mut archive, entry)?.unwrap_or_default())
}

/// Parses what lists the tensors, under the names of the state dict, then the constants; none is read.
pub(super) fn open(source: &Source) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut archive = Archive::open(source)?;
    let names = archive.names();
    let (entry, folder) = model(&names)?;
    archive.check_byte_order(folder)?;
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
            entries.extend(torch::open_zip(&part)?);
            continue;
        };
        let payloads: Payloads = serde_json::from_slice(&bytes)
            .map_err(|error| WeightsErrorKind::Damaged(format!("{config}: {error}")))?;
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
        let sizes = |all: Vec<Size>| all.into_iter().map(|size| size.as_int).collect::<Vec<_>>();
        let (shape, stride) = (sizes(meta.sizes), sizes(meta.strides));
        let dtype = if self.use_pickle {
            // A subclass of tensors, which is a file of `torch.save`.
            DType::Other("an object".to_owned())
        } else {
            DType::numbered(meta.dtype)
        };
        let problem = match extent(&shape, &stride) {
            None => Some(format!(
                "its strides {stride:?} do not belong to its shape {shape:?}"
            )),
            Some(span) => elements(&shape)
                .is_none_or(|count| count > span.max(MOST_REPEATED))
                .then(|| format!("its shape {shape:?} repeats {span} elements too often")),
        };
        let offset = meta.storage_offset.as_int;
        let mut tensor = Tensor::view(dtype, shape, stride, self.path_name, offset);
        if let Some(problem) = problem {
            tensor.location = Location::Missing(problem);
        }
        Ok(Some(Entry::new(name, tensor.placed(storages))))
    }
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
