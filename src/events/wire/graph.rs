//! A `GraphDef`, read field by field.

use protobuf::wire_format::WireType::{self, WireTypeLengthDelimited};

use super::super::graph::{Graph, GraphNode, OUTPUT_SHAPES};
use super::{Parsed, Stream, dimension, fields, nested};

/// `None` when it is not as this tool writes it.
///
/// Source: `tensorboard/compat/proto/graph.proto`, `GraphDef`.
pub(in super::super) fn graph(bytes: &[u8]) -> Option<Graph> {
    let mut graph = Graph::default();
    let mut known = true;
    let mut stream = Stream::from_bytes(bytes);
    stream.push_limit(bytes.len() as u64).ok()?;
    fields(&mut stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => match node(stream)? {
                Some(node) => graph.nodes.push(node),
                None => known = false,
            },
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })
    .ok()?;
    Some(graph).filter(|graph| known && graph.check().is_ok())
}

/// Source: `node_def.proto`, `NodeDef`.
fn node(stream: &mut Stream<'_>) -> Parsed<Option<GraphNode>> {
    let mut node = GraphNode::default();
    let mut known = true;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => node.name = stream.read_string()?,
            (2, WireTypeLengthDelimited) => node.op = stream.read_string()?,
            (3, WireTypeLengthDelimited) => node.inputs.push(stream.read_string()?),
            (5, WireTypeLengthDelimited) => known &= attribute(stream, &mut node)?,
            _ => known = foreign(stream, wire)?,
        }
        Ok(())
    })?;
    Ok(known.then_some(node))
}

/// A value of an attribute that this tool writes.
enum Attribute {
    Text(String),
    Shape(Vec<i64>),
}

/// An entry of the map `NodeDef.attr`; false when it is of another form.
fn attribute(stream: &mut Stream<'_>, node: &mut GraphNode) -> Parsed<bool> {
    let mut name = String::new();
    let mut found = None;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => name = stream.read_string()?,
            (2, WireTypeLengthDelimited) => found = attribute_value(stream)?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    match found {
        Some(Attribute::Text(text)) if name != OUTPUT_SHAPES => {
            node.attributes.insert(name, text);
        }
        Some(Attribute::Shape(shape)) if name == OUTPUT_SHAPES => node.shape = Some(shape),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Source: `attr_value.proto`, `AttrValue`.
fn attribute_value(stream: &mut Stream<'_>) -> Parsed<Option<Attribute>> {
    let mut value = None;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => value = one_shape(stream)?.map(Attribute::Shape),
            (2, WireTypeLengthDelimited) => {
                let text = String::from_utf8(stream.read_bytes()?);
                value = text.ok().map(Attribute::Text);
            }
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(value)
}

/// Source: `attr_value.proto`, `AttrValue.ListValue`.
fn one_shape(stream: &mut Stream<'_>) -> Parsed<Option<Vec<i64>>> {
    let mut shapes = Vec::new();
    let mut known = true;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (7, WireTypeLengthDelimited) => match known_shape(stream)? {
                Some(shape) => shapes.push(shape),
                None => known = false,
            },
            _ => known = foreign(stream, wire)?,
        }
        Ok(())
    })?;
    Ok(shapes.pop().filter(|_| known && shapes.is_empty()))
}

/// `None` when even the number of dimensions is unknown.
fn known_shape(stream: &mut Stream<'_>) -> Parsed<Option<Vec<i64>>> {
    let mut shape = Vec::new();
    let mut known = true;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (2, WireTypeLengthDelimited) => shape.push(dimension(stream)?),
            _ => known = foreign(stream, wire)?,
        }
        Ok(())
    })?;
    Ok(known.then_some(shape))
}

/// Steps over a field that this tool does not write: false, for the message is not known any more.
fn foreign(stream: &mut Stream<'_>, wire: WireType) -> Parsed<bool> {
    stream.skip_field(wire)?;
    Ok(false)
}
