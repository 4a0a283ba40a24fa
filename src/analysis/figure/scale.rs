//! From values to colors, and the numbers beside them.

use serde::{Deserialize, Serialize};

/// The values of the first and the last color; those beyond have the colors of the ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scale {
    Linear { low: f32, high: f32 },
    Log { low: f32, high: f32 },
}

impl Default for Scale {
    fn default() -> Self {
        Self::Linear {
            low: 0.0,
            high: 1.0,
        }
    }
}

impl Scale {
    /// Where between the ends a value is, from 0 to 1.
    pub(super) fn part(self, value: f32) -> f32 {
        let part = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
        };
        part.clamp(0.0, 1.0)
    }

    /// Values worth naming: few round ones.
    pub(super) fn ticks(self) -> Vec<f32> {
        match self {
            Self::Linear { low, high } => (0_u8..=5)
                .map(|n| low + (high - low) * (f32::from(n) / 5.0))
                .collect(),
            Self::Log { low, high } => {
                let (first, last) = (low.log10() - 1e-4, high.log10() + 1e-4);
                let powers = first.ceil() as i32..=last.floor() as i32;
                powers.map(|n| 10_f64.powi(n) as f32).collect()
            }
        }
    }

    /// A value with as many digits as can be told apart on the scale.
    pub(super) fn number(self, value: f32) -> String {
        let finest = match self {
            Self::Linear { low, high } => (high - low) / 200.0,
            Self::Log { .. } => value.abs() / 30.0,
        };
        let digits = (-finest.log10().floor()).clamp(0.0, 9.0) as usize;
        let mut text = format!("{value:.digits$}");
        if digits > 0 {
            let end = text.trim_end_matches('0').trim_end_matches('.').len();
            text.truncate(end);
        }
        if text == "-0" { "0".to_owned() } else { text }
    }
}
