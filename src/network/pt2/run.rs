//! Running a graph: each value is kept as long as something needs it.

use std::collections::HashMap;

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Tensor;

use super::arguments::{Argument, Place};
use super::error::Pt2Error;
use super::graph::{Graph, Node};
use super::layers::{Order, ShownLayer};
use super::value::{Call, Floats, Most, Value, shape, sizes};
use crate::device::{BackendError, caught};

/// What of a graph is computed for some layers, and when a value is not needed any more.
#[derive(Debug)]
pub(super) struct Plan {
    /// The places of the nodes that are computed.
    nodes: Vec<usize>,
    /// By place: the place in `nodes` of the last that needs it.
    last_use: HashMap<Place, usize>,
    /// By place: others that are the same tensor, which is changed in place.
    same: HashMap<Place, Vec<Place>>,
}

impl Plan {
    /// For the layers of these nodes.
    ///
    /// # Errors
    ///
    /// An operation that is not known is needed, or one works as in a training.
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
                module: graph.nodes[*at].module.clone(),
            }),
            None => Ok(plan),
        }
    }

    /// For these nodes.
    pub(super) fn of(graph: &Graph, outputs: &[usize]) -> Result<Self, Pt2Error> {
        let needed = graph.needed(outputs);
        let nodes: Vec<usize> = (0..graph.nodes.len()).filter(|at| needed[*at]).collect();
        let mut plan = Self {
            last_use: HashMap::new(),
            same: HashMap::new(),
            nodes,
        };
        for (turn, at) in plan.nodes.iter().enumerate() {
            for place in graph.nodes[*at].needs() {
                plan.last_use.insert(place, turn);
            }
        }
        plan.find_same(graph)?;
        Ok(plan)
    }

    /// The nodes that are computed.
    pub(super) fn nodes(&self) -> &[usize] {
        &self.nodes
    }

    /// Which values an operation in place changes.
    fn find_same(&mut self, graph: &Graph) -> Result<(), Pt2Error> {
        // Each value is a part of another one, or the whole of it.
        let root = &graph.roots;
        let mut is_whole = vec![true; graph.places];
        for (turn, at) in self.nodes.iter().enumerate() {
            let node = &graph.nodes[*at];
            let Some(subject) = node.subject() else {
                continue;
            };
            let is_view = super::operations::shares_memory(&node.operation);
            if !node.is_in_place && !is_view {
                continue;
            }
            if node.is_in_place {
                let used =
                    |place: &Place| self.last_use.get(place).is_some_and(|last| *last > turn);
                let shared = (0..graph.places).filter(|place| root[*place] == root[subject]);
                let shared: Vec<Place> = shared.filter(used).collect();
                let is_part =
                    |place: &Place| *place != subject && !(is_whole[*place] && is_whole[subject]);
                if shared.iter().any(is_part) {
                    return Err(Pt2Error::InPlace {
                        operation: node.operation.clone(),
                        module: node.module.clone(),
                    });
                }
                if let Some(output) = node.outputs.first() {
                    self.same.insert(*output, shared);
                }
            }
            for output in &node.outputs {
                is_whole[*output] = is_whole[subject] && node.is_in_place;
            }
        }
        Ok(())
    }

    /// Runs the graph on an image; `take` gets the values of each node that is computed.
    pub(super) fn run(
        &self,
        graph: &Graph,
        stored: &HashMap<Place, Value>,
        image: Floats,
        mut take: impl FnMut(usize, &Floats),
    ) -> Result<(), Pt2Error> {
        let most = Most::of(&image);
        let mut values: HashMap<Place, Value> =
            HashMap::from([(graph.input, Value::Tensor(image))]);
        for (turn, at) in self.nodes.iter().enumerate() {
            let node = &graph.nodes[*at];
            let is_last = |place: Place| self.last_use.get(&place) == Some(&turn);
            let arguments = node.arguments.iter().map(|(name, argument)| {
                let value = resolved(argument, &mut values, stored, is_last);
                (name.clone(), value)
            });
            let results = computed(node, Call::new(arguments.collect(), most))?;
            if let Some(Value::Tensor(tensor)) = results.first() {
                take(*at, tensor);
            }
            for (place, value) in node.outputs.iter().zip(results) {
                for same in self.same.get(place).into_iter().flatten() {
                    values.insert(*same, value.clone());
                }
                if self.last_use.get(place).is_some_and(|last| *last > turn) {
                    values.insert(*place, value);
                }
            }
        }
        Ok(())
    }
}

/// An argument's value, which is moved out where nothing else needs it.
fn resolved(
    argument: &Argument,
    values: &mut HashMap<Place, Value>,
    stored: &HashMap<Place, Value>,
    is_last: impl Fn(Place) -> bool + Copy,
) -> Value {
    match argument {
        Argument::None => Value::None,
        Argument::Int(value) => Value::Int(*value),
        Argument::Float(value) => Value::Float(*value),
        Argument::Bool(value) => Value::Bool(*value),
        Argument::Text(text) => Value::Text(text.clone()),
        Argument::List(all) => Value::List(
            all.iter()
                .map(|one| resolved(one, values, stored, is_last))
                .collect(),
        ),
        Argument::Value(place) => {
            let value = if is_last(*place) {
                values.remove(place)
            } else {
                values.get(place).cloned()
            };
            let value = value.or_else(|| stored.get(place).cloned());
            value.unwrap_or(Value::None)
        }
    }
}

/// What a node gives.
fn computed(node: &Node, mut call: Call) -> Result<Vec<Value>, Pt2Error> {
    let failed = |source| Pt2Error::Operation {
        operation: node.operation.clone(),
        module: node.module.clone(),
        source,
    };
    let Some(run) = node.run else {
        return Err(failed(BackendError::of("it is not known")));
    };
    let result = caught(|| run(&mut call)).map_err(failed)?;
    let result = result.map_err(|why| failed(BackendError::of(&why.0)))?;
    Ok(match result {
        Value::List(all) => all,
        one => vec![one],
    })
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
        module: node.module.clone(),
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
        Order::Tokens { side, others } => {
            if all.len() != 3 || all[1] != side * side + others {
                return None;
            }
            let slices = [
                (0..all[0]).into(),
                (others..all[1]).into(),
                (0..all[2]).into(),
            ];
            let square = Dispatch::float_slice(values, &slices);
            let square = Dispatch::float_reshape(square, shape(&[all[0], side, side, all[2]]));
            Dispatch::float_permute(square, &[0, 3, 1, 2])
        }
    };
    Some(Tensor::from_dispatch(maps))
}
