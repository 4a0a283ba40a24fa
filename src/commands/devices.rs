//! The devices of a run.

use super::context::{Context, render_place};
use super::error::{CommandError, RunError};
#[cfg(unix)]
use crate::device::NO_TF32;
use crate::device::{DeviceChoice, DeviceError, OpenDevice, Precision, draws};
use crate::logger::RenderOn;
use crate::settings::ComputeSettings;

pub(crate) fn open_devices(
    settings: &ComputeSettings,
    context: &Context,
) -> Result<Vec<OpenDevice>, RunError> {
    let place = render_place()?;
    let open = |choice: &DeviceChoice| {
        let device = OpenDevice::open(*choice)?;
        let device = device.computing_in(settings.precision);
        if place == RenderOn::Device && !draws(&device.device) {
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

/// Starts this program again where the libraries of NVIDIA might compute with TF32 on the first of these devices: they
/// look at the environment when they are loaded, and nothing else keeps the gradients of convolutions from it.
#[cfg(unix)]
pub(super) fn without_tf32(devices: &[OpenDevice]) -> Result<(), CommandError> {
    use std::env;
    use std::os::unix::process::CommandExt;
    let (variable, value) = NO_TF32;
    let may_use_tf32 =
        |device: &OpenDevice| device.is_cuda() && device.precision != Precision::Tf32;
    if !devices.first().is_some_and(may_use_tf32) || env::var_os(variable).is_some() {
        return Ok(());
    }
    let failed = |source| {
        CommandError::failed("cannot start this program again so that no library of NVIDIA uses TF32: set NVIDIA_TF32_OVERRIDE=0 yourself, or allow it with --precision tf32").because(source)
    };
    let program = env::current_exe().map_err(failed)?;
    let mut again = std::process::Command::new(program);
    let again = again.args(env::args_os().skip(1)).env(variable, value);
    // Returns only where it fails.
    Err(failed(again.exec()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn on_the_cpu_nothing_is_started_again() {
        let device = OpenDevice::open("flex".parse().unwrap()).unwrap();
        assert!(without_tf32(&[device]).is_ok());
    }
}
