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

/// The advice of the first room that knows an error of the chain.
fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    let rooms: [fn(&(dyn Error + 'static)) -> Option<String>; 10] = [
        analysis::next_step,
        data::next_step,
        device::next_step,
        events::next_step,
        grid::next_step,
        logger::next_step,
        network::next_step,
        state::next_step,
        train::next_step,
        weights::next_step,
    ];
    let mut chain = successors(Some(error), |&error| error.source());
    chain.find_map(|error| rooms.iter().find_map(|room| room(error)))
}
