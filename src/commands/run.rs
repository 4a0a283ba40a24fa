//! What the commands that write a run do at its beginning.

use std::sync::Arc;

use super::context::{Context, report_steps};
pub(crate) use super::context::{Steps, as_markdown, conclude, kernel_layout};
pub(crate) use super::devices::open_devices;
use super::devices::render_place;
pub(crate) use super::devices::resolved_network;
use super::error::RunError;
use super::run_folder::RunFolder;
use crate::device::OpenDevice;
use crate::logger::{Builder, FeatureLogger};
use crate::network::vgg::{Extent, Placement};
use crate::network::{Architecture, ForwardPass, select};
use crate::settings::RunSettings;

/// Selects the layers to show, checking that the crop reaches them. Devices but the first one share batches of images.
pub(crate) fn open_pass(
    settings: &RunSettings,
    architecture: Arc<dyn Architecture>,
    devices: Vec<OpenDevice>,
) -> Result<ForwardPass, RunError> {
    let wanted = select(&*architecture, &settings.network.layers)?;
    let pass = ForwardPass {
        devices,
        architecture,
        wanted,
        kernels: !settings.pictures.no_kernels,
    };
    if let Some(side) = settings.input.preprocess().crop {
        pass.check_size([side.get() as usize; 2])?;
    }
    Ok(pass)
}

/// A logger for the run in `folder`, which reports each of its steps on the terminal. `label` says which weights it
/// shows; `written` gets each step that is in the event file.
pub(crate) fn logger(
    settings: &RunSettings,
    pass: &ForwardPass,
    folder: &RunFolder,
    label: impl FnOnce() -> String + Send + 'static,
    steps: &Steps,
    context: &Context,
    written: impl FnMut(i64) + Send + 'static,
) -> Builder {
    let on_written = report_steps(folder, steps, context, written);
    quiet_logger(settings, pass, folder, label).on_written(on_written)
}

/// The same without a word on the terminal.
pub(crate) fn quiet_logger(
    settings: &RunSettings,
    pass: &ForwardPass,
    folder: &RunFolder,
    label: impl FnOnce() -> String + Send + 'static,
) -> Builder {
    let preprocess = settings.input.preprocess().for_network(pass.is_gray());
    let numbers = pass.device().numbers();
    let numbers = numbers.map_or_else(String::new, |numbers| format!("* computed in {numbers}\n"));
    let about = move || format!("* input: {preprocess}\n* weights: {}\n{numbers}", label());
    let builder = FeatureLogger::builder(folder.path())
        .style(settings.pictures.style())
        .render_on(render_place().unwrap_or_default())
        .bgr(preprocess.is_bgr())
        .about(about)
        .timings(settings.output.timings);
    match &settings.output.png {
        Some(folder) => builder.png(folder),
        None => builder,
    }
}

/// As much of a network as is shown, and where it stands.
pub(crate) fn shown_part(pass: &ForwardPass) -> (Extent, Placement<'_>) {
    let extent = Extent::Features {
        deepest: pass.deepest(),
    };
    let place = Placement {
        device: &pass.device().device,
        kernels: kernel_layout(pass.device(), 1),
    };
    (extent, place)
}
