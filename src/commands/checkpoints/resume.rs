//! A run that goes on: its steps are compared with those of the process before.

use super::loading::Loading;
use super::plan::Plan;
use crate::commands::calibration::{self, References};
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::input::checkpoints::Checkpoint;
use crate::logger::Against;
use crate::probe::{ProbeImages, Seen};
use crate::sweep::Sweep;
use crate::vgg::Vgg;

/// Takes up the comparison with the first step that was shown and the last one, as far as their files are still
/// there. Returns what the maps of the next steps are compared with.
pub(super) fn take_up(
    mut sweep: Option<&mut Sweep>,
    plan: &Plan,
    loading: &Loading<'_>,
    probes: &ProbeImages,
    context: &Context,
) -> Result<References, RunError> {
    let (Some(first), Some(last)) = (plan.shown.first(), plan.shown.last()) else {
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
    let capture = loading.capture;
    let mut references = Vec::new();
    for (checkpoint, as_what) in [(first, Against::First), (last, Against::Previous)] {
        let (vgg, seen) = look(checkpoint, loading, probes)?;
        let what = (checkpoint.step, checkpoint.name.as_str());
        match (sweep.as_deref_mut(), as_what) {
            (Some(sweep), Against::First) => sweep.start_from(capture, &vgg, &seen, what)?,
            (Some(sweep), _) => sweep.resume_from(capture, &vgg, &seen, what)?,
            (None, _) => {}
        }
        let of_probes = (probes, &seen);
        references.extend(calibration::references(capture, &vgg, of_probes, as_what));
    }
    Ok(references)
}

fn look(
    checkpoint: &Checkpoint,
    loading: &Loading<'_>,
    probes: &ProbeImages,
) -> Result<(Vgg, Seen), RunError> {
    let (vgg, _) = loading.load(&checkpoint.path)?;
    let seen = probes.look(loading.capture, &vgg, &checkpoint.name)?;
    Ok((vgg, seen))
}
