//! The model as TensorBoard's Graphs tab draws it.
//!
//! Source: `tensorboard/compat/proto/{graph,node_def,attr_value}.proto`; the two loaders and
//! `tensorboard/plugins/graph` show the `graph_def` of an event under the tag `__run_graph__`.

use std::collections::{BTreeMap, HashSet};
use std::io;

use protobuf::{Message, RepeatedField};
use tensorboard_proto::attr_value::{
    AttrValue, AttrValue_ListValue, AttrValue_oneof_value as Attribute,
};
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::node_def::NodeDef;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::versions::VersionDef;

use crate::lengths;

/// The tag under which both loaders of TensorBoard hand out the graph of a run.
pub(crate) const GRAPH_TAG: &str = "__run_graph__";

/// The attribute from which the tab takes what it writes next to an edge.
const OUTPUT_SHAPES: &str = "_output_shapes";

/// The format of graphs; `torch.utils.tensorboard` writes the same.
const PRODUCER: i32 = 22;

/// A model: what is computed from what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// Its nodes, in any order.
    pub nodes: Vec<GraphNode>,
}

/// One node of a [`Graph`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GraphNode {
    /// Its name. What stands before a `/` is a box around it, which the tab opens on a double click.
    pub name: String,
    /// What it does, such as `Conv2d`.
    pub op: String,
    /// The names of the nodes it takes from; with `:k` behind it for output `k` of several, with `^` before it for
    /// one that only has to be done earlier.
    pub inputs: Vec<String>,
    /// The shape of what it gives, with -1 for a length that may be any; `None` when not known.
    pub shape: Option<Vec<i64>>,
    /// What else the tab shows of it. One called `_output_shapes` gives way to `shape`.
    pub attributes: BTreeMap<String, String>,
}

/// Why a graph is not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A node has no name.
    #[error("node {index} (`{op}`) has no name")]
    NoName {
        /// Which of the nodes, from 0.
        index: usize,
        /// What it does.
        op: String,
    },
    /// Two nodes have one name.
    #[error("two nodes are called `{0}`, expected different names")]
    NameTwice(String),
    /// The tab draws no edge to a node that is not there.
    #[error("node `{node}` takes from `{input}`, which is no node of the graph")]
    UnknownInput {
        /// The node.
        node: String,
        /// What it takes from.
        input: String,
    },
}

impl Graph {
    /// Whether the tab would draw all of it.
    pub(crate) fn check(&self) -> Result<(), GraphError> {
        let mut names = HashSet::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            if node.name.is_empty() {
                let op = node.op.clone();
                return Err(GraphError::NoName { index, op });
            }
            if !names.insert(node.name.as_str()) {
                return Err(GraphError::NameTwice(node.name.clone()));
            }
        }
        for node in &self.nodes {
            let mut inputs = node.inputs.iter();
            if let Some(input) = inputs.find(|input| !names.contains(source(input))) {
                return Err(GraphError::UnknownInput {
                    node: node.name.clone(),
                    input: input.clone(),
                });
            }
        }
        Ok(())
    }

    /// The bytes of its `GraphDef`.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let versions = VersionDef {
            producer: PRODUCER,
            ..VersionDef::default()
        };
        let message = GraphDef {
            node: self.nodes.iter().map(GraphNode::message).collect(),
            versions: Some(versions).into(),
            ..GraphDef::default()
        };
        message.write_to_bytes().map_err(io::Error::from)
    }

    /// The graph of a `GraphDef`; `None` when that is not of a form that this crate writes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let message: GraphDef = lengths::parse(bytes, &lengths::GRAPH).ok()?;
        let nodes = message.node.into_iter().map(GraphNode::read);
        let nodes = nodes.collect::<Option<_>>()?;
        Some(Self { nodes }).filter(|graph| graph.check().is_ok())
    }
}

impl GraphNode {
    fn message(&self) -> NodeDef {
        let text = |text: &String| Attribute::s(text.as_bytes().to_vec());
        let texts = self.attributes.iter();
        let texts = texts.map(|(name, value)| (name.clone(), text(value)));
        let shape = self.shape.iter().map(|shape| {
            let list = AttrValue_ListValue {
                shape: vec![tensor_shape(shape)].into(),
                ..AttrValue_ListValue::default()
            };
            (OUTPUT_SHAPES.to_owned(), Attribute::list(list))
        });
        let attribute = |value| AttrValue {
            value: Some(value),
            ..AttrValue::default()
        };
        NodeDef {
            name: self.name.clone(),
            op: self.op.clone(),
            input: RepeatedField::from_slice(&self.inputs),
            attr: texts
                .chain(shape)
                .map(|(name, value)| (name, attribute(value)))
                .collect(),
            ..NodeDef::default()
        }
    }

    fn read(message: NodeDef) -> Option<Self> {
        if !message.device.is_empty() || message.unknown_fields.fields.is_some() {
            return None;
        }
        let mut node = Self {
            name: message.name,
            op: message.op,
            inputs: message.input.into_vec(),
            ..Self::default()
        };
        for (name, attribute) in message.attr {
            match attribute.value? {
                Attribute::s(text) if name != OUTPUT_SHAPES => {
                    node.attributes.insert(name, String::from_utf8(text).ok()?);
                }
                Attribute::list(list) if name == OUTPUT_SHAPES => {
                    node.shape = Some(only_shape(list)?);
                }
                _ => return None,
            }
        }
        Some(node)
    }
}

/// The node that an input names.
fn source(input: &str) -> &str {
    let name = input.strip_prefix('^').unwrap_or(input);
    match name.rsplit_once(':') {
        Some((name, output)) if output.parse::<u32>().is_ok() => name,
        _ => name,
    }
}

fn only_shape(mut list: AttrValue_ListValue) -> Option<Vec<i64>> {
    let mut shapes = list.take_shape().into_vec();
    let shape = shapes.pop()?;
    if !shapes.is_empty() || list != AttrValue_ListValue::new() || shape.unknown_rank {
        return None;
    }
    Some(shape.dim.iter().map(|dim| dim.size).collect())
}

pub(crate) fn tensor_shape(sizes: &[i64]) -> TensorShapeProto {
    let dim = |&size| TensorShapeProto_Dim {
        size,
        ..TensorShapeProto_Dim::default()
    };
    TensorShapeProto {
        dim: sizes.iter().map(dim).collect(),
        ..TensorShapeProto::default()
    }
}
