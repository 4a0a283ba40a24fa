//! The tensors that a checkpoint's pickle lists, under the keys that lead to them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::error::WeightsErrorKind;
use super::super::location::Location;
use super::super::pickle::{Heap, Id, Node, Object, TensorView, ViewedData};
use super::super::tensor::RawTensor;
use super::super::view::{extent, is_contiguous};

/// Most values visited while tensors are collected: shared values can make few look like many.
const MAX_VISITS: u32 = 4 << 20;

/// Deepest nesting of dictionaries in which tensors are looked for.
const MAX_DEPTH: usize = 64;

/// Deepest nesting of values: each name is a few of them, and a chain of objects has none.
const MAX_NESTING: usize = 8 * MAX_DEPTH;

#[derive(Debug, Default)]
pub(in crate::weights) struct Checkpoint {
    pub(in crate::weights) tensors: Vec<RawTensor>,
    /// A description of the file's root.
    pub(in crate::weights) root: String,
}

impl Checkpoint {
    pub(in crate::weights) fn flat(tensors: Vec<RawTensor>) -> Self {
        Self {
            tensors,
            root: "no tensors".to_owned(),
        }
    }
}

/// Collects what lies under the root of a checkpoint's pickle; no tensor is read.
pub(super) fn collect(
    heap: &Heap,
    root: Id,
    storages: &HashMap<String, Location>,
) -> Result<Checkpoint, WeightsErrorKind> {
    let mut walk = Walk {
        heap,
        storages,
        visits: 0,
        nesting: 0,
        keys: Vec::new(),
        known: HashMap::new(),
        seen: HashSet::new(),
        found: Checkpoint {
            root: heap.describe(root),
            ..Checkpoint::default()
        },
    };
    walk.value(root)?;
    Ok(walk.found)
}

struct Walk<'a> {
    heap: &'a Heap,
    storages: &'a HashMap<String, Location>,
    visits: u32,
    /// Values around the one that is visited.
    nesting: usize,
    keys: Vec<String>,
    /// Where in `found.tensors` a name is.
    known: HashMap<String, usize>,
    /// Objects that were visited.
    seen: HashSet<Id>,
    found: Checkpoint,
}

impl Walk<'_> {
    fn value(&mut self, id: Id) -> Result<(), WeightsErrorKind> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(WeightsErrorKind::Damaged(format!(
                "its values repeat more than {MAX_VISITS} times"
            )));
        }
        // A cycle ends here too.
        if self.keys.len() > MAX_DEPTH || self.nesting > MAX_NESTING {
            return Ok(());
        }
        self.nesting += 1;
        let done = self.contents(id);
        self.nesting -= 1;
        done
    }

    fn contents(&mut self, id: Id) -> Result<(), WeightsErrorKind> {
        let heap = self.heap;
        match heap.get(id) {
            Node::Tensor(tensor) => self.tensor(tensor),
            Node::Dict(items) => self.items(items)?,
            Node::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.under(index.to_string(), *item)?;
                }
            }
            Node::Object(object) => self.object(id, object)?,
            _ => {}
        }
        Ok(())
    }

    /// A module's tensors have the names that its `state_dict` gives them, whatever its class.
    fn object(&mut self, id: Id, object: &Object) -> Result<(), WeightsErrorKind> {
        // Objects refer to each other in circles.
        if !self.seen.insert(id) {
            return Ok(());
        }
        self.items(&object.items)?;
        if let Some(tables) = self.heap.module_tables(object) {
            return tables.into_iter().try_for_each(|table| self.value(table));
        }
        match object.state {
            Some(state) => self.value(state),
            None => Ok(()),
        }
    }

    fn items(&mut self, items: &[(Id, Id)]) -> Result<(), WeightsErrorKind> {
        for &(key, value) in items {
            // Tuples and objects as keys lead to nothing that has a name.
            if let Some(key) = self.heap.text(key) {
                self.under(key, value)?;
            }
        }
        Ok(())
    }

    fn under(&mut self, key: String, value: Id) -> Result<(), WeightsErrorKind> {
        self.keys.push(key);
        let done = self.value(value);
        self.keys.pop();
        done
    }

    fn tensor(&mut self, view: &TensorView) {
        let is_plain = view.stride.is_empty() || is_contiguous(&view.shape, &view.stride);
        let tensor = RawTensor {
            name: self.keys.join("."),
            torch_name: None,
            dtype: view.dtype.clone(),
            shape: view.shape.clone(),
            stride: (!is_plain).then(|| view.stride.clone()),
            location: location(view, self.storages),
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

fn location(view: &TensorView, storages: &HashMap<String, Location>) -> Location {
    let (key, first, size) = match (&view.data, view.dtype.size()) {
        (ViewedData::Storage { key, first }, Some(size)) => (key, first, size),
        (ViewedData::Pickle(bytes), Some(_)) => return Location::Memory(Arc::clone(bytes)),
        _ => return Location::Missing(format!("it holds {}", view.dtype)),
    };
    let Some(storage) = storages.get(key) else {
        return Location::Missing(format!("its storage {key} is not in the file"));
    };
    let bytes = |count: usize| count.saturating_mul(size) as u64;
    let wanted = extent(&view.shape, &view.stride).map_or(u64::MAX, bytes);
    storage.view(key, bytes(*first), wanted)
}
