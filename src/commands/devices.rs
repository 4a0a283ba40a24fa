//! The devices of a run.

use super::context::Context;
use super::error::{CommandError, RunError};
use crate::device::{DeviceChoice, DeviceError, OpenDevice, Precision};
use crate::logger::RenderOn;
use crate::settings::ComputeSettings;

/// Where feature maps become grids. Tests set it to compare the two places, which give the same grids.
pub(super) fn render_place() -> Result<RenderOn, CommandError> {
    match std::env::var("VGGSCOPE_RENDER").as_deref() {
        Err(_) | Ok("auto") => Ok(RenderOn::Auto),
        Ok("device") => Ok(RenderOn::Device),
        Ok("host") => Ok(RenderOn::Host),
        Ok(other) => Err(CommandError::RenderOn(other.to_owned())),
    }
}

/// Opens the devices that were asked for.
pub(crate) fn open_devices(
    settings: &ComputeSettings,
    context: &Context,
) -> Result<Vec<OpenDevice>, RunError> {
    let place = render_place()?;
    let open = |choice: &DeviceChoice| {
        let device = OpenDevice::open(*choice)?;
        let device = device.computing_in(settings.precision);
        if place == RenderOn::Device && !device.draws() {
            return Err(DeviceError::DrawsNot(device.kind));
        }
        Ok(device)
    };
    let chosen = std::iter::once(&settings.device.first).chain(&settings.device.others);
    let devices = chosen.map(open).collect::<Result<Vec<_>, _>>()?;
    if settings.precision == Precision::Tf32 && !devices.iter().any(OpenDevice::is_cuda) {
        let terminal = &context.terminal;
        terminal.note("--precision tf32 changes nothing: no device of this run is an NVIDIA GPU");
    }
    Ok(devices)
}
