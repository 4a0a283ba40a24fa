//! Starting this program again.

use super::error::RunError;
#[cfg(unix)]
use crate::device::NO_TF32;

/// Starts this program again where the libraries of NVIDIA might compute with TF32: they look at the environment when
/// they are loaded, and nothing else keeps the gradients of convolutions from it.
#[cfg(unix)]
pub(super) fn without_tf32() -> Result<(), RunError> {
    use std::os::unix::process::CommandExt;
    let (variable, value) = NO_TF32;
    if std::env::var_os(variable).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(RunError::Restart)?;
    let mut again = std::process::Command::new(program);
    let again = again.args(std::env::args_os().skip(1)).env(variable, value);
    // Returns only where it fails.
    Err(RunError::Restart(again.exec()))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
pub(super) fn without_tf32() -> Result<(), RunError> {
    Ok(())
}
