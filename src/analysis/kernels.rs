//! The first-layer kernels, with how much each differs from that of the first step.

use super::figure::kernel_bars;
use super::{AnalysisError, Moment, ObservedNetwork, Observer, Role, asking};
use crate::device::{PairSums, values};
use crate::logger::LoggerError;
use feature_grid::{self as render, Picture, Style};

/// Enlarged to this, kernels of 3 x 3 can be seen. Units: pixels.
const TILE: u32 = 24;

const TAG: &str = "kernels/change";

/// Compares the kernels of each step with those of the first one.
#[derive(Default)]
pub(super) struct KernelChange {
    /// Those of the first step, row by row.
    first: Option<Vec<f32>>,
}

impl Observer for KernelChange {
    fn weights(
        &mut self,
        at: &mut Moment<'_, '_>,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        let kernels = network.network.parameters().kernels().cloned();
        let kernels = kernels.filter(|_| network.pass.kernels);
        let Some(kernels) = kernels else {
            return Ok(());
        };
        match at.role {
            Role::Column | Role::Last => return Ok(()),
            Role::Previous if self.first.is_some() => return Ok(()),
            Role::First | Role::Previous | Role::Logged => {}
        }
        let shape = kernels.dims();
        let now = asking(TAG, || values(kernels))?;
        let (Some(first), Some(step)) = (&self.first, &mut at.step) else {
            self.first = Some(now);
            return Ok(());
        };
        let style = Style {
            min_tile: Some(TILE),
            ..Style::default()
        };
        let rendered = render::kernels(&now, shape, at.shared.is_bgr, &style)
            .map_err(|source| LoggerError::Render(TAG.to_owned(), source))?;
        let each = shape[1..].iter().product();
        let pairs = first.chunks(each).zip(now.chunks(each));
        let cosines = pairs.map(|(old, new)| PairSums::over(old, new).cosine());
        let tiles: Vec<Picture> = rendered.singles().collect();
        let bars = kernel_bars(&tiles, &cosines.collect::<Vec<_>>());
        step.describe(TAG, "**first-layer kernels**, under each its cosine to itself at the first step: a full green bar is 1, a short red one 0 or less");
        step.image(TAG, &bars)?;
        Ok(())
    }
}
