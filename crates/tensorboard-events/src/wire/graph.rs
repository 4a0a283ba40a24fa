//! The bytes of a `GraphDef`, as a graph.

use tensorboard_proto::attr_value::{AttrValue_ListValue, AttrValue_oneof_value as Attribute};
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::node_def::NodeDef;

use super::lengths;
use crate::graph::{Graph, GraphNode, OUTPUT_SHAPES};

/// `None` when it is not as this tool writes it.
///
/// Source: `tensorboard/compat/proto/{graph,node_def,attr_value}.proto`.
pub(crate) fn graph(bytes: &[u8]) -> Option<Graph> {
    let message = lengths::graph::<GraphDef>(bytes).ok()?;
    let nodes = message.node.into_iter().map(node);
    let nodes = nodes.collect::<Option<_>>()?;
    Some(Graph { nodes }).filter(|graph| graph.check().is_ok())
}

fn node(message: NodeDef) -> Option<GraphNode> {
    if !message.device.is_empty() || message.unknown_fields.fields.is_some() {
        return None;
    }
    let mut node = GraphNode {
        name: message.name,
        op: message.op,
        inputs: message.input.into_vec(),
        ..GraphNode::default()
    };
    for (name, attribute) in message.attr {
        match attribute.value? {
            Attribute::s(text) if name != OUTPUT_SHAPES => {
                node.attributes.insert(name, String::from_utf8(text).ok()?);
            }
            Attribute::list(list) if name == OUTPUT_SHAPES => node.shape = Some(only_shape(list)?),
            _ => return None,
        }
    }
    Some(node)
}

fn only_shape(mut list: AttrValue_ListValue) -> Option<Vec<i64>> {
    let mut shapes = list.take_shape().into_vec();
    let shape = shapes.pop()?;
    if !shapes.is_empty() || list != AttrValue_ListValue::new() || shape.unknown_rank {
        return None;
    }
    Some(shape.dim.iter().map(|dim| dim.size).collect())
}
