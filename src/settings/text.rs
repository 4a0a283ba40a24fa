//! How values of other modules are written as settings.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::values::{ParseValueError, numbers};
use crate::data::labeled::augment::ColorJitter;
use crate::train::Decay;

/// Serializes a value as it is typed.
pub(super) fn as_text<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Serializes an optional value as it is typed.
#[expect(clippy::ref_option, reason = "serde calls it with the field")]
pub(super) fn as_optional_text<S: Serializer>(
    value: &Option<impl Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Serializes values as they are typed.
pub(super) fn as_texts<S: Serializer>(
    values: &[impl Display],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

/// Serializes a comma-separated list as an array.
pub(super) fn as_list<S: Serializer>(list: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.split(',').map(str::trim))
}

impl FromStr for Decay {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            ParseValueError(
                "constant, cosine or step=N,FACTOR with N steps from 1 and FACTOR above 0 and at most 1, as in step=1000,0.1",
            )
        };
        match text {
            "constant" => Ok(Self::Constant),
            "cosine" => Ok(Self::Cosine),
            other => {
                let list = other.strip_prefix("step=").ok_or_else(unknown)?;
                let (every, factor) = list.split_once(',').ok_or_else(unknown)?;
                match (every.trim().parse(), factor.trim().parse::<f64>()) {
                    (Ok(every), Ok(factor)) if every > 0 && factor > 0.0 && factor <= 1.0 => {
                        Ok(Self::Step { every, factor })
                    }
                    _ => Err(unknown()),
                }
            }
        }
    }
}

impl Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Cosine => f.write_str("cosine"),
            Self::Step { every, factor } => write!(f, "step={every},{factor}"),
        }
    }
}

impl FromStr for ColorJitter {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::default());
        }
        match numbers(text)[..] {
            [brightness, contrast, saturation, hue]
                if [brightness, contrast, saturation]
                    .iter()
                    .all(|x| *x >= 0.0 && x.is_finite())
                    && (0.0..=0.5).contains(&hue) =>
            {
                Ok(Self {
                    brightness,
                    contrast,
                    saturation,
                    hue,
                })
            }
            _ => Err(ParseValueError(
                "\"off\" or four numbers from 0, the last at most 0.5, as in 0.4,0.4,0.4,0.1",
            )),
        }
    }
}

impl Display for ColorJitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("off");
        }
        let color = [self.brightness, self.contrast, self.saturation];
        let [brightness, contrast, saturation] = color;
        write!(f, "{brightness},{contrast},{saturation},{}", self.hue)
    }
}

/// Resolved settings as the TOML file that runs them again. Another `--run` is needed for that, since this
/// one is taken.
pub(super) fn toml_text(
    command: &str,
    settings: &impl Serialize,
) -> Result<String, toml::ser::Error> {
    let resume = match command {
        "train" => "# To resume it:\n#     vggscope train --config THIS_FILE --resume\n",
        _ => "",
    };
    Ok(format!(
        "# Written by vggscope {version}. To run it again:\n#     vggscope {command} --config THIS_FILE --run ANOTHER_NAME\n{resume}command = {command:?}\n{settings}",
        version = env!("CARGO_PKG_VERSION"),
        settings = toml::to_string(settings)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are_printed() {
        for text in ["constant", "cosine", "step=100,0.5"] {
            assert_eq!(text.parse::<Decay>().unwrap().to_string(), text);
        }
        for text in ["off", "0.4,0.4,0.4,0.1"] {
            assert_eq!(text.parse::<ColorJitter>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_values_are_refused() {
        for text in ["0.1,0.1,0.1,0.6", "0.1", "-1,0,0,0", "0,0,0,nan"] {
            assert!(text.parse::<ColorJitter>().is_err(), "{text}");
        }
        for text in ["step", "step=0,0.1", "step=10,2", "step=10,nan", "linear"] {
            assert!(text.parse::<Decay>().is_err(), "{text}");
        }
    }
}
