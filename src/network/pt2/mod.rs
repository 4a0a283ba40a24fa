//! Networks of any kind, as `torch.export` saves them: a graph of operations, run as it is.
//!
//! ```text
//! net.pt2 ──> schema ──> graph, names ──> layers ──> Program
//!                                                       │ + tensors of a weights file
//!                                                       └──> ExportedNetwork ──> run, by operations/
//! ```

mod arguments;
mod error;
mod graph;
mod in_place;
mod layers;
mod names;
mod network;
mod operations;
mod program;
mod run;
mod schema;
mod size;
mod value;

pub(crate) use error::{ProgramError, Pt2Error};
pub(crate) use network::ExportedNetwork;
pub(crate) use program::Program;

/// What is found out about a graph before anything is computed.
#[cfg(feature = "fuzz")]
pub(crate) fn fuzz(json: &[u8]) {
    use crate::network::Architecture;

    // Its message is made too.
    let program = Program::of(std::path::Path::new("net.pt2"), json).map_err(|e| e.to_string());
    if let Ok(program) = program {
        let layers = program.layers();
        drop((program.notes(), program.default_layers()));
        drop(program.output_shapes(&layers, [32, 32]));
        drop(program.plan(&layers).map_err(|error| error.to_string()));
    }
}

#[cfg(test)]
mod tests;
