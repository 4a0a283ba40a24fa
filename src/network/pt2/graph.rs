//! The graph of an exported program: nodes in the order in which they are computed, and the values between them.

use std::collections::HashSet;

use super::arguments::Names;
use super::error::Pt2Error;
use super::names::LayerNames;
use super::operations::{Operation, operation, shares_memory};
use super::schema;
use super::size::Size;
use super::value::{Place, Value};
use crate::device::BackendError;
use crate::weights::DType;

/// Any graph has fewer.
const MOST_NODES: usize = 1 << 14;

/// Most values of the images that it was exported with.
const MOST_INPUT: usize = 1 << 28;

#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) places: usize,
    /// By place: the one whose memory it shares, as a view of it or changed in place; its own where there is none.
    pub(super) roots: Vec<Place>,
    pub(super) stored: Vec<Stored>,
    pub(super) input: Place,
    /// The sizes of the input: `[batch, channels, height, width]`.
    pub(super) image: [Size; 4],
}

/// A tensor that the weights have, or the file itself.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) place: Place,
    /// PyTorch's name in the state dict; for a constant, that in the file.
    pub(super) name: String,
    /// Whether a state dict has it.
    pub(super) is_saved: bool,
    pub(super) is_integer: bool,
    pub(super) shape: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Node {
    /// `aten.conv2d`
    pub(super) operation: String,
    /// `None` for one that is not known.
    pub(super) run: Option<Operation>,
    /// Whether its first argument becomes its result.
    pub(super) is_in_place: bool,
    pub(super) arguments: Vec<(String, Value)>,
    pub(super) outputs: Vec<Place>,
    pub(super) names: LayerNames,
    /// The shape of its output; `None` where it is no tensor of floats.
    pub(super) shape: Option<Vec<Size>>,
}

impl Node {
    pub(super) fn argument(&self, name: &str) -> Option<&Value> {
        let mut all = self.arguments.iter();
        all.find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(super) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        match self.argument(name)? {
            Value::List(all) => all.iter().map(Value::int).collect(),
            _ => None,
        }
    }

    pub(super) fn needs(&self) -> impl Iterator<Item = Place> {
        self.arguments
            .iter()
            .flat_map(|(_, argument)| argument.places())
    }

    /// Whether it takes the statistics of the batch, or drops values at random.
    pub(super) fn trains(&self) -> bool {
        let is_on = |name| matches!(self.argument(name), Some(Value::Bool(true)));
        is_on("training") || is_on("train")
    }

    pub(super) fn failed(&self, source: BackendError) -> Pt2Error {
        Pt2Error::Operation {
            operation: self.operation.clone(),
            module: self.names.module.clone(),
            source,
        }
    }

    pub(super) fn subject(&self) -> Option<Place> {
        match self.arguments.first() {
            Some((_, Value::At(place))) => Some(*place),
            _ => None,
        }
    }
}

impl Graph {
    /// Resolves the names; a value that nobody makes before it is used is an error, and so is a circle.
    pub(super) fn new(module: &schema::Module) -> Result<Self, Pt2Error> {
        let nodes = &module.graph.nodes;
        if nodes.len() > MOST_NODES {
            return Err(Pt2Error::Graph(format!("it has {} nodes", nodes.len())));
        }
        let mut names = Names::default();
        let Inputs { stored, given } = inputs(module, &mut names)?;
        let (input, image) = image_input(&module.graph, &given)?;
        let mut layers = LayerNames::of(nodes).into_iter();
        let mut graph = Self {
            nodes: Vec::with_capacity(nodes.len()),
            places: 0,
            roots: Vec::new(),
            stored,
            input,
            image,
        };
        for node in nodes {
            let arguments = node.inputs.iter();
            let arguments = arguments.map(|given| {
                let argument = names.argument(&given.arg)?;
                Ok((given.name.clone(), argument))
            });
            let arguments = arguments.collect::<Result<_, Pt2Error>>()?;
            let made = made(node);
            let (operation_name, is_in_place) = short_name(&node.target);
            let first = made
                .first()
                .and_then(|name| module.graph.tensor_values.get(*name));
            let names = made.iter().map(|name| names.add(name));
            let of_layer = layers.next().unwrap_or_default();
            if made.is_empty() && !is_in_place {
                // A check, which nothing needs.
                continue;
            }
            graph.nodes.push(Node {
                run: operation(&operation_name)
                    .filter(|_| has_meaning(&operation_name, node, module)),
                operation: operation_name,
                is_in_place,
                arguments,
                outputs: names.collect::<Result<_, _>>()?,
                names: of_layer,
                shape: first.filter(|meta| is_float(meta)).and_then(shape_of),
            });
        }
        graph.places = names.places.len();
        graph.roots = graph.find_roots();
        Ok(graph)
    }

    fn find_roots(&self) -> Vec<Place> {
        let mut roots: Vec<Place> = (0..self.places).collect();
        for node in &self.nodes {
            let shares = node.is_in_place || shares_memory(&node.operation);
            if let Some(subject) = node.subject().filter(|_| shares) {
                for output in &node.outputs {
                    roots[*output] = roots[subject];
                }
            }
        }
        roots
    }

    /// Which nodes need no operation that is not known.
    pub(super) fn known(&self) -> Vec<bool> {
        let (mut values, mut roots) = (vec![true; self.places], vec![true; self.places]);
        let nodes = self.nodes.iter().map(|node| {
            let is_known = |place: Place| values[place] && roots[self.roots[place]];
            if node.run.is_some() && node.needs().all(is_known) {
                return true;
            }
            for output in &node.outputs {
                values[*output] = false;
            }
            if let Some(subject) = node.subject().filter(|_| node.is_in_place) {
                roots[self.roots[subject]] = false;
            }
            false
        });
        nodes.collect()
    }

