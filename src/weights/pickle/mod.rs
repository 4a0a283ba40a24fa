//! Reading pickles without running them.
//!
//! A pickle is a program for a stack machine that builds values. `machine` runs that program on
//! [`Node`]s: dictionaries, lists, strings and integers become what they are, the calls that
//! rebuild tensors become views of storages (`rebuild`), and every other call or object becomes an
//! inert object that remembers the name of its class. Nothing is imported and nothing is called. A
//! name that could run code ends the reading at once (`danger`).
//!
//! Source: `pickletools.py` of `CPython`, which documents every opcode; `torch/serialization.py`
//! and `torch/_utils.py` for what `torch.save` puts into one.

mod danger;
mod machine;
mod rebuild;

use std::collections::HashMap;
use std::fmt::Display;

use super::dtype::DType;
use super::error::WeightsErrorKind;
use super::tensor::Tensor;

pub(super) use machine::load;

/// Most opcodes that one file's pickles may have. A checkpoint with an optimizer has some ten
/// thousand.
const MAX_STEPS: u32 = 16 << 20;

/// Most bytes that the values of one file's pickles may take, by [`Node::size`].
const MAX_BYTES: usize = 256 << 20;

/// Most dimensions of a tensor.
const MAX_RANK: usize = 64;

/// A value, by which values that Python shares are shared here too, however often the pickle
/// fetches them from its memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) enum Node {
    /// Something whose value does not matter here: `None`, a float, bytes.
    Plain,
    /// An integer; `True` is 1.
    Int(i64),
    Text(Box<str>),
    /// A list, a tuple or a set.
    Seq(Vec<Id>),
    /// A class or function, by module and name.
    Class(Box<[String; 2]>),
    Object(Box<Object>),
    Storage(Box<StorageView>),
    Tensor(Box<Tensor>),
}

impl Node {
    /// Bytes that a value takes, or a few more.
    fn size(&self) -> usize {
        const BOXED: usize = 160;
        let boxed = match self {
            Self::Plain | Self::Int(_) => 0,
            Self::Text(text) => text.len(),
            Self::Seq(items) => size_of_val(&**items),
            Self::Class(class) => BOXED + class[0].len() + class[1].len(),
            Self::Object(made) => BOXED + made.class.len() + size_of_val(&*made.items),
            Self::Storage(storage) => BOXED + storage.key.len(),
            Self::Tensor(tensor) => BOXED + tensor.names_size(),
        };
        size_of::<Self>() + boxed
    }
}

/// A `dict`, or a Python object that is not interpreted.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Its class, or the callable that made it: `module.name`. Empty for a `dict` or `OrderedDict`.
    pub(super) class: String,
    /// What it holds as a mapping.
    pub(super) items: Vec<(Id, Id)>,
    /// Its `__dict__`, or whatever `__setstate__` would get.
    pub(super) state: Option<Id>,
}

/// A `torch` storage, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct StorageView {
    /// Its name in the container.
    key: String,
    /// The type that its class stands for; `None` if it is untyped bytes.
    dtype: Option<DType>,
    /// Its first element.
    start: usize,
    /// One past its last element.
    end: usize,
}

/// The bytes of a storage and of its elements, as its persistent id gives them.
#[derive(Debug, Clone, Copy)]
pub(super) struct StorageSize {
    pub(super) bytes: usize,
    pub(super) element: usize,
}

fn malformed<T>(what: impl Display) -> Result<T, WeightsErrorKind> {
    Err(WeightsErrorKind::Damaged(format!(
        "its pickle is malformed: {what}"
    )))
}

/// The values of a file's pickles, and what they say about its storages.
#[derive(Debug)]
pub(super) struct Heap {
    nodes: Vec<Node>,
    steps: u32,
    bytes: usize,
    pub(super) storages: HashMap<String, StorageSize>,
}

impl Heap {
    const PLAIN: Id = Id(0);

    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::Plain],
            steps: 0,
            bytes: 0,
            storages: HashMap::new(),
        }
    }

    fn add(&mut self, node: Node) -> Result<Id, WeightsErrorKind> {
        self.bytes += node.size();
        match u32::try_from(self.nodes.len()) {
            Ok(id) if self.bytes <= MAX_BYTES => {
                self.nodes.push(node);
                Ok(Id(id))
            }
            _ => malformed("it holds too much"),
        }
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
            Node::Text(text) => Some(text.to_string()),
            Node::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn is_text(&self, id: Id, wanted: &str) -> bool {
        matches!(self.get(id), Node::Text(text) if **text == *wanted)
    }

    pub(super) fn count(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Node::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A tuple of sizes.
    fn counts(&self, id: Id) -> Option<Vec<usize>> {
        let sizes = self.seq(id).filter(|sizes| sizes.len() <= MAX_RANK)?;
        sizes.iter().map(|&id| self.count(id)).collect()
    }

    pub(super) fn seq(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The tables of a `torch.nn.Module` in its `__dict__`: parameters, buffers, modules.
    pub(super) fn module_tables(&self, module: &Object) -> Option<[Id; 3]> {
        let Node::Object(fields) = self.get(module.state?) else {
            return None;
        };
        let table = |name: &str| {
            let mut newest_first = fields.items.iter().rev();
            newest_first.find_map(|&(key, value)| self.is_text(key, name).then_some(value))
        };
        Some([
            table("_parameters")?,
            table("_buffers")?,
            table("_modules")?,
        ])
    }

    /// A description of a value in which no named tensors were found.
    pub(super) fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Node::Seq(_) => "a list without tensors".into(),
            Node::Object(object) if object.class.is_empty() => "a dict without tensors".into(),
            Node::Object(object) => format!("a {} object", object.class),
            Node::Tensor(_) => "a single tensor".into(),
            _ => "a single value".into(),
        }
    }
}
