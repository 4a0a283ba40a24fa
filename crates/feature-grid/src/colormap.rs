//! Colors for levels, and for what has no level.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::LazyLock;

use colorous::Gradient;
use thiserror::Error;

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
pub type Palette = [[u8; 3]; 256];

/// Not a number: magenta.
pub(super) const NAN: [u8; 3] = [255, 0, 255];
/// Infinite: cyan.
pub(super) const INFINITE: [u8; 3] = [0, 255, 255];
/// Infinite and negative: green.
pub(super) const NEGATIVE_INFINITE: [u8; 3] = [0, 255, 0];

static PALETTES: LazyLock<[Palette; 4]> = LazyLock::new(|| {
    [
        std::array::from_fn(|level| [u8::try_from(level).unwrap_or(u8::MAX); 3]),
        palette(colorous::VIRIDIS, |level| level),
        palette(colorous::MAGMA, |level| level),
        palette(colorous::RED_BLUE, |level| 255 - level),
    ]
});

fn palette(gradient: Gradient, place: impl Fn(usize) -> usize) -> Palette {
    std::array::from_fn(|level| gradient.eval_rational(place(level), 256).into_array())
}

impl Colormap {
    const NAMES: [(&str, Self); 4] = [
        ("gray", Self::Gray),
        ("viridis", Self::Viridis),
        ("magma", Self::Magma),
        ("diverging", Self::Diverging),
    ];

    /// Its colors.
    pub fn palette(self) -> &'static Palette {
        &PALETTES[self as usize]
    }

    /// The level of what stands between maps: that of 0 where colors are around it, else the lowest.
    pub(super) fn ground(self) -> u8 {
        match self {
            Self::Diverging => 127,
            Self::Gray | Self::Viridis | Self::Magma => 0,
        }
    }
}

/// Text that is not the name of a colormap.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected gray, viridis, magma or diverging")]
#[non_exhaustive]
pub struct ParseColormapError;

impl FromStr for Colormap {
    type Err = ParseColormapError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = if text == "grey" { "gray" } else { text };
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, colormap)| *colormap)
            .ok_or(ParseColormapError)
    }
}

impl Display for Colormap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_printed() {
        for (name, colormap) in Colormap::NAMES {
            assert_eq!(name.parse::<Colormap>().unwrap(), colormap);
            assert_eq!(colormap.to_string(), name);
        }
        assert_eq!("grey".parse::<Colormap>().unwrap(), Colormap::Gray);
        assert!("jet".parse::<Colormap>().is_err());
    }
}
