//! What to do about pictures that cannot be made.

use feature_grid::RenderError;
use feature_grid::png::PngError;

pub(super) fn render(error: &RenderError) -> Option<&'static str> {
    match error {
        RenderError::TooLarge { .. } => Some("choose a smaller --min-tile, --maps or --crop"),
        RenderError::KernelChannels { .. } => Some("leave the kernels out with --no-kernels"),
        _ => None,
    }
}

pub(super) fn png(error: &PngError) -> Option<&'static str> {
    matches!(error, PngError::Size(..)).then_some("show fewer or smaller maps")
}

#[cfg(test)]
mod tests {
    use super::super::next_step;
    use super::*;

    #[test]
    fn a_picture_that_is_too_large_has_a_way_out() {
        let advice = next_step(&RenderError::TooLarge {
            count: 3,
            tile_width: 1 << 30,
            tile_height: 2,
        });
        assert!(advice.is_some_and(|advice| advice.contains("--min-tile")));
        let advice = next_step(&PngError::Size(1 << 31, 1));
        assert_eq!(advice.as_deref(), Some("show fewer or smaller maps"));
        let read = RenderError::Read("unplugged".to_owned().into());
        assert_eq!(next_step(&read), None);
    }
}
