//! What is found out of the reference checkpoints before the first step.

use super::loading::Loading;
use super::plan::Plan;
use super::resume::take_up;
use crate::commands::calibration::{self, Settled};
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::run_folder::RunFolder;
use crate::input::checkpoints::Checkpoint;
use crate::input::on_error::OnError;
use crate::logger::Against;
use crate::probe::{ProbeImages, Seen};
use crate::settings::{AgainstChoice, Calibrate, CheckpointsSettings};
use crate::sweep::{Calibration, ComparisonSet, Measured, Sweep};
use crate::vgg::Vgg;

/// What the steps are shown and compared with.
pub(super) struct Calibrated {
    pub(super) settled: Settled,
    /// What compares them, unless they are not compared.
    pub(super) sweep: Option<Sweep>,
    /// What the first checkpoint made of the probe images, with its step, to which it spares a forward pass.
    pub(super) seen: Option<(i64, Seen)>,
}

/// Looks at the reference checkpoints, as far as anything is to be known of them before the first step.
pub(super) fn calibrate(
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    loading: &Loading<'_>,
    probes: &ProbeImages,
    set: Option<ComparisonSet>,
    (plan, folder, context): (&Plan, &RunFolder, &Context),
) -> Result<Calibrated, RunError> {
    let comparison = &settings.comparison;
    let mut pictures = settings.run.pictures.clone();
    let capture = loading.capture;
    let mut calibration = Calibration::default();
    let mut given = Vec::new();
    if let Some(path) = comparison.against.file() {
        let (vgg, _) = loading.load(path)?;
        let seen = probes.look(capture, &vgg, &path.display().to_string())?;
        calibration.set_base(capture, &vgg, &seen);
        given = calibration::references(capture, &vgg, (probes, &seen), Against::Given);
    }
    let (mut first_seen, mut last) = (None, None);
    for reference in references(settings, sequence.len()) {
        let Some((checkpoint, vgg)) = nearest_readable(sequence, reference, loading, settings)?
        else {
            continue;
        };
        let (name, step) = (checkpoint.name.as_str(), checkpoint.step);
        let seen = probes.look(capture, &vgg, name)?;
        // What changes from step to step is smaller than what changes over the run.
        let with_change = comparison.against != AgainstChoice::Previous || reference == 1;
        calibration.add(capture, &vgg, &seen, (name, with_change))?;
        if reference + 1 == sequence.len() && set.is_some() {
            let what = (step, name);
            last = Some(Measured::of(set.as_ref(), capture, &vgg, &seen, what)?);
        }
        if reference == 0 {
            first_seen = Some((step, seen));
        }
    }
    if plan.goes_on() {
        // The steps that follow are shown as those before them.
        pictures.range = Some(settings.range());
        calibration::take_from(folder, &mut pictures);
        calibration
            .ranges
            .keep_changes(calibration::earlier_ranges(folder)?);
    }
    let range = (Some(settings.range()), &pictures);
    let settled = calibration::settle(&calibration, range, Some(comparison), capture)?;
    let mut sweep = (!comparison.no_comparison).then(|| {
        // The first one comes again where the run goes on.
        let columns = plan.due.len() + usize::from(plan.goes_on());
        let of = ((!settings.follow).then_some(columns), probes);
        calibration::sweep(&calibration, (set, last), &settings.run, capture, of)
    });
    if plan.goes_on() && (sweep.is_some() || comparison.change) {
        given.extend(take_up(sweep.as_mut(), plan, loading, probes, context)?);
    }
    Ok(Calibrated {
        settled: settled.with_references(given),
        sweep,
        seen: first_seen,
    })
}

/// The places of the checkpoints that are looked at before the first step.
fn references(settings: &CheckpointsSettings, count: usize) -> Vec<usize> {
    let (pictures, comparison) = (&settings.run.pictures, &settings.comparison);
    if !calibration::is_needed(Some(settings.range()), pictures, comparison) {
        return Vec::new();
    }
    if settings.calibrate == Calibrate::All {
        return (0..count).collect();
    }
    let mut places = vec![0, count - 1];
    if settings.comparison.against == AgainstChoice::Previous {
        places.push(1.min(count - 1));
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// The network at a place, or where checkpoints that cannot be read are skipped, before it.
fn nearest_readable<'a>(
    sequence: &'a [Checkpoint],
    place: usize,
    loading: &Loading<'_>,
    settings: &CheckpointsSettings,
) -> Result<Option<(&'a Checkpoint, Vgg)>, RunError> {
    for checkpoint in sequence.iter().take(place + 1).rev() {
        match loading.load(&checkpoint.path) {
            Ok((vgg, _)) => return Ok(Some((checkpoint, vgg))),
            Err(error) if settings.on_error() == OnError::Stop => return Err(error),
            // It is skipped, and said so, when its step comes.
            Err(_) => {}
        }
    }
    Ok(None)
}
