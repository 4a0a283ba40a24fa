//! The layers of an exported program that have maps, and how their values are maps.

use super::graph::{Graph, Node};
use super::operations::is_view;
use super::size::Size;
use super::value::Value;
use crate::network::vgg::Arch;
use crate::network::{Layer, LayerKind};

/// Modules that give what they get, in another shape at most.
const DOES_NOTHING: [&str; 7] = [
    "Flatten",
    "Unflatten",
    "Identity",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "AlphaDropout",
];

#[derive(Debug, Clone)]
pub(super) struct ShownLayer {
    pub(super) layer: Layer,
    pub(super) node: usize,
    pub(super) order: Order,
    /// `[channels, height, width]`.
    pub(super) shape: [Size; 3],
}

/// How the values of a layer lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `[batch, channels, height, width]`
    Maps,
    /// `[batch, height, width, channels]`
    ChannelsLast,
    /// `[batch, tokens, channels]`, of tokens in a grid, `[height, width]`, behind as many others.
    Tokens { grid: [usize; 2], others: usize },
}

/// Those of a graph, in its order. A VGG's have the paper's names too.
pub(super) fn layers(graph: &Graph) -> Vec<ShownLayer> {
    let orders = orders(graph);
    let count = graph
        .nodes
        .iter()
        .filter(|node| node.names.layer.is_some())
        .count();
    let digits = count.saturating_sub(1).to_string().len().max(2);
    let mut shown = Vec::new();
    let named = graph.nodes.iter().enumerate();
    let named = named.filter_map(|(at, node)| Some((at, node, node.names.layer.as_deref()?)));
    for (index, (node, of, name)) in named.enumerate() {
        let Some((order, shape)) = maps(of, orders[node], &graph.image, &shown) else {
            continue;
        };
        let (kind, what) = kind(graph, of);
        let layer = Layer::numbered(index, digits, kind, name, &what);
        shown.push(ShownLayer {
            layer,
            node,
            order,
            shape,
        });
    }
    name_as_paper(&mut shown);
    shown
}

/// How a node's values are maps, if they are: as many as there are images in the `batch`. Windows of an attention, each as
/// if it were an image, are none. `before` are the layers before it.
fn maps(
    node: &Node,
    is_last: bool,
    image: &[Size; 4],
    before: &[ShownLayer],
) -> Option<(Order, [Size; 3])> {
    match node.shape.as_deref()? {
        [count, ..] if *count != image[0] => None,
        [_, height, width, channels] if is_last => {
            let shape = [channels, height, width].map(Clone::clone);
            Some((Order::ChannelsLast, shape))
        }
        [_, channels, height, width] => {
            Some((Order::Maps, [channels, height, width].map(Clone::clone)))
        }
        [_, Size::Known(tokens), channels] => {
            let [_, _, height, width] = image;
            let grid = |others: usize| {
                let tokens = tokens.checked_sub(others)?;
                let grid = if height == width {
                    Some([tokens.isqrt(); 2]).filter(|[side, _]| side * side == tokens)
                } else {
                    grid_before(tokens, before)
                };
                Some((grid.filter(|grid| !grid.contains(&1))?, others))
            };
            let (grid, others) = grid(0).or_else(|| grid(1))?;
            let [height, width] = grid.map(Size::Known);
            Some((
                Order::Tokens { grid, others },
                [channels.clone(), height, width],
            ))
        }
        _ => None,
    }
}

/// How as many tokens lie that an image which is no square was cut into: as the first maps of as many pixels. Later ones can be
/// an attention's heads.
fn grid_before(tokens: usize, before: &[ShownLayer]) -> Option<[usize; 2]> {
    let mut grids = before.iter().map(|layer| match &layer.shape {
        [_, Size::Known(height), Size::Known(width)] => [*height, *width],
        _ => [0; 2],
    });
    grids.find(|[height, width]| height.checked_mul(*width) == Some(tokens))
}

