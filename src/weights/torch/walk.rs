//! The tensors that a checkpoint's pickle lists, under the keys that lead to them.

use std::collections::{HashMap, HashSet};

use super::super::dtype::DType;
use super::super::entry::Entry;
use super::super::error::WeightsErrorKind;
use super::super::location::Location;
use super::super::pickle::{Heap, Id, Node, Object};
use super::super::tensor::Tensor;

/// Most values visited while tensors are collected, and no more than the file may have opcodes: shared values can make
/// few look like many.
const MAX_VISITS: u64 = 4 << 20;

/// Most bytes that the tensors take which are collected: ten thousand take 3 MB.
const MAX_BYTES: usize = 16 << 20;

/// Deepest nesting of dictionaries in which tensors are looked for.
const MAX_DEPTH: usize = 64;

/// Deepest nesting of values: each name is a few of them, and a chain of objects has none.
const MAX_NESTING: usize = 8 * MAX_DEPTH;

/// Collects the tensors of the value that a checkpoint's pickle makes; none is read. `storages`: where those are that it names.
pub(super) fn tensors(
    heap: &Heap,
    root: Id,
    storages: &HashMap<String, Location>,
) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut walk = Walk {
        heap,
        storages,
        visits: 0,
        bytes: 0,
        nesting: 0,
        keys: Vec::new(),
        seen: HashSet::new(),
        found: Vec::new(),
    };
    walk.value(root)?;
    // A key that a dictionary has twice means its last value, as in Python.
    let mut known = HashSet::new();
    let mut last = walk.found;
    last.reverse();
    last.retain(|entry| known.insert(entry.raw_name.clone()));
    last.reverse();
    Ok(last)
}

struct Walk<'a> {
    heap: &'a Heap,
    storages: &'a HashMap<String, Location>,
    visits: u64,
    bytes: usize,
    /// Values around the one that is visited.
    nesting: usize,
    keys: Vec<String>,
    seen: HashSet<Id>,
    found: Vec<Entry>,
}

impl Walk<'_> {
    fn value(&mut self, id: Id) -> Result<(), WeightsErrorKind> {
        self.visits += 1;
        if self.visits > MAX_VISITS.min(self.heap.limit) || self.bytes > MAX_BYTES {
            return Err(WeightsErrorKind::Damaged(
                "its values repeat too often".into(),
            ));
        }
        // A cycle ends here too.
        if self.keys.len() > MAX_DEPTH || self.nesting > MAX_NESTING {
            return Ok(());
        }
        self.nesting += 1;
        match self.heap.get(id) {
            Node::Tensor(tensor) => self.add((**tensor).clone().placed(self.storages)),
            Node::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.under(index.to_string(), *item)?;
                }
            }
            Node::Object(object) => self.object(id, object)?,
            _ => {}
        }
        self.nesting -= 1;
        Ok(())
    }

    /// A module's tensors have the names that its `state_dict` gives them, whatever its class.
    fn object(&mut self, id: Id, object: &Object) -> Result<(), WeightsErrorKind> {
        // Objects refer to each other in circles; dictionaries do not, and may be shared.
        if !object.class.is_empty() && !self.seen.insert(id) {
            return Ok(());
        }
        if is_array(&object.class) {
            let dtype = DType::Other(NUMPY_ARRAY.to_owned());
            self.add(Tensor::unreadable(dtype, Vec::new()));
            return Ok(());
        }
        for &(key, value) in &object.items {
            // Tuples and objects as keys lead to nothing that has a name.
            if let Some(key) = self.heap.text(key) {
                self.under(key, value)?;
            }
        }
        match (self.heap.module_tables(object), object.state) {
            (Some(tables), _) => tables.into_iter().try_for_each(|table| self.value(table)),
            (None, Some(state)) => self.value(state),
            (None, None) => Ok(()),
        }
    }

    fn under(&mut self, key: String, value: Id) -> Result<(), WeightsErrorKind> {
        self.keys.push(key);
        let done = self.value(value);
        self.keys.pop();
        done
    }

    fn add(&mut self, tensor: Tensor) {
        let entry = Entry::new(self.keys.join("."), tensor);
        // Shapes and strides are short, and a storage is named by few letters.
        self.bytes += size_of::<Entry>() + 2 * entry.raw_name.len() + entry.tensor.names_size();
        self.found.push(entry);
    }
}

/// What the elements of `NumPy`'s arrays are called, which are listed and never read.
pub(in crate::weights) const NUMPY_ARRAY: &str = "NumPy's";

fn is_array(class: &str) -> bool {
    class.starts_with("numpy.")
        && (class.ends_with(".multiarray._reconstruct") || class.ends_with("._frombuffer"))
}
