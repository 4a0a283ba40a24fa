//! Running a graph: each value is kept as long as something needs it.

use std::collections::HashMap;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::Device;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::Tensor;

use super::error::Pt2Error;
use super::graph::{Graph, Node};
use super::in_place::{Change, Step, changes, put_in};
use super::layers::{Order, ShownLayer};
use super::operations::part;
use super::value::{Call, Floats, Most, Place, Refused, Value, refused, reshape, sizes};
use crate::device::{BackendError, caught};

/// What of a graph is computed for some layers, and when a value is not needed any more.
#[derive(Debug)]
pub(super) struct Plan {
    /// Those that are computed, in order.
    pub(super) nodes: Vec<usize>,
    /// By place: the place in `nodes` of the last that needs it.
    last_use: HashMap<Place, usize>,
    /// By the turn of an operation in place: what else it changes.
    changes: HashMap<usize, Change>,
}

impl Plan {
    /// For the layers of these nodes.
    pub(super) fn new(
        graph: &Graph,
        wanted: &[&ShownLayer],
        all: &[ShownLayer],
    ) -> Result<Self, Pt2Error> {
        let outputs: Vec<usize> = wanted.iter().map(|of| of.node).collect();
        let plan = Self::of(graph, &outputs)?;
        if let Some(error) = unknown_operation(graph, &plan.nodes, wanted, all) {
            return Err(error);
        }
        match plan.nodes.iter().find(|at| graph.nodes[**at].trains()) {
            Some(at) => Err(Pt2Error::Training {
                operation: graph.nodes[*at].operation.clone(),
                module: graph.nodes[*at].names.module.clone(),
            }),
            None => Ok(plan),
        }
    }

    pub(super) fn of(graph: &Graph, outputs: &[usize]) -> Result<Self, Pt2Error> {
        let needed = graph.needed(outputs);
        let nodes: Vec<usize> = (0..graph.nodes.len()).filter(|at| needed[*at]).collect();
        let mut plan = Self {
            last_use: HashMap::new(),
            changes: HashMap::new(),
            nodes,
        };
        for (turn, at) in plan.nodes.iter().enumerate() {
            for place in graph.nodes[*at].needs() {
                plan.last_use.insert(place, turn);
            }
        }
        // A whole that is kept for a later change is changed by those before it.
        changes(graph, &plan.nodes, &mut plan.last_use)?;
        plan.changes = changes(graph, &plan.nodes, &mut plan.last_use)?;
        Ok(plan)
    }

    /// Runs the graph on an image; `take` gets the values of each node that is computed.
    pub(super) fn run(
        &self,
        graph: &Graph,
        stored: &HashMap<Place, Floats>,
        image: Floats,
        mut take: impl FnMut(usize, &Floats),
    ) -> Result<(), Pt2Error> {
        let mut running = Running {
            graph,
            stored,
            most: Most::of(&image),
            device: image.device(),
            values: HashMap::from([(graph.input, Value::Tensor(image))]),
        };
        for (turn, at) in self.nodes.iter().enumerate() {
            let node = &graph.nodes[*at];
            let change = self.changes.get(&turn);
            // What is made again afterwards needs it as it was, and a square needs it twice.
            let is_last = |place: Place| {
                let times = node.needs().filter(|needed| *needed == place).count();
                change.is_none() && times == 1 && self.last_use.get(&place) == Some(&turn)
            };
            let mut get = |place| {
                if is_last(place) {
                    running.take(place)
                } else {
                    running.get(place)
                }
            };
            let arguments = node.arguments.iter();
            let arguments =
                arguments.map(|(name, given)| (name.clone(), resolved(given, &mut get)));
            let arguments = arguments.collect();
            let results = running.computed(node, arguments)?;
            if let Some(Value::Tensor(tensor)) = results.first() {
                take(*at, tensor);
                if let Some(change) = change {
                    let changed = caught(|| running.change(change, tensor.clone()));
                    let changed = changed.map_err(|why| node.failed(why))?;
                    changed.map_err(|why| node.failed(BackendError::of(&why.0)))?;
                }
            }
            for (place, value) in node.outputs.iter().zip(results) {
                if self.last_use.get(place).is_some_and(|last| *last > turn) {
                    running.values.insert(*place, value);
                }
            }
        }
        Ok(())
    }
}

struct Running<'a> {
    graph: &'a Graph,
    stored: &'a HashMap<Place, Floats>,
    most: Most,
    device: Device<Dispatch>,
    values: HashMap<Place, Value>,
}

