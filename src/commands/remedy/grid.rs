//! What to do about pictures that cannot be made.

use std::error::Error;

use feature_grid::RenderError;
use feature_grid::png::PngError;

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    let advice = match error.downcast_ref::<RenderError>() {
        Some(RenderError::TooLarge { .. }) => "choose a smaller --min-tile, --maps or --crop",
        Some(RenderError::KernelChannels { .. }) => "leave the kernels out with --no-kernels",
        Some(_) => return None,
        None => match error.downcast_ref::<PngError>()? {
            PngError::Size(..) => "show fewer or smaller maps",
            _ => return None,
        },
    };
    Some(advice.to_owned())
}

#[cfg(test)]
mod tests {
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
