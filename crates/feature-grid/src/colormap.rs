//! Colors for levels, and for what has no level.

use std::sync::LazyLock;

use colorous::Gradient;

/// How levels are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colormap {
    /// Black to white.
    #[default]
    Gray,
    /// Matplotlib's viridis: dark purple over green to yellow, evenly brighter.
    Viridis,
    /// Matplotlib's magma: black over red to a light yellow, evenly brighter.
    Magma,
    /// `ColorBrewer`'s `RdBu` reversed: blue for negative values, near white for 0, red for
    /// positive ones. Ranges by map and by layer are made as wide below 0 as above, so that 0 is in
    /// the middle.
    Diverging,
}

/// Red, green and blue of the levels 0 to 255.
///
/// Level 0 is kept for the padding between maps and is black; in a map, level 0 shares the color
/// of level 1. So a picture in a colormap needs one byte a pixel.
pub type Palette = [[u8; 3]; 256];

/// Not a number: magenta.
pub(super) const NAN: [u8; 3] = [255, 0, 255];
/// Infinite: cyan.
pub(super) const INFINITE: [u8; 3] = [0, 255, 255];
/// Infinite and negative: green.
pub(super) const NEGATIVE_INFINITE: [u8; 3] = [0, 255, 0];

static GRAY: LazyLock<Palette> =
    LazyLock::new(|| std::array::from_fn(|level| [u8::try_from(level).unwrap_or(u8::MAX); 3]));
static VIRIDIS: LazyLock<Palette> = LazyLock::new(|| palette(colorous::VIRIDIS, |level| level));
static MAGMA: LazyLock<Palette> = LazyLock::new(|| palette(colorous::MAGMA, |level| level));
static DIVERGING: LazyLock<Palette> =
    LazyLock::new(|| palette(colorous::RED_BLUE, |level| 255 - level));

fn palette(gradient: Gradient, place: impl Fn(usize) -> usize) -> Palette {
    std::array::from_fn(|level| match level {
        0 => [0; 3],
        _ => gradient.eval_rational(place(level), 256).into_array(),
    })
}

impl Colormap {
    /// Its colors.
    #[must_use]
    pub fn palette(self) -> &'static Palette {
        match self {
            Self::Gray => &GRAY,
            Self::Viridis => &VIRIDIS,
            Self::Magma => &MAGMA,
            Self::Diverging => &DIVERGING,
        }
    }
}