impl Running<'_> {
    fn get(&self, place: Place) -> Option<Value> {
        let value = self.values.get(&place).cloned();
        value.or_else(|| self.stored.get(&place).cloned().map(Value::Tensor))
    }

    /// The same, and nothing else needs it.
    fn take(&mut self, place: Place) -> Option<Value> {
        let value = self.values.remove(&place);
        value.or_else(|| self.get(place))
    }

    fn computed(
        &self,
        node: &Node,
        arguments: Vec<(String, Value)>,
    ) -> Result<Vec<Value>, Pt2Error> {
        let Some(run) = node.run else {
            return Err(node.failed(BackendError::of("it is not known")));
        };
        let mut call = Call {
            arguments,
            most: self.most,
            device: self.device.clone(),
        };
        let result = caught(|| run(&mut call)).map_err(|why| node.failed(why))?;
        let result = result.map_err(|why| node.failed(BackendError::of(&why.0)))?;
        Ok(match result {
            Value::List(all) => all,
            one => vec![one],
        })
    }

    /// Makes again what an operation in place changed beside its result.
    fn change(&mut self, change: &Change, result: Floats) -> Result<(), Refused> {
        let whole = if change.part.is_empty() {
            result
        } else {
            let Some(whole) = self.get(change.whole).and_then(Value::tensor) else {
                return refused("what it changes a part of is no tensor of floats");
            };
            put_in(whole, result, |places| self.part(places, &change.part))?
        };
        for (place, steps) in &change.others {
            let part = self.part(whole.clone(), steps)?;
            self.values.insert(*place, Value::Tensor(part));
        }
        Ok(())
    }

    fn part(&self, whole: Floats, steps: &[Step]) -> Result<Floats, Refused> {
        let mut part = whole;
        for step in steps {
            let node = &self.graph.nodes[step.node];
            let mut first = Some(Value::Tensor(part));
            let arguments = node.arguments.iter().map(|(name, given)| {
                let known = || resolved(given, &mut |place| self.get(place));
                (name.clone(), first.take().unwrap_or_else(known))
            });
            let made = self.computed(node, arguments.collect());
            let made = made.map_err(|why| Refused(why.to_string()))?;
            part = match made.into_iter().nth(step.output).and_then(Value::tensor) {
                Some(part) => part,
                None => return refused("a part is no tensor of floats"),
            };
        }
        Ok(part)
    }
}

/// An argument's value; `get` gives those of the graph.
fn resolved(argument: &Value, get: &mut impl FnMut(Place) -> Option<Value>) -> Value {
    match argument {
        Value::At(place) => get(*place).unwrap_or(Value::None),
        Value::List(all) => Value::List(all.iter().map(|one| resolved(one, get)).collect()),
        literal => literal.clone(),
    }
}

/// What is not known, how often it is needed, and what can be shown without it.
fn unknown_operation(
    graph: &Graph,
    nodes: &[usize],
    wanted: &[&ShownLayer],
    all: &[ShownLayer],
) -> Option<Pt2Error> {
    let known = graph.known();
    let behind = wanted.iter().find(|of| !known[of.node])?;
    let needed = graph.needed(&[behind.node]);
    let mut nodes_before = graph.nodes.iter().zip(needed);
    let (node, _) = nodes_before.find(|(node, needed)| *needed && node.run.is_none())?;
    let last = all.iter().rev().find(|of| known[of.node]);
    let same = |at: &&usize| graph.nodes[**at].operation == node.operation;
    Some(Pt2Error::Unknown {
        layer: behind.layer.name().to_owned(),
        operation: node.operation.clone(),
        module: node.names.module.clone(),
        count: nodes.iter().filter(same).count(),
        last: last.map(|of| of.layer.name().to_owned()),
    })
}

/// The values of a layer as maps, `[batch, channels, height, width]`; `None` where they are not of that kind.
pub(super) fn as_maps(values: Floats, order: Order) -> Option<Tensor<4>> {
    let all = sizes(&values);
    let maps = match order {
        Order::Maps | Order::ChannelsLast if all.len() != 4 => return None,
        Order::Maps => values,
        Order::ChannelsLast => Dispatch::float_permute(values, &[0, 3, 1, 2]),
        Order::Tokens {
            grid: [height, width],
            others,
        } => {
            if all.len() != 3 || all[1] != height * width + others {
                return None;
            }
            let tokens = part(values, 1, others..all[1], 1);
            let grid = reshape(tokens, &[all[0], height, width, all[2]]);
            Dispatch::float_permute(grid, &[0, 3, 1, 2])
        }
    };
    Some(Tensor::from_dispatch(maps))
}
