//! From an error of any room to what the user can do next: the only place where errors and flags meet.

mod analysis;
mod data;
mod device;
mod events;
mod grid;
mod logger;
mod network;
mod state;
mod train;
mod weights;

use std::error::Error;
use std::iter::successors;

use crate::one_line::one_line;

/// Where the system starts no more threads.
const FEWER_THREADS: &str = "raise the limit on processes (ulimit -u) or end some";

/// What happened, why, and what to do next, as one line.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    let text = one_line(error);
    match next_step(error) {
        Some(advice) if text.ends_with('?') => format!("{text} {advice}"),
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// The advice on the first error of the chain that there is any on.
fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    successors(Some(error), |&error| error.source()).find_map(|error| {
        None.or_else(|| on(error, analysis::measurement))
            .or_else(|| on(error, analysis::grams))
            .or_else(|| on(error, analysis::comparison))
            .or_else(|| on(error, data::checkpoints))
            .or_else(|| on(error, data::find))
            .or_else(|| on(error, data::load))
            .or_else(|| on(error, data::image))
            .or_else(|| on(error, data::batches))
            .or_else(|| on(error, device::device))
            .or_else(|| on(error, device::backend))
            .or_else(|| on(error, |error| Some(device::unavailable(error))))
            .or_else(|| on(error, events::file))
            .or_else(|| on(error, events::step))
            .or_else(|| on(error, events::reading))
            .or_else(|| on(error, grid::render))
            .or_else(|| on(error, grid::png))
            .or_else(|| on(error, logger::logger))
            .or_else(|| on(error, |error| Some(network::select(error))))
            .or_else(|| on(error, |error| Some(network::input(error))))
            .or_else(|| on(error, network::exported))
            .or_else(|| on(error, network::forward))
            .or_else(|| on(error, network::network))
            .or_else(|| on(error, |error| Some(state::width(error))))
            .or_else(|| on(error, |error| Some(state::toml(error))))
            .or_else(|| on(error, state::state))
            .or_else(|| on(error, train::boxed))
            .or_else(|| on(error, train::training))
            .or_else(|| on(error, train::checkpoint))
            .or_else(|| on(error, weights::imagenet))
            .or_else(|| on(error, weights::weights))
    })
}

/// The advice on an error, if it is of this type.
fn on<E: Error + 'static, A: Into<String>>(
    error: &(dyn Error + 'static),
    advice: fn(&E) -> Option<A>,
) -> Option<String> {
    error.downcast_ref().and_then(advice).map(Into::into)
}
