//! The values of settings that are more than a number: each is read from a flag or a TOML key by `FromStr`
//! and written back by `Display`.

use std::fmt::{self, Display};
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeBounds;
use std::str::FromStr;

use super::text::written_as_text;
use crate::data::transform::Crop;
use crate::schedule::Interval;

pub(super) fn expected(what: &str) -> String {
    format!("expected {what}")
}

/// A type that has `read`, which gives none where the text is not what is expected.
macro_rules! read_from_text {
    ($name:ident: $expected:expr) => {
        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::read(text).ok_or_else(|| $crate::settings::values::expected($expected))
            }
        }
    };
}
pub(super) use read_from_text;

/// A setting that is one keyword or a number.
macro_rules! keyword_or_number {
    ($(#[$doc:meta])* $name:ident: $keyword:literal or $number:ty, $valid:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub(crate) struct $name(
            /// `None` for the keyword.
            pub(crate) Option<$number>,
        );

        read_from_text!($name: $expected);

        impl $name {
            fn read(text: &str) -> Option<Self> {
                let valid: fn($number) -> bool = $valid;
                match text.parse() {
                    Ok(number) if valid(number) => Some(Self(Some(number))),
                    Err(_) if text.eq_ignore_ascii_case($keyword) => Some(Self(None)),
                    _ => None,
                }
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    Some(number) => number.fmt(f),
                    None => f.write_str($keyword),
                }
            }
        }
    };
}

keyword_or_number! {
    /// A number of pixels, or nothing to be done. The limit is far above any network's input: a typo must
    /// not ask for terabytes.
    Size: "off" or NonZeroU32, |pixels| pixels.get() <= 16_384,
    "a number of pixels from 1 to 16384, or \"off\""
}

keyword_or_number! {
    /// A centered crop, or none, within the same limit.
    CropSize: "off" or Crop, |crop| crop.sides().iter().all(|side| *side <= 16_384),
    "the side of a square or HEIGHTxWIDTH (such as 480x640), from 1 to 16384 pixels, or \"off\""
}

keyword_or_number! {
    /// How many of several things, from the first or the newest on.
    Count: "all" or usize, |count| count > 0, "a whole number from 1, or \"all\""
}

keyword_or_number! {
    NormLimit: "off" or f64, |norm| norm > 0.0 && norm.is_finite(), "a number above 0, or \"off\""
}

/// A setting that is one of several words, or else a value: how that is read, and how it is written.
macro_rules! words_or_value {
    ($name:ident: $($variant:ident $word:literal $(or $alias:literal)?),+; $other:ident $text:ident => $read:expr, $value:ident => $write:expr) => {
        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word $(| $alias)? => Ok(Self::$variant),)+
                    $text => $read.map(Self::$other),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($word),)+
                    Self::$other($value) => std::fmt::Display::fmt(&$write, f),
                }
            }
        }
    };
}
pub(super) use words_or_value;

words_or_value! {
    Interval: Never "off", Epoch "epoch";
    Steps text => within(1.., "a number of steps from 1, \"epoch\" or \"off\"")(text), steps => steps
}

/// Parses a number in a range.
pub(super) fn within<T: FromStr + PartialOrd>(
    range: impl RangeBounds<T> + Clone,
    what: &str,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| expected(what))
    }
}

pub(super) fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    within(NonZeroUsize::MIN.., "a whole number from 1")(text)
}

pub(super) fn parse_fraction(text: &str) -> Result<f64, String> {
    within(0.0..=1.0, "a number from 0 to 1")(text)
}

pub(super) fn parse_positive(text: &str) -> Result<f64, String> {
    within(f64::MIN_POSITIVE..=f64::MAX, "a number above 0")(text)
}

/// The numbers of a comma-separated list; NaN, which fits no range, for what is none.
pub(super) fn numbers<T: FromStr + From<f32>>(text: &str) -> Vec<T> {
    text.split(',')
        .map(|number| number.trim().parse().unwrap_or_else(|_| f32::NAN.into()))
        .collect()
}

written_as_text!(Size, CropSize, Count, NormLimit, Interval);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are_printed() {
        for text in ["off", "1", "224"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["off", "224", "480x640"] {
            assert_eq!(text.parse::<CropSize>().unwrap().to_string(), text);
        }
        for text in ["all", "1", "64"] {
            assert_eq!(text.parse::<Count>().unwrap().to_string(), text);
        }
        for text in ["off", "epoch", "25"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        for text in ["off", "2.5"] {
            assert_eq!(text.parse::<NormLimit>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_values_are_refused() {
        for text in ["0", "-3", "16385", "99999999999", "", "big"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for text in [
            "0x4",
            "480x",
            "x640",
            "480x640x3",
            "20000x1",
            "480 x 640",
            "x",
            "480X640",
        ] {
            assert!(text.parse::<CropSize>().is_err(), "{text}");
        }
        assert!("0".parse::<Count>().is_err());
        assert!("0".parse::<Interval>().is_err());
        assert!("0".parse::<NormLimit>().is_err() && "nan".parse::<NormLimit>().is_err());
        assert!(parse_count("0").is_err() && parse_count("1.5").is_err());
        assert!(parse_fraction("1.1").is_err() && parse_fraction("nan").is_err());
        assert!(parse_positive("0").is_err() && parse_positive("inf").is_err());
    }
}
