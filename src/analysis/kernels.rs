//! The first-layer kernels, with how much each differs from that of the first step.

use super::figure::{Cells, Figure, Tiles};
use super::{AnalysisError, Moment, ObservedNetwork, asking};
use crate::device::values;
use crate::logger::LoggerError;
use feature_grid::{self as render, Picture, Style};

const TAG: &str = "kernels/change";

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
    let style = Style::default();
    let now = asking(TAG, || values(kernels.clone()))?;
    let rendered = render::kernels(&now, kernels.dims(), at.shared.is_bgr, &style)
        .map_err(|source| LoggerError::Render(TAG.to_owned(), source))?;
    let tiles: Vec<Picture> = rendered.singles().collect();
    // Rows are about twice as long as there are of them, as the picture is.
    let columns = (2 * tiles.len()).isqrt().max(1);
    let numbers = |every| (0..tiles.len()).step_by(every);
    #[expect(clippy::cast_possible_truncation, reason = "pixels")]
    let bars = cosines.iter().map(|cosine| cosine.max(0.0) as f32);
    let figure = Figure {
        title: "kernels; bar: cosine to the first step, green is 1".to_owned(),
        rows: numbers(columns).map(|number| number.to_string()).collect(),
        columns: numbers(1)
            .take(columns)
            .map(|number| format!("+{number}"))
            .collect(),
        cells: Cells::Tiles(Tiles {
            bars: bars.collect(),
            ..Tiles::new(&tiles)
        }),
        ..Figure::default()
    };
    let heading = "**first-layer kernels**, under each its cosine to itself at the first step: a full green bar is 1, a short red one 0 or less";
    figure.log(step, TAG, heading);
    Ok(())
}
