//! Operations in place: what else they change.
//!
//! A value is the whole of a tensor or a part of it, and the parts are taken out by steps. Where an operation in place
//! changes one of them, the others that are used later are made again: the whole with the part put back, the other
//! parts out of the whole.

use std::collections::HashMap;

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{Tensor, TensorData};

use super::error::Pt2Error;
use super::graph::Graph;
use super::operations::{like, may_copy};
use super::value::{Floats, Place, Refused, Result, refused, reshape, sizes};
use crate::device::values;

/// Places of a tensor are counted in single precision.
const MOST_COUNTED: usize = 1 << 24;

/// All changes of a graph together; Swin's masks take 700.
const MOST_STEPS: usize = 1 << 16;

/// A node that shows a part of its first argument, and which of its outputs it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) node: usize,
    pub(super) output: usize,
}

/// What an operation in place changes beside its result.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) whole: Place,
    /// How the part that it changes is taken out of it; nothing where it is the whole.
    pub(super) part: Vec<Step>,
    /// What is used later, and how it is taken out of the whole.
    pub(super) others: Vec<(Place, Vec<Step>)>,
}

/// By the turn of each operation in place among `nodes`. What they need to make others again is kept until then:
/// `last_use` has the last turn of each value, and what is kept longer may be changed by operations before.
pub(super) fn changes(
    graph: &Graph,
    nodes: &[usize],
    last_use: &mut HashMap<Place, usize>,
) -> std::result::Result<HashMap<usize, Change>, Pt2Error> {
    let mut is_made = vec![true; graph.places];
    for place in nodes.iter().flat_map(|at| &graph.nodes[*at].outputs) {
        is_made[*place] = false;
    }
    let mut makers: Vec<Option<Step>> = vec![None; graph.places];
    let (mut changes, mut count) = (HashMap::new(), 0);
    for (turn, at) in nodes.iter().enumerate() {
        let node = &graph.nodes[*at];
        for (output, place) in node.outputs.iter().enumerate() {
            is_made[*place] = true;
            makers[*place] = Some(Step { node: *at, output });
        }
        let Some(subject) = node.subject().filter(|_| node.is_in_place) else {
            continue;
        };
        let whole = graph.roots[subject];
        let is_used = |place: &Place| {
            graph.roots[*place] == whole
                && is_made[*place]
                && !node.outputs.contains(place)
                && last_use.get(place).is_some_and(|last| *last > turn)
        };
        let others: Vec<Place> = (0..graph.places).filter(is_used).collect();
        if others.is_empty() {
            continue;
        }
        let steps = |place| steps(graph, &makers, place);
        let part = steps(subject);
        let others = others.into_iter().map(|place| (place, steps(place)));
        let others: Vec<(Place, Vec<Step>)> = others.collect();
        let all: Vec<&Step> = (others.iter().flat_map(|(_, steps)| steps))
            .chain(&part)
            .collect();
        count += all.len();
        if count > MOST_STEPS {
            let many = format!("more than {MOST_STEPS} values share memory");
            return Err(Pt2Error::Graph(many));
        }
        let may_copy = |step: &&&Step| may_copy(&graph.nodes[step.node].operation);
        if let Some(step) = all.iter().find(may_copy) {
            return Err(Pt2Error::InPlace {
                operation: node.operation.clone(),
                module: node.names.module.clone(),
                view: graph.nodes[step.node].operation.clone(),
            });
        }
        let needed = all
            .iter()
            .flat_map(|step| graph.nodes[step.node].needs().skip(1));
        for place in needed.chain([whole].into_iter().filter(|_| !part.is_empty())) {
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
    Ok(changes)
}

/// How a part is taken out of its whole.
fn steps(graph: &Graph, makers: &[Option<Step>], place: Place) -> Vec<Step> {
    let (mut steps, mut place) = (Vec::new(), place);
    while place != graph.roots[place]
        && let Some(step) = makers[place]
        && let Some(subject) = graph.nodes[step.node].subject()
    {
        if !graph.nodes[step.node].is_in_place {
            steps.push(step);
        }
        place = subject;
    }
    steps.reverse();
    steps
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
    let places = TensorData::new((0..count).map(|at| at as f32).collect(), [count]);
    let places = take(reshape(Dispatch::float_from_data(places, &device), &all))?;
    let of_part = sizes(&places).iter().product();
    let places = values(Tensor::<1>::from_dispatch(reshape(places, &[of_part])));
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
    let part = reshape(like(part, &whole), &[of_part]);
    let values = Dispatch::float_cat(vec![reshape(whole, &[count]), part], 0);
    let values = Dispatch::float_select(values, 0, sources);
    Ok(reshape(values, &all))
}
