//! What all steps of a run have in common.

use std::sync::Arc;

use super::loading::Loading;
use super::open::{RunNetwork, ShownNetwork, shown_network};
use crate::analysis::ComparisonImages;
use crate::analysis::probe::ProbeImages;
use crate::commands::calibration;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::parameters;
use crate::commands::run;
use crate::data::checkpoints::Checkpoint;
use crate::data::list::ImageFile;
use crate::data::notes::InputNotes;
use crate::data::transform::Preprocess;
use crate::device::OpenDevice;
use crate::network::ForwardPass;
use crate::network::vgg::Kernels;
use crate::settings::{CheckpointsSettings, NetworkSettings};

/// What all steps of a run have in common.
pub(super) struct Setup {
    pub(super) pass: ForwardPass,
    /// The resolved configuration.
    pub(super) config: String,
    pub(super) preprocess: Preprocess,
    pub(super) probes: ProbeImages,
    /// The comparison images, until the sweep has them.
    pub(super) set: Option<ComparisonImages>,
    /// The place of the first checkpoint of the network that is shown.
    pub(super) first: usize,
    /// The network that is shown.
    pub(super) shown: RunNetwork,
    network: NetworkSettings,
    kernels: Kernels,
    pub(super) input: InputNotes,
    /// Images that were left out.
    pub(super) skipped: Vec<String>,
}

impl Setup {
    /// Reads the images, of which `files` are the probe images, and finds out what network the checkpoints hold.
    pub(super) fn new(
        settings: &CheckpointsSettings,
        (files, input): (&[ImageFile], InputNotes),
        devices: Vec<OpenDevice>,
        (sequence, known): (&[Checkpoint], Option<RunNetwork>),
        context: &Context,
    ) -> Result<Self, RunError> {
        let on_error = settings.on_error();
        let ShownNetwork {
            held,
            network,
            first,
        } = shown_network(sequence, known, &settings.run.network, on_error, context)?;
        let pass = run::open_pass(&settings.run, Arc::new(held.clone()), devices)?;
        let config = settings.resolved(&run::resolved_network(&pass))?;
        let preprocess = settings.run.input.preprocess().for_network(held.is_gray());
        let mut skipped = Vec::new();
        let probes = ProbeImages::load(
            files,
            &preprocess,
            settings.run.compute.batch(),
            settings.run.output.on_error,
            &pass,
            &input,
            &mut skipped,
        )?;
        let set = calibration::comparison_images(
            &settings.comparison,
            &settings.run,
            &pass,
            &probes,
            &input,
            &mut skipped,
        )?;
        let images = files.len() + set.as_ref().map_or(0, ComparisonImages::count);
        Ok(Self {
            shown: network,
            kernels: run::kernel_layout(pass.device(), images),
            network: NetworkSettings {
                arch: Some(held.arch),
                ..settings.run.network.clone()
            },
            pass,
            config,
            preprocess,
            probes,
            set,
            first,
            input,
            skipped,
        })
    }

    /// How the checkpoints become networks.
    pub(super) fn loading(&self) -> Loading<'_> {
        Loading {
            settings: &self.network,
            pass: &self.pass,
            kernels: self.kernels,
            network: &self.shown,
        }
    }

    /// What the weights are called in descriptions: the first checkpoint that is shown stands for all.
    pub(super) fn label(
        &self,
        settings: &CheckpointsSettings,
        sequence: &[Checkpoint],
    ) -> impl FnOnce() -> String + Send + use<> {
        let Checkpoint { name, path, .. } = &sequence[self.first];
        let label = format!("the first of {} checkpoints is {name}", sequence.len());
        parameters::hashed_label(label, path.clone(), &settings.run.network)
    }
}
