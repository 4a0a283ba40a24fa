//! The network as TensorBoard's Graphs tab draws it.

use std::collections::BTreeMap;

use crate::network::vgg::Variant;
use crate::network::{Architecture, LayerKind};
use tensorboard_events::{Graph, GraphNode};

/// The graph of a whole network for images of `side` pixels square. `classifier` are the outputs of its three
/// layers. Blocks open on a double click; a dimension of -1 is the batch.
pub(crate) fn graph(variant: &Variant, classifier: [usize; 3], side: usize) -> Graph {
    // That the images are large enough was checked before.
    let shapes = variant.output_shapes([side, side]).unwrap_or_default();
    let channels = variant.input_channels;
    let pooled = shapes.last().map_or(0, |shape| shape[0]);
    let mut block = 1;
    let mut chain = Chain::default();
    chain.push(
        "input".to_owned(),
        "Placeholder",
        Some(vec![-1, length(channels), length(side), length(side)]),
        &[],
    );
    for (layer, [channels, height, width]) in variant.layers().iter().zip(shapes) {
        let attributes: &[(&str, &str)] = match layer.kind {
            LayerKind::Convolution => &[("kernel_size", "3 x 3"), ("padding", "1")],
            LayerKind::MaxPool => &[("kernel_size", "2 x 2"), ("stride", "2")],
            LayerKind::BatchNorm | LayerKind::Relu => &[],
        };
        let op = match layer.kind {
            LayerKind::Convolution => "Conv2d",
            LayerKind::BatchNorm => "BatchNorm2d",
            LayerKind::Relu => "ReLU",
            LayerKind::MaxPool => "MaxPool2d",
        };
        chain.push(
            format!("features/block{block}/{}", layer.tag()),
            op,
            Some(vec![-1, length(channels), length(height), length(width)]),
            attributes,
        );
        block += usize::from(layer.kind == LayerKind::MaxPool);
    }
    let flat = Some(vec![-1, length(pooled), 7, 7]);
    chain.push("avgpool".to_owned(), "AdaptiveAvgPool2d", flat, &[]);
    for (at, outputs) in classifier.into_iter().enumerate() {
        let shape = || Some(vec![-1, length(outputs)]);
        chain.push(
            format!("classifier/{}_linear{}", at * 3, at + 1),
            "Linear",
            shape(),
            &[],
        );
        if at < 2 {
            chain.push(
                format!("classifier/{}_relu{}", at * 3 + 1, at + 1),
                "ReLU",
                shape(),
                &[],
            );
            chain.push(
                format!("classifier/{}_dropout{}", at * 3 + 2, at + 1),
                "Dropout",
                shape(),
                &[],
            );
        }
    }
    chain.push("loss".to_owned(), "CrossEntropyLoss", Some(Vec::new()), &[]);
    Graph { nodes: chain.nodes }
}

/// Nodes, each the input of the next.
#[derive(Default)]
struct Chain {
    nodes: Vec<GraphNode>,
}

impl Chain {
    fn push(
        &mut self,
        name: String,
        op: &str,
        shape: Option<Vec<i64>>,
        attributes: &[(&str, &str)],
    ) {
        let inputs = self.nodes.last().map(|node| node.name.clone());
        self.nodes.push(GraphNode {
            name,
            op: op.to_owned(),
            inputs: inputs.into_iter().collect(),
            shape,
            attributes: attributes
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        });
    }
}

fn length(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