    /// Which nodes have to be computed for these, by their places in the list.
    pub(super) fn needed(&self, wanted: &[usize]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        let (mut places, mut roots) = (HashSet::new(), HashSet::new());
        let last = wanted.iter().max().copied();
        for at in (0..=last.unwrap_or_default()).rev() {
            let node = &self.nodes[at];
            // What is changed in place is another value from there on, and so is what shares its memory.
            let is_changed = |place: Place| roots.contains(&self.roots[place]);
            let changes = node.is_in_place && node.subject().is_some_and(is_changed);
            if wanted.contains(&at)
                || changes
                || node.outputs.iter().any(|place| places.contains(place))
            {
                needed[at] = true;
                places.extend(node.needs());
                roots.extend(node.needs().map(|place| self.roots[place]));
            }
        }
        needed
    }
}

/// Whether an operation means for its numbers what it does for floats: a truth value is 1 or 0, not a place of a list or a
/// bit of a whole number.
fn has_meaning(operation: &str, node: &schema::Node, module: &schema::Module) -> bool {
    let dtype = |name: &str| module.graph.tensor_values.get(name).map(|meta| meta.dtype);
    match operation {
        "aten.__and__" | "aten.bitwise_not" => {
            made(node).iter().all(|name| dtype(name) == Some(12))
        }
        "aten.index" => {
            let places = node.inputs.iter().skip(1);
            let mut places = places.flat_map(|input| input.arg.names());
            !places.any(|name| matches!(dtype(name), Some(1 | 12)))
        }
        _ => true,
    }
}

fn made(node: &schema::Node) -> Vec<&str> {
    node.outputs
        .iter()
        .flat_map(schema::Argument::names)
        .collect()
}

/// `aten.relu` of `torch.ops.aten.relu_.default`, and whether it is in place.
fn short_name(target: &str) -> (String, bool) {
    let name = target.strip_prefix("torch.ops.").unwrap_or(target);
    let (space, rest) = name.split_once('.').unwrap_or(("", name));
    let operation = rest.split('.').next().unwrap_or(rest);
    // `__and__` is an operation of its own.
    let plain = match operation {
        special if special.starts_with("__") => special,
        name => name.trim_end_matches('_'),
    };
    let is_in_place = plain.len() < operation.len() && !plain.is_empty();
    (format!("{space}.{plain}"), is_in_place)
}

/// What the graph does not make itself.
struct Inputs<'a> {
    stored: Vec<Stored>,
    given: Vec<(&'a str, Place)>,
}

/// Tensors of the weights and of the file, and the names of what the network is given.
fn inputs<'a>(module: &'a schema::Module, names: &mut Names) -> Result<Inputs<'a>, Pt2Error> {
    let (mut stored, mut given) = (Vec::new(), Vec::new());
    for input in &module.signature.input_specs {
        let (tensor, is_saved) = match input {
            schema::Input::Parameter(tensor) => (tensor, true),
            schema::Input::Buffer(tensor) => (tensor, tensor.persistent),
            schema::Input::TensorConstant(tensor) => (tensor, false),
            schema::Input::UserInput(user) => {
                if let schema::Argument::AsTensor(tensor) = &user.arg {
                    given.push((tensor.name.as_str(), names.add(&tensor.name)?));
                }
                continue;
            }
            schema::Input::CustomObj(_) => continue,
        };
        let meta = module.graph.tensor_values.get(&tensor.arg.name);
        let shape = meta.and_then(shape_of).unwrap_or_default();
        stored.push(Stored {
            place: names.add(&tensor.arg.name)?,
            name: tensor.name.clone(),
            is_saved,
            is_integer: meta.is_some_and(|meta| !is_float(meta)),
            shape: shape.iter().map(Size::example).collect(),
        });
    }
    Ok(Inputs { stored, given })
}

/// The input that is an image.
fn image_input(
    graph: &schema::Graph,
    inputs: &[(&str, Place)],
) -> Result<(Place, [Size; 4]), Pt2Error> {
    let [(name, place)] = *inputs else {
        let names = inputs.iter().map(|(name, _)| (*name).to_owned()).collect();
        return Err(Pt2Error::Inputs(names));
    };
    let meta = graph.tensor_values.get(name);
    let image = meta.filter(|meta| is_float(meta)).and_then(shape_of);
    match image.and_then(|image| <[Size; 4]>::try_from(image).ok()) {
        Some(image) if matches!(image[1], Size::Known(1 | 3)) && is_small(&image) => {
            Ok((place, image))
        }
        _ => Err(Pt2Error::NoImage {
            name: name.to_owned(),
            found: meta.map_or("nothing".to_owned(), described),
        }),
    }
}

/// Whether there are images of these sizes, and so that they can be in memory.
fn is_small(image: &[Size; 4]) -> bool {
    let mut sizes = image.iter().map(Size::example);
    let count = sizes.try_fold(1_usize, usize::checked_mul);
    count.is_some_and(|count| (1..=MOST_INPUT).contains(&count))
}

/// `int64 [1, 16]`.
fn described(meta: &schema::Meta) -> String {
    let size = |size| Size::of(size).map_or("?".to_owned(), |size| size.example().to_string());
    let sizes: Vec<String> = meta.sizes.iter().map(size).collect();
    format!("{} [{}]", DType::numbered(meta.dtype), sizes.join(", "))
}

fn is_float(meta: &schema::Meta) -> bool {
    DType::numbered(meta.dtype).is_float()
}

fn shape_of(meta: &schema::Meta) -> Option<Vec<Size>> {
    meta.sizes.iter().map(Size::of).collect()
}