/// Which nodes' values have their channels last: those of linear layers and norms over the last axis, and what is made of
/// them value by value.
fn orders(graph: &Graph) -> Vec<bool> {
    let mut of_place = vec![false; graph.places];
    let mut shapes: Vec<Option<&[Size]>> = vec![None; graph.places];
    let nodes = graph.nodes.iter().map(|node| {
        let before = node
            .needs()
            .find(|place| shapes[*place].is_some_and(|shape| shape.len() == 4));
        let was_last = before.is_some_and(|place| of_place[place]);
        let is_last = match node.operation.as_str() {
            "aten.linear" | "aten.layer_norm" => true,
            "aten.permute" => match node.ints("dims").as_deref() {
                Some([0, 2, 3, 1]) => true,
                Some([0, 3, 1, 2]) => false,
                _ => was_last,
            },
            _ => was_last && before.is_some_and(|place| shapes[place] == node.shape.as_deref()),
        };
        for place in &node.outputs {
            of_place[*place] = is_last;
            shapes[*place] = node.shape.as_deref();
        }
        is_last
    });
    nodes.collect()
}

/// What a layer does, and in words.
fn kind(graph: &Graph, node: &Node) -> (LayerKind, String) {
    let name = node.operation.rsplit('.').next().unwrap_or_default();
    match node.operation.as_str() {
        "aten.conv2d" | "aten.convolution" => {
            let weight = node
                .argument("weight")
                .map(Value::places)
                .unwrap_or_default();
            let mut stored = graph.stored.iter();
            let stored = stored.find(|stored| weight.contains(&stored.place));
            let side = match stored.map(|stored| &stored.shape[..]) {
                Some([.., height, width]) => format!(" {height}x{width}"),
                _ => String::new(),
            };
            (LayerKind::Convolution, format!("convolution{side}"))
        }
        "aten.batch_norm" => (LayerKind::BatchNorm, "batch norm".to_owned()),
        "aten.relu" => (LayerKind::Relu, "ReLU".to_owned()),
        "aten.relu6" => (LayerKind::Relu, "ReLU6".to_owned()),
        "aten.hardtanh" if node.argument("min_val").and_then(Value::float) == Some(0.0) => {
            (LayerKind::Relu, "ReLU6".to_owned())
        }
        "aten.hardtanh" => (LayerKind::Other, name.to_owned()),
        "aten.max_pool2d" => (LayerKind::MaxPool, "max pool".to_owned()),
        // The same maps with a frame.
        "aten.pad" | "aten.constant_pad_nd" => (LayerKind::View, "padding".to_owned()),
        operation if operation.ends_with("_pad2d") => (LayerKind::View, "padding".to_owned()),
        operation => match node.names.class.as_deref() {
            Some(class) if !DOES_NOTHING.contains(&class) => (LayerKind::Other, class.to_owned()),
            _ if is_view(operation) => (LayerKind::View, name.to_owned()),
            _ => (LayerKind::Other, name.replace('_', " ")),
        },
    }
}

/// Gives the layers of a VGG the names of the paper, and the built-in network's numbers.
fn name_as_paper(shown: &mut [ShownLayer]) {
    let arch = Arch::all().find(|arch| {
        let features = |layer: &Layer| layer.torch_name().starts_with("features.");
        let own = shown.iter().filter(|of| features(&of.layer));
        let is_same = |(own, theirs): (&ShownLayer, &Layer)| {
            own.layer.kind == theirs.kind && own.layer.torch_name() == theirs.torch_name()
        };
        let theirs = arch.layers();
        own.clone().count() == theirs.len() && own.zip(&theirs).all(is_same)
    });
    let Some(arch) = arch else {
        return;
    };
    for (own, theirs) in shown.iter_mut().zip(arch.layers()) {
        own.layer = theirs;
    }
}

/// The last layer of each resolution that is more than a pixel.
pub(super) fn last_of_each_resolution<'a>(
    shown: impl Iterator<Item = &'a ShownLayer>,
) -> Vec<Layer> {
    let size = |of: &ShownLayer| [1, 2].map(|axis: usize| of.shape[axis].example());
    let is_worth = |of: &&ShownLayer| of.layer.kind != LayerKind::View && size(of) != [1, 1];
    let shown: Vec<&ShownLayer> = shown.filter(is_worth).collect();
    let is_last = |at: usize| {
        !shown[at + 1..]
            .iter()
            .any(|later| size(later) == size(shown[at]))
    };
    let last = (0..shown.len()).filter(|at| is_last(*at));
    last.map(|at| shown[at].layer.clone()).collect()
}
