//! Where feature maps become grids, which tests set.

use super::error::RunError;
use crate::logger::RenderOn;

/// The variable that says where feature maps become grids: auto, device or host.
const RENDER: &str = "VGGSCOPE_RENDER";

/// Where feature maps become grids. It is set to compare the two places, which give the same grids.
pub(super) fn render_place() -> Result<RenderOn, RunError> {
    match std::env::var(RENDER).as_deref() {
        Err(_) | Ok("auto") => Ok(RenderOn::Auto),
        Ok("device") => Ok(RenderOn::Device),
        Ok("host") => Ok(RenderOn::Host),
        Ok(other) => Err(RunError::RenderOn(other.to_owned())),
    }
}
