//! The model as TensorBoard's Graphs tab draws it.
//!
//! Source: `tensorboard/compat/proto/{graph,node_def,attr_value}.proto`; the two loaders and
//! `tensorboard/plugins/graph` show the `graph_def` of an event under the tag `__run_graph__`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use protobuf::{Message, RepeatedField};
use tensorboard_proto::attr_value::{AttrValue, AttrValue_ListValue};
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::node_def::NodeDef;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::versions::VersionDef;

/// The tag under which both loaders of TensorBoard hand out the graph of a run.
pub(super) const GRAPH_TAG: &str = "__run_graph__";

/// The attribute from which the tab takes what it writes beside an edge.
pub(super) const OUTPUT_SHAPES: &str = "_output_shapes";

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
    /// Its name. What stands before a `/` is a box around it, which the tab opens on a double
    /// click.
    pub name: String,
    /// What it does, such as `Conv2d`.
    pub op: String,
    /// The names of the nodes it takes from; with `:k` behind it for output `k` of several, with
    /// `^` before it for one that only has to be done earlier.
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
    pub(super) fn check(&self) -> Result<(), GraphError> {
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
            for input in &node.inputs {
                if !names.contains(source(input)) {
                    return Err(GraphError::UnknownInput {
                        node: node.name.clone(),
                        input: input.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The bytes of its `GraphDef`.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut versions = VersionDef::new();
        versions.set_producer(PRODUCER);
        let mut message = GraphDef::new();
        message.set_node(self.nodes.iter().map(GraphNode::message).collect());
        message.set_versions(versions);
        message.write_to_bytes().map_err(io::Error::from)
    }
}

impl GraphNode {
    fn message(&self) -> NodeDef {
        let mut attributes: HashMap<_, _> = self
            .attributes
            .iter()
            .map(|(name, text)| (name.clone(), text_attribute(text)))
            .collect();
        if let Some(shape) = &self.shape {
            attributes.insert(OUTPUT_SHAPES.to_owned(), shape_attribute(shape));
        }
        let mut message = NodeDef::new();
        message.set_name(self.name.clone());
        message.set_op(self.op.clone());
        message.set_input(RepeatedField::from_slice(&self.inputs));
        message.set_attr(attributes);
        message
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

fn text_attribute(text: &str) -> AttrValue {
    let mut attribute = AttrValue::new();
    attribute.set_s(text.as_bytes().to_vec());
    attribute
}

fn shape_attribute(shape: &[i64]) -> AttrValue {
    let mut list = AttrValue_ListValue::new();
    list.set_shape(RepeatedField::from_vec(vec![tensor_shape(shape)]));
    let mut attribute = AttrValue::new();
    attribute.set_list(list);
    attribute
}

pub(super) fn tensor_shape(sizes: &[i64]) -> TensorShapeProto {
    let dims = sizes.iter().map(|&size| {
        let mut dim = TensorShapeProto_Dim::new();
        dim.set_size(size);
        dim
    });
    let mut shape = TensorShapeProto::new();
    shape.set_dim(dims.collect());
    shape
}
