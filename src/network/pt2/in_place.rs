//! Operations in place: what else they change.
//!
//! A value is the whole of a tensor or a part of it, and the parts are taken out by steps. Where an operation in place
//! changes one of them, the others that are used later are made again: the whole with the part put back, the other
//! parts out of the whole.

use std::collections::HashMap;

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{Tensor, TensorData};

use super::arguments::Place;
use super::graph::Graph;
use super::operations::{like, shares_memory};
use super::value::{Floats, Refused, Result, refused, shape, sizes};
use crate::device::values;

/// Places of a tensor are counted in single precision.
const MOST_COUNTED: usize = 1 << 24;

/// A node that shows a part of its first argument, and which of its outputs it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) node: usize,
    pub(super) output: usize,
}

/// What an operation in place changes beside its result.
#[derive(Debug)]
pub(super) struct Change {
    /// The whole.
    pub(super) whole: Place,
    /// How the part that it changes is taken out of it; nothing where it is the whole.
    pub(super) part: Vec<Step>,
    /// What is used later, and how it is taken out of the whole.
    pub(super) others: Vec<(Place, Vec<Step>)>,
}

/// By the turn of each operation in place among `nodes`. What they need to make others again is kept until then:
/// `last_use` has the last turn of each value.
pub(super) fn changes(
    graph: &Graph,
    nodes: &[usize],
    last_use: &mut HashMap<Place, usize>,
) -> HashMap<usize, Change> {
    // A whole that is kept for a later change is changed by those before it.
    drop(changes_once(graph, nodes, last_use));
    changes_once(graph, nodes, last_use)
}

fn changes_once(
    graph: &Graph,
    nodes: &[usize],
    last_use: &mut HashMap<Place, usize>,
) -> HashMap<usize, Change> {
    let mut is_made = vec![true; graph.places];
    for place in nodes.iter().flat_map(|at| &graph.nodes[*at].outputs) {
        is_made[*place] = false;
    }
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); graph.places];
    let mut changes = HashMap::new();
    for (turn, at) in nodes.iter().enumerate() {
        let node = &graph.nodes[*at];
        for place in &node.outputs {
            is_made[*place] = true;
        }
        let Some(subject) = node.subject() else {
            continue;
        };
        if node.is_in_place {
            let whole = graph.roots[subject];
            let is_used = |place: &Place| {
                graph.roots[*place] == whole
                    && is_made[*place]
                    && !node.outputs.contains(place)
                    && last_use.get(place).is_some_and(|last| *last > turn)
            };
            let others: Vec<Place> = (0..graph.places).filter(is_used).collect();
            if !others.is_empty() {
                let part = steps[subject].clone();
                let others = others
                    .into_iter()
                    .map(|place| (place, steps[place].clone()));
                let others: Vec<_> = others.collect();
                let all = others.iter().flat_map(|(_, steps)| steps).chain(&part);
                let needed = all.flat_map(|step| graph.nodes[step.node].needs().skip(1));
                let mut needed: Vec<Place> = needed.collect();
                if !part.is_empty() {
                    needed.push(whole);
                }
                for place in needed {
                    let last = last_use.entry(place).or_default();
                    *last = turn.max(*last);
                }
                changes.insert(
                    turn,
                    Change {
                        whole,
                        part,
                        others,
                    },
                );
            }
        }
        for (output, place) in node.outputs.iter().enumerate() {
            let mut own = steps[subject].clone();
            if shares_memory(&node.operation) && !node.is_in_place {
                own.push(Step { node: *at, output });
            }
            if shares_memory(&node.operation) || node.is_in_place {
                steps[*place] = own;
            }
        }
    }
    changes
}

/// A whole with a part put in; `take` takes the part out of a tensor of the same sizes.
pub(super) fn put_in(
    whole: Floats,
    part: Floats,
    take: impl FnOnce(Floats) -> Result<Floats>,
) -> Result<Floats> {
    let all = sizes(&whole);
    let count: usize = all.iter().product();
    if count > MOST_COUNTED {
        return refused(format!(
            "a part of {all:?} is changed in place, of more than {MOST_COUNTED} values"
        ));
    }
    let device = whole.device();
    // Where each value of the part is from.
    #[expect(clippy::cast_precision_loss, reason = "counted exactly")]
    let places = TensorData::new((0..count).map(|at| at as f32).collect(), [count]);
    let places = Dispatch::float_from_data(places, &device);
    let places = take(Dispatch::float_reshape(places, shape(&all)))?;
    let of_part = sizes(&places).iter().product();
    let places = Dispatch::float_reshape(places, shape(&[of_part]));
    let places = values(Tensor::<1>::from_dispatch(places));
    let places = places.map_err(|why| Refused(why.to_string()))?;
    if sizes(&part).iter().product::<usize>() != of_part {
        return refused(format!("a part is {:?} after it was changed", sizes(&part)));
    }
    // Each value of the whole is one of its own or one of the part's.
    let signed = |at: usize| i64::try_from(at).unwrap_or_default();
    let mut sources: Vec<i64> = (0..count).map(signed).collect();
    for (at, place) in places.into_iter().enumerate() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counted exactly"
        )]
        let source = sources.get_mut(place as usize);
        *source.unwrap_or(&mut 0) = signed(count + at);
    }
    let sources = Dispatch::int_from_data(TensorData::new(sources, [count]), &device);
    let flat = |tensor, count| Dispatch::float_reshape(tensor, shape(&[count]));
    let part = like(part, &whole);
    let values = Dispatch::float_cat(vec![flat(whole, count), flat(part, of_part)], 0);
    let values = Dispatch::float_select(values, 0, sources);
    Ok(Dispatch::float_reshape(values, shape(&all)))
}
