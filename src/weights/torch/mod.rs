//! What `torch.save` writes: a container, a pickle in it, and the tensors the pickle lists.

mod legacy;
mod tar;
mod zip;

use std::collections::HashMap;

use super::pickle::{Heap, Id, Node, Object, TensorView, load};
use super::problem::Problem;
use super::sniff::Format;
use super::source::{Part, Source};
use super::tensor::{Place, RawTensor, extent, is_contiguous};

/// Most values visited while tensors are collected: shared values can make few look like many.
const MAX_VISITS: u32 = 4 << 20;

/// Deepest nesting of dictionaries in which tensors are looked for.
const MAX_DEPTH: usize = 64;

/// A module that was pickled whole, in place of its state dict.
#[derive(Debug)]
pub(super) struct PickledModule {
    /// The keys that lead to it.
    pub(super) at: Vec<String>,
    /// Its Python class.
    pub(super) class: String,
}

/// The tensors and modules of a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    pub(super) tensors: Vec<RawTensor>,
    pub(super) modules: Vec<PickledModule>,
    /// What the file's root is, in words.
    pub(super) root: String,
}

impl Checkpoint {
    /// A file that holds tensors and nothing else.
    pub(super) fn flat(tensors: Vec<RawTensor>) -> Self {
        Self {
            tensors,
            modules: Vec::new(),
            root: "no tensors".to_owned(),
        }
    }
}

/// Where a container keeps a storage.
enum Storage {
    /// As it is: the bytes, and a checksum of all of them if there is one.
    Plain { part: Part, crc32: Option<u32> },
    /// In a compressed zip entry of so many bytes.
    Compressed {
        archive: zip::Archive,
        index: usize,
        len: u64,
    },
}

/// Parses a checkpoint's pickles; no tensor is read.
pub(super) fn open(source: &Source, format: Format) -> Result<Checkpoint, Problem> {
    let mut heap = Heap::new();
    let (root, storages) = match format {
        Format::TorchZip => zip::open(source, &mut heap)?,
        Format::TorchLegacy => legacy::open(source, &mut heap)?,
        Format::TorchTar => tar::open(source, &mut heap)?,
        _ => {
            let mut input = std::io::BufReader::new(source.whole());
            (load(&mut input, &mut heap)?, HashMap::new())
        }
    };
    let mut walk = Walk {
        heap: &heap,
        storages: &storages,
        visits: 0,
        keys: Vec::new(),
        known: HashMap::new(),
        found: Checkpoint {
            root: heap.describe(root),
            ..Checkpoint::default()
        },
    };
    walk.value(root)?;
    Ok(walk.found)
}

/// Collects tensors under the keys that lead to them.
struct Walk<'a> {
    heap: &'a Heap,
    storages: &'a HashMap<String, Storage>,
    visits: u32,
    keys: Vec<String>,
    /// Where in `found.tensors` a name is.
    known: HashMap<String, usize>,
    found: Checkpoint,
}

impl Walk<'_> {
    fn value(&mut self, id: Id) -> Result<(), Problem> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(Problem::Damaged(format!(
                "its values repeat more than {MAX_VISITS} times"
            )));
        }
        // A cycle ends here too.
        if self.keys.len() > MAX_DEPTH {
            return Ok(());
        }
        let heap = self.heap;
        match heap.get(id) {
            Node::Tensor(tensor) => self.tensor(tensor),
            Node::Dict(items) => self.items(items)?,
            Node::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.under(index.to_string(), *item)?;
                }
            }
            Node::Object(object) if heap.is_module(object) => self.module(object),
            Node::Object(object) => self.items(&object.items)?,
            Node::Plain | Node::Int(_) | Node::Text(_) | Node::Class { .. } | Node::Storage(_) => {}
        }
        Ok(())
    }

    fn items(&mut self, items: &[(Id, Id)]) -> Result<(), Problem> {
        for &(key, value) in items {
            // Tuples and objects as keys lead to nothing that has a name.
            if let Some(key) = self.heap.text(key) {
                self.under(key, value)?;
            }
        }
        Ok(())
    }

    fn under(&mut self, key: String, value: Id) -> Result<(), Problem> {
        self.keys.push(key);
        let done = self.value(value);
        self.keys.pop();
        done
    }

    fn module(&mut self, object: &Object) {
        self.found.modules.push(PickledModule {
            at: self.keys.clone(),
            class: object.class.clone(),
        });
    }

    fn tensor(&mut self, view: &TensorView) {
        let tensor = RawTensor {
            name: self.keys.join("."),
            torch_name: None,
            dtype: view.dtype.clone(),
            shape: view.shape.clone(),
            stride: match &view.data {
                Some((_, _, stride)) if !is_contiguous(&view.shape, stride) => Some(stride.clone()),
                _ => None,
            },
            place: place(view, self.storages),
        };
        // A key that a dictionary has twice means its last value, as in Python.
        let next = self.found.tensors.len();
        let index = *self.known.entry(tensor.name.clone()).or_insert(next);
        match self.found.tensors.get_mut(index) {
            Some(earlier) => *earlier = tensor,
            None => self.found.tensors.push(tensor),
        }
    }
}

fn place(view: &TensorView, storages: &HashMap<String, Storage>) -> Place {
    let (Some((key, first, stride)), Some(size)) = (&view.data, view.dtype.size()) else {
        return Place::Missing(format!("it holds {}", view.dtype));
    };
    let Some(storage) = storages.get(key) else {
        return Place::Missing(format!("its storage {key} is not in the file"));
    };
    let skip = (*first as u64).saturating_mul(size as u64);
    let window = extent(&view.shape, stride).map(|window| window as u64);
    let window = window.and_then(|window| window.checked_mul(size as u64));
    let (stored, reach) = match storage {
        Storage::Plain { part, .. } => (
            part.len(),
            window.and_then(|window| skip.checked_add(window)),
        ),
        Storage::Compressed { len, .. } => {
            (*len, window.and_then(|window| skip.checked_add(window)))
        }
    };
    match (storage, window, reach) {
        (_, Some(window), Some(reach)) if reach > stored => Place::Missing(format!(
            "it needs {window} bytes at {skip} of storage {key}, which has {stored}"
        )),
        (Storage::Plain { part, crc32 }, Some(window), Some(_)) => Place::Plain {
            part: part.sub(skip, window),
            crc32: crc32.filter(|_| window == part.len()),
        },
        (Storage::Compressed { archive, index, .. }, Some(_), Some(_)) => Place::Compressed {
            archive: archive.clone(),
            index: *index,
            skip,
        },
        _ => Place::Missing("its size overflows".to_owned()),
    }
}
