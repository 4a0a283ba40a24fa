//! What all steps of a run have in common.

use std::sync::Arc;

use super::open::ShownNetwork;
use crate::analysis::probe::{ProbeActivations, ProbeImages};
use crate::analysis::{ComparisonImages, ImageCount};
use crate::commands::context::{Context, RunContext};
use crate::commands::devices::open_devices;
use crate::commands::error::RunError;
use crate::commands::summary::check_dead;
use crate::commands::terminal::Terminal;
use crate::data::checkpoints::Checkpoint;
use crate::data::list::{ImageFile, list_images};
use crate::data::notes::InputNotes;
use crate::device::OpenDevice;
use crate::network::Model;
use crate::settings::CheckpointsSettings;
use crate::state::{PartOf, RunFolder, RunNetwork};

/// What does not depend on the checkpoints.
pub(super) struct Inputs {
    /// What kind of networks they hold.
    pub(super) model: Model,
    images: Vec<ImageFile>,
    notes: InputNotes,
    devices: Vec<OpenDevice>,
}

impl Inputs {
    pub(super) fn open(
        settings: &CheckpointsSettings,
        model: Model,
        context: &Context,
    ) -> Result<Self, RunError> {
        let notes = InputNotes::default();
        Ok(Self {
            model,
            images: list_images(&settings.images, &notes)?,
            devices: open_devices(&settings.run.compute, context)?,
            notes,
        })
    }

    /// Finds the network that the checkpoints hold, which may be `known`, and reads the images for it.
    pub(super) fn run<'a>(
        self,
        settings: &'a CheckpointsSettings,
        context: &'a Context,
        folder: RunFolder,
        part: Option<&'a PartOf>,
        sequence: &'a [Checkpoint],
        known: Option<&RunNetwork>,
    ) -> Result<CheckpointRun<'a>, RunError> {
        let network = ShownNetwork::find(sequence, self.model, known, settings, context)?;
        let held = Arc::clone(&network.held);
        let mut context = RunContext::new(
            &settings.run,
            folder,
            self.devices,
            held,
            self.notes,
            context,
        )?;
        let config = settings.resolved(&context.pass)?;
        let probes = context.probes(&self.images)?;
        let comparison = context.comparison_images(&settings.comparison, &probes)?;
        check_dead(
            &settings.summary,
            ImageCount::of(&probes, comparison.as_ref()),
        )?;
        Ok(CheckpointRun {
            context,
            settings,
            part,
            sequence,
            network,
            config,
            images: self.images.len() + comparison.as_ref().map_or(0, ComparisonImages::count),
            probes,
            comparison,
            first: None,
        })
    }
}

pub(super) struct CheckpointRun<'a> {
    pub(super) context: RunContext<'a>,
    pub(super) settings: &'a CheckpointsSettings,
    /// Where the run is made in parts, the part that this process makes.
    pub(super) part: Option<&'a PartOf>,
    pub(super) sequence: &'a [Checkpoint],
    pub(super) network: ShownNetwork,
    pub(super) config: String,
    pub(super) probes: ProbeImages,
    /// The comparison images, until the observers have them.
    pub(super) comparison: Option<ComparisonImages>,
    /// Images that each network is shown.
    pub(super) images: usize,
    /// What the first step is spared, where it was calibrated.
    pub(super) first: Option<FirstPass>,
}

/// What a checkpoint made of the probe images before its step came.
pub(super) struct FirstPass {
    pub(super) step: i64,
    pub(super) probes: ProbeActivations,
}

impl<'a> CheckpointRun<'a> {
    pub(super) fn terminal(&self) -> &'a Terminal {
        &self.context.context.terminal
    }

    /// The checkpoints, from the first of the network that is shown.
    pub(super) fn shown(&self) -> &'a [Checkpoint] {
        self.sequence.get(self.network.first..).unwrap_or_default()
    }
}
