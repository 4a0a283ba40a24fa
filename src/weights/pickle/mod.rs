//! Reading pickles without running them.
//!
//! A pickle is a program for a stack machine that builds values. [`machine`] runs that program on
//! values of our own, [`Node`]s, in a [`Heap`]: dictionaries, lists, strings and numbers become
//! what they are, the calls that rebuild tensors become [`TensorView`]s ([`rebuild`]), and every
//! other call or object becomes an inert [`Object`] that remembers the name of its class. Nothing
//! is imported and nothing is called. A name that could run code ends the reading at once
//! ([`danger`]).
//!
//! Nodes are referred to by [`Id`], so values that Python shares are shared here too, however
//! often the pickle fetches them from its memo.
//!
//! Source: `pickletools.py` of `CPython`, which documents every opcode; `torch/serialization.py`
//! and `torch/_utils.py` for what `torch.save` puts into one.

mod danger;
mod machine;
mod rebuild;

use std::collections::HashMap;
use std::io;

use thiserror::Error;

use super::dtype::DType;
use super::problem::{Problem, cut_or_io};

pub(super) use machine::load;
pub(super) use rebuild::{storage_type, view};

/// Most opcodes that one file's pickles may have, which bounds what they make. A checkpoint with
/// an optimiser has some ten thousand.
const MAX_STEPS: u32 = 16 << 20;

/// Most bytes of text that one file's pickles may hold.
const MAX_TEXT: usize = 256 << 20;

/// A value in a [`Heap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

/// A value of a pickle.
#[derive(Debug)]
pub(super) enum Node {
    /// Something whose value does not matter here: `None`, a float, bytes.
    Plain,
    Int(i64),
    Text(String),
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
    Object(Object),
}

/// A Python object that is not interpreted.
#[derive(Debug)]
pub(super) struct Object {
    /// Its class, or the callable that made it: `module.name`.
    pub(super) class: String,
    /// What it holds as a mapping, if it is a subclass of `dict`.
    pub(super) items: Vec<(Id, Id)>,
    /// Its `__dict__`, or whatever `__setstate__` would get.
    pub(super) state: Option<Id>,
}

/// A `torch` storage, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct StorageView {
    /// Its name in the container.
    pub(super) key: String,
    /// The type that its class stands for; `None` if it is untyped bytes.
    pub(super) dtype: Option<DType>,
    /// First element of the part.
    pub(super) offset: usize,
    /// One past the last element that may be reached.
    pub(super) end: usize,
}

/// A `torch` tensor: a view of a storage. Counts are in elements.
#[derive(Debug, Clone)]
pub(super) struct TensorView {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// The storage's key, the first element in it and the stride; `None` for a tensor of a kind
    /// that has no plain storage (sparse, quantised).
    pub(super) data: Option<(String, usize, Vec<usize>)>,
}

/// Why a pickle cannot be read.
#[derive(Debug, Error)]
pub(super) enum PickleError {
    #[error("its pickle cannot be read")]
    Io(#[from] io::Error),
    #[error("its pickle is malformed: {0}")]
    Malformed(String),
    #[error("its pickle calls {0}")]
    RunsCode(String),
}

impl From<PickleError> for Problem {
    fn from(error: PickleError) -> Self {
        match error {
            PickleError::Io(error) => cut_or_io(error, "its pickle"),
            PickleError::Malformed(_) => Self::Damaged(error.to_string()),
            PickleError::RunsCode(callable) => Self::RunsCode { callable },
        }
    }
}

fn malformed<T>(what: impl Into<String>) -> Result<T, PickleError> {
    Err(PickleError::Malformed(what.into()))
}

/// The values of a file's pickles, and what they say about its storages.
#[derive(Debug)]
pub(super) struct Heap {
    nodes: Vec<Node>,
    steps: u32,
    text: usize,
    /// Bytes and element size of each storage, as far as persistent ids mention it.
    pub(super) storages: HashMap<String, (usize, usize)>,
    /// Tensors that persistent ids name directly, as the tar format's do.
    pub(super) tensors: HashMap<String, TensorView>,
}

impl Heap {
    /// The one node for all values that do not matter.
    const PLAIN: Id = Id(0);

    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::Plain],
            steps: 0,
            text: 0,
            storages: HashMap::new(),
            tensors: HashMap::new(),
        }
    }

    fn add(&mut self, node: Node) -> Result<Id, PickleError> {
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

    /// Counts an opcode.
    fn step(&mut self) -> Result<(), PickleError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return malformed(format!("it has more than {MAX_STEPS} opcodes"));
        }
        Ok(())
    }

    pub(super) fn get(&self, id: Id) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&Node::Plain)
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// A dictionary key or storage name: text, or a number as text.
    pub(super) fn text(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Node::Text(text) => Some(text.clone()),
            Node::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn count(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Node::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn seq(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The value under a key of a dictionary.
    pub(super) fn item(&self, dict: Id, key: &str) -> Option<Id> {
        let Node::Dict(items) = self.get(dict) else {
            return None;
        };
        let is_key = |id: Id| matches!(self.get(id), Node::Text(text) if text == key);
        items
            .iter()
            .rev()
            .find(|(id, _)| is_key(*id))
            .map(|(_, value)| *value)
    }

    /// Whether an object is a `torch.nn.Module`: its `__dict__` has the three tables.
    pub(super) fn is_module(&self, object: &Object) -> bool {
        object.state.is_some_and(|state| {
            ["_parameters", "_buffers", "_modules"]
                .iter()
                .all(|table| self.item(state, table).is_some())
        })
    }

    /// What a person would call a value in which no named tensors were found.
    pub(super) fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Node::Plain | Node::Int(_) => "a single value".into(),
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
