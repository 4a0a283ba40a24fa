//! What a training compares its logged steps with.

use super::calibration::{self, Settled};
use super::context::Context;
use super::error::RunError;
use super::parameters;
use super::run;
use super::run_folder::RunFolder;
use crate::input::notes::InputNotes;
use crate::network;
use crate::probe::{Capture, ProbeImages};
use crate::settings::{Every, TrainSettings};
use crate::sweep::{Calibration, Sweep};
use crate::vgg::{Extent, Placement, Vgg};

/// Looks at the network before the first step of this process, from which everything is settled.
pub(super) fn settle(
    settings: &TrainSettings,
    (capture, probes): (&Capture, &ProbeImages),
    network: &Vgg,
    (total, per_epoch): (u64, u64),
    folder: &RunFolder,
    (input, skipped, context): (&InputNotes, &mut Vec<String>, &Context),
) -> Result<(Settled, Option<Sweep>), RunError> {
    let comparison = &settings.comparison;
    let set = calibration::comparison_set(comparison, &settings.run, capture, input, skipped)?;
    let mut calibration = Calibration::default();
    let mut base = Vec::new();
    if let Some(path) = comparison.against.file() {
        let (held, weights) = parameters::open_file(path, &settings.run.network)?;
        let extent = Extent::Features {
            deepest: capture.deepest(),
        };
        let place = Placement {
            device: &capture.device.device,
            kernels: run::kernel_layout(&capture.device, 1),
        };
        let vgg = network::build(&weights, path, held.arch, extent, place)?;
        let seen = probes.look(capture, &vgg, &path.display().to_string())?;
        base = calibration::take_base(&mut calibration, capture, &vgg, (probes, &seen));
    }
    let mut pictures = settings.run.pictures.clone();
    if settings.resume {
        // The steps that follow are shown as those before them.
        calibration::take_from(folder, &mut pictures);
    }
    if settings.resume && !comparison.no_comparison {
        context.terminal.note(
            "steps are compared with each other from here on: \"first\" is the step that the run resumes from",
        );
    }
    if calibration::is_needed(pictures.range, &pictures, comparison) {
        let what = "the network before training";
        let seen = probes.look(capture, network, what)?;
        calibration.add(capture, network, &seen, (what, true))?;
    }
    let range = (pictures.range, &pictures);
    let settled = calibration::settle(&calibration, range, Some(comparison), capture)?;
    let sweep = (!comparison.no_comparison).then(|| {
        let steps = logged_steps(settings.record.every, total, per_epoch);
        let total = (usize::try_from(steps).unwrap_or(usize::MAX), probes);
        calibration::sweep(&calibration, (set, None), &settings.run, capture, total)
    });
    Ok((settled.with_base(base), sweep))
}

/// Steps that show the probe images, the first and the last among them.
fn logged_steps(every: Every, total: u64, per_epoch: u64) -> u64 {
    let every = match every {
        Every::Off => total,
        Every::Epoch => per_epoch,
        Every::Steps(every) => every,
    };
    total.div_ceil(every.max(1)) + 1
}
