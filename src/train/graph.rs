//! The network as TensorBoard's Graphs tab draws it.

use std::iter;

use crate::network::vgg::Variant;
use crate::network::{Architecture, LayerKind};
use tensorboard_events::{Graph, GraphNode};

/// The graph of a whole network for images of this size, `[height, width]`. `classifier` are the outputs of its three
/// layers. Blocks open on a double click.
pub(crate) fn graph(variant: &Variant, classifier: [usize; 3], size: [usize; 2]) -> Graph {
    // That the images are large enough was checked before.
    let layers = variant.layers();
    let shapes = variant.output_shapes(&layers, size).unwrap_or_default();
    let pooled = shapes.last().map_or(0, |shape| shape[0]);
    let mut nodes = Nodes(Vec::new());
    nodes.push(
        "input",
        "Placeholder",
        &[variant.input_channels, size[0], size[1]],
    );
    let mut block = 1;
    for (layer, shape) in layers.iter().zip(&shapes) {
        let (op, attributes): (_, &[_]) = match layer.kind {
            LayerKind::Convolution => ("Conv2d", &[("kernel_size", "3 x 3"), ("padding", "1")]),
            LayerKind::MaxPool => ("MaxPool2d", &[("kernel_size", "2 x 2"), ("stride", "2")]),
            LayerKind::BatchNorm => ("BatchNorm2d", &[]),
            _ => ("ReLU", &[]),
        };
        let node = nodes.push(format!("features/block{block}/{}", layer.tag()), op, shape);
        let attributes = attributes.iter().map(|(name, text)| (*name, *text));
        node.attributes = attributes
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        block += usize::from(layer.kind == LayerKind::MaxPool);
    }
    nodes.push("avgpool", "AdaptiveAvgPool2d", &[pooled, 7, 7]);
    for (at, outputs) in classifier.into_iter().enumerate() {
        for (offset, (name, op)) in [
            ("linear", "Linear"),
            ("relu", "ReLU"),
            ("dropout", "Dropout"),
        ]
        .into_iter()
        .enumerate()
        .take(if at < 2 { 3 } else { 1 })
        {
            let name = format!("classifier/{}_{name}{}", at * 3 + offset, at + 1);
            nodes.push(name, op, &[outputs]);
        }
    }
    // A scalar, without a batch.
    nodes.push("loss", "CrossEntropyLoss", &[]).shape = Some(Vec::new());
    Graph { nodes: nodes.0 }
}

/// Nodes, each the input of the next.
struct Nodes(Vec<GraphNode>);

impl Nodes {
    /// Adds a node; `shape` is that of one image. A dimension of -1 is the batch.
    fn push(&mut self, name: impl Into<String>, op: &str, shape: &[usize]) -> &mut GraphNode {
        let lengths = shape
            .iter()
            .map(|size| i64::try_from(*size).unwrap_or(i64::MAX));
        let inputs = self.0.last().map(|node| node.name.clone());
        self.0.push_mut(GraphNode {
            name: name.into(),
            op: op.to_owned(),
            inputs: inputs.into_iter().collect(),
            shape: Some(iter::once(-1).chain(lengths).collect()),
            attributes: std::collections::BTreeMap::new(),
        })
    }
}
