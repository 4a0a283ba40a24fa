//! The devices of a run.

use super::context::Context;
use super::error::RunError;
use crate::device::{DeviceChoice, DeviceError, OpenDevice, Precision};
use crate::logger::RenderOn;
use crate::settings::ComputeSettings;

/// Opens the devices that were asked for.
pub(crate) fn open_devices(
    settings: &ComputeSettings,
    context: &Context,
) -> Result<Vec<OpenDevice>, RunError> {
    let open = |choice: &DeviceChoice| {
        let device = OpenDevice::open(*choice)?;
        let device = device.computing_in(Precision::of(settings.dtype, settings.tf32));
        if settings.render == RenderOn::Device && !device.draws() {
            return Err(DeviceError::DrawsNot(device.kind));
        }
        Ok(device)
    };
    let chosen = std::iter::once(&settings.device.first).chain(&settings.device.others);
    let devices = chosen.map(open).collect::<Result<Vec<_>, _>>()?;
    if settings.tf32 && !devices.iter().any(OpenDevice::is_cuda) {
        let terminal = &context.terminal;
        terminal.note("--tf32 changes nothing: no device of this run is an NVIDIA GPU");
    }
    Ok(devices)
}
