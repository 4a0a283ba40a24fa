//! Random parameters, initialized as torchvision does.

use std::collections::HashMap;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::arch::{Arch, Sizes};
use super::build::ParameterSource;
use crate::network::LayerKind;
use crate::weights::{WeightsError, WeightsErrorKind, WeightsFile};

const INPUT_CHANNELS: usize = 3;

/// Seeded random parameters of one network.
///
/// The values depend on the seed and the parameter alone: not on the device, the number of threads
/// or which other parameters are read.
///
/// Convolutions are drawn from N(0, 2 / (9 * out channels)), the fully connected layers from
/// N(0, 0.01²), biases are 0, batch normalization starts as the identity.
/// Source: `init_weights` in `torchvision.models.vgg` (`kaiming_normal_` with `fan_out`).
#[derive(Debug, Clone)]
pub(crate) struct RandomParameters {
    seed: u64,
    parameters: HashMap<String, Parameter>,
}

#[derive(Debug, Clone)]
struct Parameter {
    /// Place in the state dict; separates the random streams.
    stream: u64,
    shape: Vec<usize>,
    /// Of the normal distribution that the values are drawn from.
    mean: f32,
    std: f32,
}

impl RandomParameters {
    /// Lays out the parameters of `arch`; nothing is drawn yet.
    pub(crate) fn new(arch: Arch, sizes: Sizes, seed: u64) -> Self {
        let mut parameters = HashMap::new();
        // In the order of torchvision's state dict, which numbers the streams.
        let mut add = |name: String, shape: Vec<usize>, mean, std| {
            let stream = parameters.len() as u64;
            let parameter = Parameter {
                stream,
                shape,
                mean,
                std,
            };
            parameters.insert(name, parameter);
        };
        let mut channels = INPUT_CHANNELS;
        let mut widths = arch.by_convolution(sizes.widths);
        for layer in arch.layers() {
            let name = layer.torch_name();
            match layer.kind {
                LayerKind::Convolution => {
                    let out = widths.next().unwrap_or_default();
                    let std = (2.0 / (9 * out) as f32).sqrt();
                    let shape = vec![out, channels, 3, 3];
                    add(format!("{name}.weight"), shape, 0.0, std);
                    add(format!("{name}.bias"), vec![out], 0.0, 0.0);
                    channels = out;
                }
                LayerKind::BatchNorm => {
                    for (part, value) in [
                        ("weight", 1.0),
                        ("bias", 0.0),
                        ("running_mean", 0.0),
                        ("running_var", 1.0),
                    ] {
                        add(format!("{name}.{part}"), vec![channels], value, 0.0);
                    }
                }
                _ => {}
            }
        }
        let mut input = channels * 49;
        for (index, output) in [(0, sizes.hidden), (3, sizes.hidden), (6, sizes.classes)] {
            let name = format!("classifier.{index}");
            add(format!("{name}.weight"), vec![output, input], 0.0, 0.01);
            add(format!("{name}.bias"), vec![output], 0.0, 0.0);
            input = output;
        }
        Self { seed, parameters }
    }

    fn find(&self, name: &str) -> Result<&Parameter, WeightsError> {
        let missing = || WeightsErrorKind::Missing {
            name: name.to_owned(),
            near: Vec::new(),
        };
        let parameter = self.parameters.get(name);
        parameter.ok_or_else(|| WeightsError::new(self.path(), missing()))
    }
}

impl ParameterSource for RandomParameters {
    fn path(&self) -> &Path {
        Path::new("random weights")
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightsError> {
        Ok(self.find(name)?.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let parameter = self.find(name)?;
        let count = parameter.shape.iter().product();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(parameter.stream);
        // A finite standard deviation is all that Normal asks for.
        Ok(Normal::new(parameter.mean, parameter.std).map_or_else(
            |_| vec![0.0; count],
            |distribution| distribution.sample_iter(rng).take(count).collect(),
        ))
    }
}

/// The parameters of `base`, with those whose names begin with `new`, as `classifier.` does, of random numbers.
#[derive(Debug)]
pub(crate) struct Grafted {
    pub(crate) base: WeightsFile,
    pub(crate) fresh: RandomParameters,
    pub(crate) new: &'static str,
}

impl Grafted {
    fn source_of(&self, name: &str) -> &dyn ParameterSource {
        if name.starts_with(self.new) {
            &self.fresh
        } else {
            &self.base
        }
    }
}

impl ParameterSource for Grafted {
    fn path(&self) -> &Path {
        self.base.path()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightsError> {
        self.source_of(name).shape(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.source_of(name).read(name)
    }

    fn batches_tracked(&self, norm: &str) -> Result<i64, WeightsError> {
        self.source_of(norm).batches_tracked(norm)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "constants are exact, counts small")]
mod tests {
    use super::*;

    const SMALL: Sizes = Sizes {
        classes: 10,
        hidden: 32,
        ..Sizes::PUBLISHED
    };

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = values
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / n;
        (mean, var.sqrt())
    }

    #[test]
    fn convolutions_have_torchvisions_spread() {
        let source = RandomParameters::new(Arch::VGG16, SMALL, 0);
        let (mean, std) = moments(&source.read("features.10.weight").unwrap());
        let expected = (2.0f64 / (9.0 * 256.0)).sqrt();
        assert!(mean.abs() < 0.001, "{mean}");
        assert!((std / expected - 1.0).abs() < 0.01, "{std} {expected}");
        assert!(
            source
                .read("features.10.bias")
                .unwrap()
                .iter()
                .all(|v| *v == 0.0)
        );
    }

    #[test]
    fn a_seed_gives_the_same_values_and_parameters_differ() {
        let draw = |seed, name: &str| {
            RandomParameters::new(Arch::VGG16, SMALL, seed)
                .read(name)
                .unwrap()
        };
        assert_eq!(draw(7, "features.2.weight"), draw(7, "features.2.weight"));
        assert_ne!(draw(7, "features.2.weight"), draw(8, "features.2.weight"));
        let (a, b) = (draw(7, "features.24.weight"), draw(7, "features.26.weight"));
        assert_ne!(a, b);
    }

    /// 138,357,544 is what `sum(p.numel() for p in torchvision.models.vgg16().parameters())` says;
    /// with _bn the running statistics (2 x 4224) come on top of 138,365,992.
    #[test]
    fn the_published_network_has_the_published_size() {
        for (name, expected) in [("vgg16", 138_357_544), ("vgg16_bn", 138_365_992 + 2 * 4224)] {
            let source = RandomParameters::new(name.parse().unwrap(), Sizes::PUBLISHED, 0);
            let count: usize = source
                .parameters
                .values()
                .map(|p| p.shape.iter().product::<usize>())
                .sum();
            assert_eq!(count, expected, "{name}");
        }
    }

    #[test]
    fn batch_normalization_starts_as_the_identity() {
        let source = RandomParameters::new("vgg11_bn".parse().unwrap(), SMALL, 0);
        assert_eq!(source.shape("features.1.running_var").unwrap(), [64]);
        assert_eq!(source.read("features.1.running_var").unwrap()[0], 1.0);
        assert_eq!(source.read("features.1.running_mean").unwrap()[0], 0.0);
        assert!(source.read("features.2.weight").is_err());
    }
}
