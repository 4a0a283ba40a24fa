//! Starting this program again.

#[cfg(unix)]
use std::{env, process::Command};

use super::error::CommandError;
#[cfg(unix)]
use crate::device::NO_TF32;
use crate::device::{OpenDevice, Precision};

/// Starts this program again where the libraries of NVIDIA might compute with TF32 on the first of these devices: they
/// look at the environment when they are loaded, and nothing else keeps the gradients of convolutions from it.
pub(super) fn without_tf32(devices: Vec<OpenDevice>) -> Result<Vec<OpenDevice>, CommandError> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let (variable, value) = NO_TF32;
        let may_use_tf32 =
            |device: &OpenDevice| device.is_cuda() && device.precision != Precision::Tf32;
        if devices.first().is_some_and(may_use_tf32) && env::var_os(variable).is_none() {
            let program = env::current_exe().map_err(CommandError::Restart)?;
            let mut again = Command::new(program);
            let again = again.args(env::args_os().skip(1)).env(variable, value);
            // Returns only where it fails.
            return Err(CommandError::Restart(again.exec()));
        }
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_cpu_nothing_is_started_again() {
        let device = OpenDevice::open("flex".parse().unwrap()).unwrap();
        assert!(without_tf32(vec![device]).is_ok());
    }
}
