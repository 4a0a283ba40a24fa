//! Ranges and colormaps as they are typed.

use std::fmt::{self, Display};
use std::str::FromStr;

use thiserror::Error;

use super::colormap::Colormap;
use super::range::Range;

/// Text that is no range or colormap.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected {0}")]
pub struct ParseStyleError(&'static str);

impl FromStr for Range {
    type Err = ParseStyleError;

    /// Reads `map`, `layer`, `fixed=LO,HI` or `LO,HI`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "map" => return Ok(Self::Map),
            "layer" => return Ok(Self::Layer),
            _ => {}
        }
        let ends = text.strip_prefix("fixed=").unwrap_or(text);
        let ends = ends.split_once(',').and_then(|(lo, hi)| {
            let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| n.is_finite());
            Some((number(lo)?, number(hi)?))
        });
        match ends {
            Some((lo, hi)) if lo < hi => Ok(Self::Fixed(lo, hi)),
            _ => Err(ParseStyleError(
                "map, layer or fixed=LO,HI with two finite numbers, LO below HI (as in fixed=0,6.5)",
            )),
        }
    }
}

impl Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map => f.write_str("map"),
            Self::Layer => f.write_str("layer"),
            Self::Fixed(lo, hi) => write!(f, "fixed={lo},{hi}"),
        }
    }
}

/// The colormaps by name.
const COLORMAPS: [(&str, Colormap); 4] = [
    ("gray", Colormap::Gray),
    ("viridis", Colormap::Viridis),
    ("magma", Colormap::Magma),
    ("diverging", Colormap::Diverging),
];

impl FromStr for Colormap {
    type Err = ParseStyleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = if text == "grey" { "gray" } else { text };
        let found = COLORMAPS.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, colormap)| *colormap)
            .ok_or(ParseStyleError("gray, viridis, magma or diverging"))
    }
}

impl Display for Colormap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = COLORMAPS.iter().find(|(_, known)| known == self);
        f.write_str(found.map_or("gray", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are_printed() {
        for text in ["map", "layer", "fixed=-0.25,1000000"] {
            assert_eq!(text.parse::<Range>().unwrap().to_string(), text);
        }
        for (name, colormap) in COLORMAPS {
            assert_eq!(name.parse::<Colormap>().unwrap(), colormap);
            assert_eq!(colormap.to_string(), name);
        }
        assert_eq!("grey".parse::<Colormap>().unwrap(), Colormap::Gray);
        assert!("jet".parse::<Colormap>().is_err());
    }

    #[test]
    fn ranges_are_read_in_every_form() {
        let range = |text: &str| text.parse::<Range>().unwrap();
        assert_eq!(range("fixed=-1, 2.5"), Range::Fixed(-1.0, 2.5));
        assert_eq!(range("0,6"), Range::Fixed(0.0, 6.0));
        for text in ["fixed", "1,1", "2,1", "0,inf", "nan,1", "0", "0,1,2", ""] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
