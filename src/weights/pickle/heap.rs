//! The values that a pickle makes.

use std::collections::HashMap;
use std::fmt::Display;

use super::super::dtype::DType;
use super::super::error::WeightsErrorKind;
use super::super::tensor::Tensor;

/// Most opcodes that one file's pickles may have; as many as it has bytes are always allowed, but no more than
/// [`MAX_STEPS`]. A checkpoint with an optimizer has some ten thousand.
const STEPS: u64 = 1 << 20;
const MAX_STEPS: u64 = 16 << 20;

/// Most bytes that the values of one file's pickles may take, by [`Node::size`]; with the file's length no more than
/// [`MAX_BYTES`].
const BYTES: u64 = 32 << 20;
const MAX_BYTES: u64 = 256 << 20;

/// Most dimensions of a tensor.
const MAX_RANK: usize = 64;

/// A value, by which values that Python shares are shared here too, however often the pickle
/// fetches them from its memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::weights) struct Id(u32);

#[derive(Debug)]
pub(in crate::weights) enum Node {
    /// Something whose value does not matter here: `None`, a float, bytes.
    Plain,
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
pub(in crate::weights) struct Object {
    /// Its class, or the callable that made it: `module.name`. Empty for a `dict` or `OrderedDict`.
    pub(in crate::weights) class: String,
    pub(in crate::weights) items: Vec<(Id, Id)>,
    /// Its `__dict__`, or whatever `__setstate__` would get.
    pub(in crate::weights) state: Option<Id>,
}

/// A `torch` storage, or a part of one.
#[derive(Debug, Clone)]
pub(in crate::weights) struct StorageView {
    pub(super) key: String,
    /// The type that its class stands for; `None` if it is untyped bytes.
    pub(super) dtype: Option<DType>,
    pub(super) start: usize,
    pub(super) end: usize,
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
    /// Opcodes that a file of this length may have.
    pub(in crate::weights) limit: u64,
    /// Opcodes, and bytes of values, that are still allowed.
    steps: u64,
    bytes: u64,
    /// How many elements each storage has, and the bytes of one; their product does not overflow.
    pub(in crate::weights) storages: HashMap<String, [usize; 2]>,
}

impl Heap {
    pub(super) const PLAIN: Id = Id(0);

    /// For a file of `length` bytes, which bounds what its pickles may make.
    pub(in crate::weights) fn new(length: u64) -> Self {
        let limit = length.clamp(STEPS, MAX_STEPS);
        Self {
            nodes: vec![Node::Plain],
            limit,
            steps: limit,
            bytes: (BYTES.saturating_add(length)).min(MAX_BYTES),
            storages: HashMap::new(),
        }
    }

    pub(super) fn step(&mut self) -> Result<(), WeightsErrorKind> {
        match self.steps.checked_sub(1) {
            Some(left) => self.steps = left,
            None => return malformed("it has too many opcodes for so small a file"),
        }
        Ok(())
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), WeightsErrorKind> {
        match self.bytes.checked_sub(bytes as u64) {
            Some(left) => self.bytes = left,
            None => return malformed("it holds too much"),
        }
        Ok(())
    }

    pub(super) fn add(&mut self, node: Node) -> Result<Id, WeightsErrorKind> {
        self.take(node.size())?;
        // A node takes more than a byte, so they are fewer than 2^32.
        let id = u32::try_from(self.nodes.len()).or_else(|_| malformed("it holds too much"))?;
        self.nodes.push(node);
        Ok(Id(id))
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
            Node::Text(text) => Some(text.to_string()),
            Node::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn is_text(&self, id: Id, wanted: &str) -> bool {
        matches!(self.get(id), Node::Text(text) if **text == *wanted)
    }

    pub(in crate::weights) fn count(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Node::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A tuple of sizes.
    pub(super) fn counts(&self, id: Id) -> Option<Vec<usize>> {
        let sizes = self.seq(id).filter(|sizes| sizes.len() <= MAX_RANK)?;
        sizes.iter().map(|&id| self.count(id)).collect()
    }

    pub(in crate::weights) fn seq(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The tables of a `torch.nn.Module` in its `__dict__`: parameters, buffers, modules.
    pub(in crate::weights) fn module_tables(&self, module: &Object) -> Option<[Id; 3]> {
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
}
