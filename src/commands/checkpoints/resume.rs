//! A run that goes on: its steps are compared with those of the process before.

use super::calibrate::observed;
use super::loading::{Loading, nearest_readable};
use super::plan::Plan;
use super::split::Split;
use crate::analysis::probe::ProbeImages;
use crate::analysis::{Observers, Role};
use crate::commands::calibration::{self, ReferenceMaps};
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::run_folder::RunFolder;
use crate::data::checkpoints::Checkpoint;
use crate::logger::Against;
use crate::settings::CheckpointsSettings;

/// The run whose steps are shown.
pub(super) struct OfRun<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a RunFolder,
    pub(super) split: Option<&'a Split>,
    pub(super) context: &'a Context,
}

/// Takes up the comparison with the first step that was shown and the last one, as far as their files are still
/// there. Returns what the maps of the next steps are compared with.
pub(super) fn take_up(
    mut observers: Option<&mut Observers>,
    settings: &CheckpointsSettings,
    loading: &Loading<'_>,
    probes: &ProbeImages,
    of_run: &OfRun<'_>,
) -> Result<Vec<ReferenceMaps>, RunError> {
    let OfRun {
        plan,
        split,
        context,
        ..
    } = *of_run;
    // Of those that other processes show, some may not be readable.
    let shown = &plan.shown;
    let readable = |place| nearest_readable(shown, place, loading, settings);
    let first = (0..shown.len()).find_map(|place| readable(place).transpose());
    let last = readable(shown.len().saturating_sub(1))?;
    let (Some((first, first_vgg)), Some((last, last_vgg))) = (first.transpose()?, last) else {
        context.terminal.note(
            "steps are compared with the first one of this process: no file of the earlier steps is there any more",
        );
        return Ok(Vec::new());
    };
    if !plan.has_first {
        context.terminal.note(&format!(
            "steps are compared with {} instead of the first, whose file is gone",
            first.name
        ));
    }
    let pass = loading.pass;
    let mut references = Vec::new();
    for (checkpoint, network, as_what) in [
        (first, first_vgg, Against::First),
        (last, last_vgg, Against::Previous),
    ] {
        let seen = probes.run(pass, &network, &checkpoint.name)?;
        let network = observed(pass, &network, &seen, &checkpoint.name);
        if let Some(observers) = observers.as_deref_mut() {
            let is_first = as_what == Against::First;
            let role = if is_first {
                Role::First
            } else {
                Role::Previous
            };
            observers.replay(checkpoint.step, role, &network)?;
            if is_first {
                see_columns(observers, first, loading, probes, of_run)?;
            }
        }
        references.extend(calibration::references(&network, probes, as_what));
    }
    let earlier = split.map(Split::summary).transpose()?;
    if let (Some(summary), Some(observers)) = (earlier.flatten(), observers) {
        observers.set_summary(summary);
    }
    Ok(references)
}

/// Looks once more at the checkpoints behind the `first` that have a column in the pictures over time, as far as
/// their files are still there.
fn see_columns(
    observers: &mut Observers,
    first: &Checkpoint,
    loading: &Loading<'_>,
    probes: &ProbeImages,
    OfRun { plan, context, .. }: &OfRun<'_>,
) -> Result<(), RunError> {
    let mut gone = 0;
    for (place, step) in plan.earlier.iter().enumerate() {
        if !observers.has_column(place) || *step == first.step {
            continue;
        }
        let Some(file) = plan.shown.iter().find(|file| file.step == *step) else {
            gone += 1;
            continue;
        };
        let (network, _) = loading.load(&file.path)?;
        let seen = probes.run(loading.pass, &network, &file.name)?;
        let network = observed(loading.pass, &network, &seen, &file.name);
        observers.set_place(place);
        observers.replay(file.step, Role::Column, &network)?;
    }
    if gone > 0 {
        context.terminal.note(&format!(
            "{gone} earlier steps are not in the pictures over time: their files are gone"
        ));
    }
    observers.set_place(plan.earlier.len());
    Ok(())
}
