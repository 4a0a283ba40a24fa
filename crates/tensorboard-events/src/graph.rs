//! The model as TensorBoard's Graphs tab draws it.
//!
//! Source: `tensorboard/compat/proto/{graph,node_def,attr_value}.proto`; the two loaders and
//! `tensorboard/plugins/graph` show the `graph_def` of an event under the tag `__run_graph__`.

use std::collections::{BTreeMap, HashSet};

use protobuf::RepeatedField;
use tensorboard_proto::attr_value::{
    AttrValue, AttrValue_ListValue, AttrValue_oneof_value as Attribute,
};
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::node_def::NodeDef;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::versions::VersionDef;

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

    pub(crate) fn message(&self) -> GraphDef {
        let versions = VersionDef {
            producer: PRODUCER,
            ..VersionDef::default()
        };
        GraphDef {
            node: self.nodes.iter().map(GraphNode::message).collect(),
            versions: Some(versions).into(),
            ..GraphDef::default()
        }
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
}

/// The node that an input names.
fn source(input: &str) -> &str {
    let name = input.strip_prefix('^').unwrap_or(input);
    match name.rsplit_once(':') {
        Some((name, output)) if output.parse::<u32>().is_ok() => name,
        _ => name,
    }
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
