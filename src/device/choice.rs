//! The names of devices, and why one is unavailable.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DeviceChoice {
    /// The first of: an NVIDIA GPU through libtorch, Apple's GPU through libtorch, libtorch on the
    /// CPU, flex.
    #[default]
    Auto,
    LibtorchCpu,
    /// libtorch on the NVIDIA GPU of this number.
    LibtorchCuda(usize),
    LibtorchMps,
    /// Burn's backend in pure Rust, on the CPU. Needs no libtorch.
    Flex,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Devices {
    /// Does all that is not shared.
    pub(crate) first: DeviceChoice,
    pub(crate) others: Vec<DeviceChoice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum DeviceError {
    #[error(
        "unknown device {0:?}: expected auto, libtorch:cpu, libtorch:cuda:0 (or another number), libtorch:mps or flex"
    )]
    Unknown(String),
    #[error("{0} does not render feature maps: only an NVIDIA GPU and the CPU of libtorch do")]
    DrawsNot(DeviceChoice),
    #[error("{0} is there twice: name every device once")]
    Twice(DeviceChoice),
    #[error("auto is one device, the best there is: name all devices instead")]
    AutoAmongOthers,
    #[error("{choice} is unavailable")]
    Missing {
        choice: DeviceChoice,
        source: Unavailable,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Unavailable {
    #[error("this vggscope was built without libtorch")]
    NoLibtorch,
    #[error("this vggscope was built without flex")]
    NoFlex,
    #[error("the libtorch that is loaded is for the CPU only")]
    CpuOnly,
    #[error("the libtorch that is loaded has CUDA, but its CUDA part was not linked")]
    NotLinked,
    #[error("libtorch has CUDA but finds no usable GPU")]
    NoGpu,
    #[error("there are {0} CUDA devices, numbered from 0")]
    OtherNumber(usize),
    #[error("libtorch uses Apple's GPU only on macOS 12.3 or newer with Apple silicon")]
    NoMps,
}

impl FromStr for Devices {
    type Err = DeviceError;

    fn from_str(names: &str) -> Result<Self, Self::Err> {
        let parsed = names.split(',').map(|name| name.trim().parse());
        let devices = parsed.collect::<Result<Vec<DeviceChoice>, _>>()?;
        if devices.len() > 1 && devices.contains(&DeviceChoice::Auto) {
            return Err(DeviceError::AutoAmongOthers);
        }
        let is_twice = |&(at, device): &(usize, &DeviceChoice)| devices[..at].contains(device);
        if let Some((_, device)) = devices.iter().enumerate().find(is_twice) {
            return Err(DeviceError::Twice(*device));
        }
        Ok(Self {
            first: devices[0],
            others: devices[1..].to_vec(),
        })
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others
            .iter()
            .try_for_each(|other| write!(f, ",{other}"))
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    /// Reads the names that [`DeviceChoice`] prints, and the short forms `cpu`, `cuda`, `cuda:1`,
    /// `mps` that PyTorch users type.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || DeviceError::Unknown(name.to_owned());
        let lower = name.to_ascii_lowercase();
        match lower.strip_prefix("libtorch:").unwrap_or(&lower) {
            "auto" if lower == "auto" => Ok(Self::Auto),
            "flex" if lower == "flex" => Ok(Self::Flex),
            "cpu" | "libtorch" => Ok(Self::LibtorchCpu),
            "mps" => Ok(Self::LibtorchMps),
            "cuda" => Ok(Self::LibtorchCuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::LibtorchCuda)
                .ok_or_else(unknown),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::LibtorchCpu => f.write_str("libtorch:cpu"),
            Self::LibtorchCuda(number) => write!(f, "libtorch:cuda:{number}"),
            Self::LibtorchMps => f.write_str("libtorch:mps"),
            Self::Flex => f.write_str("flex"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_printed() {
        for choice in [
            DeviceChoice::Auto,
            DeviceChoice::LibtorchCpu,
            DeviceChoice::LibtorchCuda(3),
            DeviceChoice::LibtorchMps,
            DeviceChoice::Flex,
        ] {
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
        assert_eq!(
            "cuda:1".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::LibtorchCuda(1)
        );
        assert_eq!(
            "cpu".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::LibtorchCpu
        );
    }

    #[test]
    fn several_devices_are_named_once_each() {
        let devices: Devices = "cuda:1, cpu".parse().unwrap();
        assert_eq!(devices.to_string(), "libtorch:cuda:1,libtorch:cpu");
        for names in ["cpu,libtorch:cpu", "auto,cpu", "cpu,", "cpu,gpu"] {
            assert!(names.parse::<Devices>().is_err(), "{names}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "gpu",
            "cuda:",
            "cuda:x",
            "libtorch:auto",
            "libtorch:flex",
            "",
        ] {
            let error = name.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(error.contains("expected auto"), "{error}");
        }
    }
}
