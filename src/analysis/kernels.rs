//! The first-layer kernels, with how much each differs from that of the first step.

use super::figure::kernel_bars;
use super::{AnalysisError, Moment, ObservedNetwork, asking};
use crate::device::values;
use crate::logger::LoggerError;
use feature_grid::{self as render, Picture, Style};

/// Enlarged to this, kernels of 3 x 3 can be seen. Units: pixels.
const TILE: u32 = 24;

const TAG: &str = "kernels/change";

/// Shows the kernels of a logged step with the cosine of each to itself at the first one.
pub(super) fn log_change(
    at: &mut Moment<'_, '_>,
    network: &ObservedNetwork<'_>,
    cosines: &[f64],
) -> Result<(), AnalysisError> {
    let parameters = network.network.parameters();
    let kernels = parameters.kernels().filter(|_| network.pass.kernels);
    let (Some(kernels), Some(step)) = (kernels, &mut at.step) else {
        return Ok(());
    };
    let style = Style {
        min_tile: Some(TILE),
        ..Style::default()
    };
    let now = asking(TAG, || values(kernels.clone()))?;
    let rendered = render::kernels(&now, kernels.dims(), at.shared.is_bgr, &style)
        .map_err(|source| LoggerError::Render(TAG.to_owned(), source))?;
    let tiles: Vec<Picture> = rendered.singles().collect();
    step.describe(TAG, "**first-layer kernels**, under each its cosine to itself at the first step: a full green bar is 1, a short red one 0 or less");
    step.image(TAG, &kernel_bars(&tiles, cosines))?;
    Ok(())
}
