//! The values of a pickle.
//!
//! Nodes are referred to by [`Id`], so values that Python shares are shared here too, however
//! often the pickle fetches them from its memo.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use super::super::dtype::DType;
use super::super::error::WeightsErrorKind;

/// Most opcodes that one file's pickles may have, which bounds what they make. A checkpoint with
/// an optimizer has some ten thousand.
const MAX_STEPS: u32 = 16 << 20;

/// Most bytes of text that one file's pickles may hold.
const MAX_TEXT: usize = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::weights) struct Id(u32);

#[derive(Debug)]
pub(in crate::weights) enum Node {
    /// Something whose value does not matter here: `None`, a float.
    Plain,
    /// An integer; `True` is 1.
    Int(i64),
    Text(String),
    Bytes(Arc<[u8]>),
    /// A list, a tuple or a set.
    Seq(Vec<Id>),
    /// A `dict` or `OrderedDict`: keys and values in order.
    Dict(Vec<(Id, Id)>),
    /// A class or function, by name.
    Class {
        module: String,
        name: String,
    },
    Storage(StorageView),
    Tensor(TensorView),
    /// A `NumPy` `dtype`, as its code and byte order (`f4`, `>f4`).
    ArrayType(String),
    Object(Object),
}

/// A Python object that is not interpreted.
#[derive(Debug)]
pub(in crate::weights) struct Object {
    /// Its class, or the callable that made it: `module.name`.
    pub(in crate::weights) class: String,
    /// What it holds as a mapping, if it is a subclass of `dict`.
    pub(in crate::weights) items: Vec<(Id, Id)>,
    /// Its `__dict__`, or whatever `__setstate__` would get.
    pub(in crate::weights) state: Option<Id>,
}

/// A `torch` storage, or a part of one.
#[derive(Debug, Clone)]
pub(in crate::weights) struct StorageView {
    /// Its name in the container.
    pub(in crate::weights) key: String,
    /// The type that its class stands for; `None` if it is untyped bytes.
    pub(in crate::weights) dtype: Option<DType>,
    pub(in crate::weights) offset: usize,
    /// One past the last element that may be reached.
    pub(in crate::weights) end: usize,
}

/// A `torch` tensor or a `NumPy` array. Counts are in elements.
#[derive(Debug, Clone)]
pub(in crate::weights) struct TensorView {
    pub(in crate::weights) dtype: DType,
    pub(in crate::weights) shape: Vec<usize>,
    /// Empty where the data is unreadable.
    pub(in crate::weights) stride: Vec<usize>,
    pub(in crate::weights) data: ViewedData,
}

/// Where a tensor's elements are.
#[derive(Debug, Clone)]
pub(in crate::weights) enum ViewedData {
    /// In a storage, from the element `first` on.
    Storage { key: String, first: usize },
    /// In the pickle itself: a `NumPy` array.
    Pickle(Arc<[u8]>),
    /// The tensor is of a kind that has no plain storage (sparse, quantized).
    Unreadable,
}

pub(super) fn malformed<T>(what: impl Display) -> Result<T, WeightsErrorKind> {
    Err(WeightsErrorKind::Damaged(format!(
        "its pickle is malformed: {what}"
    )))
}

/// The values of a file's pickles, and what they say about its storages.
#[derive(Debug)]
pub(in crate::weights) struct Heap {
    nodes: Vec<Node>,
    steps: u32,
    text: usize,
    /// Bytes and element size of each storage, as far as persistent ids mention it.
    pub(in crate::weights) storages: HashMap<String, (usize, usize)>,
}

impl Heap {
    pub(super) const PLAIN: Id = Id(0);

    pub(in crate::weights) fn new() -> Self {
        Self {
            nodes: vec![Node::Plain],
            steps: 0,
            text: 0,
            storages: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, node: Node) -> Result<Id, WeightsErrorKind> {
        if let Node::Text(text) = &node {
            self.text += text.len();
        }
        match u32::try_from(self.nodes.len()) {
            Ok(id) if self.text <= MAX_TEXT => {
                self.nodes.push(node);
                Ok(Id(id))
            }
            _ => malformed("it holds too much text"),
        }
    }

    pub(super) fn step(&mut self) -> Result<(), WeightsErrorKind> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return malformed(format!("it has more than {MAX_STEPS} opcodes"));
        }
        Ok(())
    }

    pub(in crate::weights) fn get(&self, id: Id) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&Node::Plain)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// A dictionary key or storage name: text, or a number as text.
    pub(in crate::weights) fn text(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Node::Text(text) => Some(text.clone()),
            Node::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(in crate::weights) fn count(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Node::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A tuple of sizes.
    pub(super) fn counts(&self, id: Id) -> Option<Vec<usize>> {
        self.seq(id)?.iter().map(|&id| self.count(id)).collect()
    }

    pub(in crate::weights) fn seq(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The value under a key of a dictionary.
    fn item(&self, dict: Id, key: &str) -> Option<Id> {
        let Node::Dict(items) = self.get(dict) else {
            return None;
        };
        let is_key = |id: Id| matches!(self.get(id), Node::Text(text) if text == key);
        let found = items.iter().rev().find(|(id, _)| is_key(*id));
        found.map(|(_, value)| *value)
    }

    /// The tables of a `torch.nn.Module` in its `__dict__`: parameters, buffers, modules.
    pub(in crate::weights) fn module_tables(&self, object: &Object) -> Option<[Id; 3]> {
        let table = |name| self.item(object.state?, name);
        Some([
            table("_parameters")?,
            table("_buffers")?,
            table("_modules")?,
        ])
    }

    /// A class that some value holds, and that `is_wanted` by module and name.
    pub(super) fn held_class(&self, is_wanted: impl Fn(&str, &str) -> bool) -> Option<String> {
        let wanted = |id: &Id| match self.get(*id) {
            Node::Class { module, name } if is_wanted(module, name) => {
                Some(format!("{module}.{name}"))
            }
            _ => None,
        };
        let of_pairs = |pairs: &[(Id, Id)]| pairs.iter().find_map(|(k, v)| wanted(k).or(wanted(v)));
        self.nodes.iter().find_map(|node| match node {
            Node::Seq(items) => items.iter().find_map(wanted),
            Node::Dict(pairs) => of_pairs(pairs),
            Node::Object(object) => {
                of_pairs(&object.items).or(object.state.as_ref().and_then(wanted))
            }
            _ => None,
        })
    }

    /// A description of a value in which no named tensors were found.
    pub(in crate::weights) fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Node::Plain | Node::Int(_) | Node::ArrayType(_) => "a single value".into(),
            Node::Bytes(_) => "bytes".into(),
            Node::Text(_) => "a string".into(),
            Node::Seq(_) => "a list without tensors".into(),
            Node::Dict(_) => "a dict without tensors".into(),
            Node::Class { module, name } => format!("the class {module}.{name}"),
            Node::Storage(_) => "a bare storage".into(),
            Node::Tensor(_) => "a single tensor".into(),
            Node::Object(object) => format!("a {} object", object.class),
        }
    }
}
