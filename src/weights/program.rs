//! The graph of a program of `torch.export`, or what a file is instead.

use std::fs::File;
use std::path::Path;

use super::archive::Archive;
use super::error::{WeightsError, WeightsErrorKind};
use super::exported;
use super::format::{self, Format};
use super::source::Source;
use super::torch;

pub(crate) fn exported_graph(path: &Path) -> Result<Vec<u8>, WeightsError> {
    let graph = || {
        let source = Source::new(File::open(path)?)?;
        match format::recognize(&source, path) {
            Ok(Format::ExportedProgram) => exported::graph(&source),
            Ok(Format::TorchZip) => {
                let names = Archive::open(&source)?.names();
                Err(not_program(&torch::other_archive(&names)))
            }
            Ok(other) => Err(not_program(&format!(
                "is weights without a network ({other:?})"
            ))),
            Err(
                kind @ (WeightsErrorKind::NotWeights(_)
                | WeightsErrorKind::Framework { .. }
                | WeightsErrorKind::TooOld(_)),
            ) => Err(not_program(&kind.to_string())),
            Err(kind) => Err(kind),
        }
    };
    graph().map_err(|kind| WeightsError::new(path, kind))
}

/// What a file is, without how weights are made of it.
fn not_program(what: &str) -> WeightsErrorKind {
    let what = what.split(';').next().unwrap_or(what);
    WeightsErrorKind::NotProgram(what.to_owned())
}
