//! The weights of a network at one moment: of convolutions, in host memory, or on a GPU, where they stay; and of linear
//! layers, which are many and are compared with those of the first step only.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::found::Change;
use super::layer::{Compared, LayerChange, LayerWeights, nearly_equal};
use super::on_device::{self, DeviceWeights};
use crate::analysis::{AnalysisError, ObservedNetwork, asking};
use crate::device::{BackendError, PairSums, all_values, floats, is_asynchronous, values};
use crate::network::{Convolution, Parameters};

const CONVOLUTIONS: &str = "the convolutions";

/// The layers; one of both is empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    on_host: Vec<LayerWeights>,
    on_device: Vec<DeviceWeights>,
}

impl Snapshot {
    /// Copies them to the host, or shares them where they are on a GPU.
    pub(super) fn of(network: &ObservedNetwork<'_>) -> Result<Self, AnalysisError> {
        let parameters = network.network.parameters();
        let mut snapshot = Self::default();
        asking(CONVOLUTIONS, || {
            if is_asynchronous(&network.pass.device().device) {
                let convolutions = parameters.convolutions();
                snapshot.on_device = convolutions.map(|of| on_device(&of)).collect();
            } else {
                let convolutions = parameters.convolutions();
                let on_host = convolutions.map(|of| on_host(&of));
                snapshot.on_host = on_host.collect::<Result<_, _>>()?;
            }
            Ok(())
        })?;
        Ok(snapshot)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.on_host.is_empty() && self.on_device.is_empty()
    }

    pub(super) fn compare<const N: usize>(
        &self,
        earlier: [&Self; N],
    ) -> Result<Compared<N>, AnalysisError> {
        if self.on_device.is_empty() {
            let earlier = earlier.map(|earlier| &earlier.on_host[..]);
            return Ok(compare_on_host(&self.on_host, earlier));
        }
        let earlier = earlier.map(|earlier| &earlier.on_device[..]);
        asking(CONVOLUTIONS, || {
            on_device::compare(&self.on_device, earlier)
        })
    }
}

fn on_host(convolution: &Convolution<'_>) -> Result<LayerWeights, BackendError> {
    let vectors = convolution.vectors.iter().copied().cloned().map(values);
    Ok(LayerWeights {
        name: convolution.layer.tag(),
        filters: convolution.kernels.dims()[0],
        values: values(convolution.kernels.clone())?,
        bias: vectors.collect::<Result<Vec<_>, _>>()?.concat(),
    })
}

fn on_device(convolution: &Convolution<'_>) -> DeviceWeights {
    let vectors: Vec<_> = convolution.vectors.iter().copied().cloned().collect();
    let vectors = (!vectors.is_empty()).then(|| Tensor::cat(vectors, 0));
    DeviceWeights::new(
        convolution.layer.tag(),
        convolution.kernels.clone(),
        vectors,
    )
}

fn compare_on_host<const N: usize>(
    layers: &[LayerWeights],
    earlier: [&[LayerWeights]; N],
) -> Compared<N> {
    let mut compared = Compared::new(earlier.map(|old| {
        let pairs = old.iter().zip(layers);
        let changes = pairs.map(|(old, new)| LayerChange::between(old, new));
        changes.collect()
    }));
    for layer in layers {
        let pairs = nearly_equal(layer).len() as f64;
        compared.add(&layer.name, layer.non_finite(), pairs);
    }
    compared
}

/// The weights of the first step, by layer: shared with the network, which copies them once it learns.
#[derive(Default)]
pub(super) struct FirstLinears(BTreeMap<String, Tensor<2>>);

impl FirstLinears {
    pub(super) fn compare(
        &self,
        parameters: &Parameters,
    ) -> Result<BTreeMap<String, Change>, AnalysisError> {
        let now = parameters.linears();
        let pairs = now.filter_map(|(name, now)| Some((name, self.0.get(name)?.clone(), now)));
        let change = |(name, old, new): (&str, Tensor<2>, Tensor<2>)| {
            let sums = asking(name, || sums(old, new))?;
            Ok((name.to_owned(), Change::from(&sums)))
        };
        pairs.map(change).collect()
    }

    pub(super) fn set(&mut self, parameters: &Parameters) {
        let named = parameters.linears();
        self.0 = named
            .map(|(name, weights)| (name.to_owned(), weights))
            .collect();
    }
}

fn sums(old: Tensor<2>, new: Tensor<2>) -> Result<PairSums, BackendError> {
    if is_asynchronous(&new.device()) {
        let sums = PairSums::over_rows(old, new).sum_dim(0).flatten(0, 1);
        let sums = all_values(vec![sums])?.concat();
        return Ok(PairSums::read(&sums).sum());
    }
    Ok(PairSums::of_floats(&*floats(old)?, &*floats(new)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    use crate::device::{Descent, OpenDevice, descend};

    const SHAPE: [usize; 4] = [6, 3, 5, 5];

    /// The number of the first bias.
    const BIAS: usize = 1000;

    /// A layer whose values a generator gives, on the host and on a device.
    fn layer(device: &Device, value: impl Fn(usize) -> f32) -> (LayerWeights, DeviceWeights) {
        let values: Vec<f32> = (0..SHAPE.iter().product()).map(&value).collect();
        let bias: Vec<f32> = (BIAS..BIAS + SHAPE[0]).map(value).collect();
        let weights = Tensor::from_data(TensorData::new(values.clone(), SHAPE), device);
        let biases = Tensor::from_data(TensorData::new(bias.clone(), [SHAPE[0]]), device);
        let host = LayerWeights {
            name: "conv1_1".to_owned(),
            filters: SHAPE[0],
            values,
            bias,
        };
        let on_device = DeviceWeights::new(host.name.clone(), weights, Some(biases));
        (host, on_device)
    }

    fn noise(n: usize) -> f32 {
        f32::from(u8::try_from(n * 7919 % 251).unwrap()) / 100.0 - 1.2
    }

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        let is_near = (found - expected).abs() < 1e-6 * expected.abs().max(1.0);
        let same = found.is_nan() && expected.is_nan() || found.total_cmp(&expected).is_eq();
        assert!(is_near || same, "{found} {expected}");
    }

    /// How a layer of `value` compares with earlier ones, on the host and on every device.
    #[track_caller]
    fn assert_compared(
        value: impl Fn(usize) -> f32,
        earlier: [&dyn Fn(usize) -> f32; 2],
    ) -> Compared<2> {
        let mut host = None;
        for choice in ["auto", "flex"] {
            let device = OpenDevice::open(choice.parse().unwrap()).unwrap().device;
            let (new, new_there) = layer(&device, &value);
            let [(one, one_there), (two, two_there)] = earlier.map(|of| layer(&device, of));
            let expected = compare_on_host(&[new], [&[one], &[two]]);
            let there: [&[_]; 2] = [&[one_there], &[two_there]];
            let found = on_device::compare(&[new_there], there).unwrap();
            assert_eq!(found.nearly_equal, expected.nearly_equal);
            assert_eq!(found.non_finite, expected.non_finite);
            for (found, expected) in found.changes.iter().zip(&expected.changes) {
                let ([found], [expected]) = (&found[..], &expected[..]) else {
                    panic!("one layer");
                };
                assert_eq!(
                    (&found.name, found.is_equal),
                    (&expected.name, expected.is_equal)
                );
                assert_eq!(found.filters.len(), SHAPE[0]);
                let found = found.filters.iter().chain([&found.whole]);
                for (found, expected) in found.zip(expected.filters.iter().chain([&expected.whole]))
                {
                    assert_near(found.relative(), expected.relative());
                    assert_near(found.cosine(), expected.cosine());
                    assert_near(found.factor(), expected.factor());
                    assert_near(found.old_norm(), expected.old_norm());
                    assert_near(found.new_norm(), expected.new_norm());
                }
            }
            host = Some(expected);
        }
        host.unwrap()
    }

    #[test]
    fn a_device_finds_the_changes_that_the_host_finds() {
        let other = |n: usize| noise(n) * 1.25 + noise(n + 3) / 50.0;
        let compared = assert_compared(noise, [&noise, &other]);
        let [same, changed] = &compared.changes;
        assert!(same[0].is_equal && !changed[0].is_equal);
        // A difference whose square is 0 in single precision, and one of a bias only.
        let with = |at: usize, value: f32| move |n: usize| if n == at { value } else { noise(n) };
        let bias = with(BIAS + 3, 9.0);
        let compared = assert_compared(with(40, 0.0), [&with(40, 1e-30), &noise]);
        assert!(
            !compared.changes[0][0].is_equal && compared.changes[0][0].whole.relative() < 1e-29
        );
        let compared = assert_compared(bias, [&noise, &bias]);
        assert!(!compared.changes[0][0].is_equal && compared.changes[1][0].is_equal);
    }

    /// Squares that are not finite in single precision, next to filters of an ordinary size.
    #[test]
    fn large_weights_are_compared_on_a_device_too() {
        let size: usize = SHAPE[1..].iter().product();
        let value = |n: usize| noise(n) * if n / size == 2 { 4.8e21 } else { 1.0 };
        let other = |n: usize| value(n) * 1.5;
        let compared = assert_compared(value, [&value, &other]);
        let change = &compared.changes[1][0];
        assert_near(change.filters[2].relative(), 1.0 / 3.0);
        assert_near(change.filters[3].cosine(), 1.0);
    }

    #[test]
    fn a_device_finds_the_filters_that_the_host_finds() {
        let size: usize = SHAPE[1..].iter().product();
        // Filters 1 and 4 are 0 and 3 again, but for a scale; 2 is all zeros.
        let value = |n: usize| match n / size {
            1 => noise(n - size) * 3.0,
            4 => noise(n - size) * 0.1,
            2 => 0.0,
            _ => noise(n),
        };
        let compared = assert_compared(value, [&noise, &value]);
        assert_eq!(compared.nearly_equal, [2.0]);
    }

    /// Optimizers write into tensors that nobody else has.
    #[test]
    fn weights_stay_what_they_were_while_a_training_goes_on() {
        for choice in ["auto", "flex"] {
            let device = OpenDevice::open(choice.parse().unwrap()).unwrap().device;
            let tensor = |value| Tensor::<4>::full(SHAPE, value, &device);
            let weights = tensor(2.0);
            let before = DeviceWeights::new("conv1_1".to_owned(), weights.clone(), None);
            let descent = Descent {
                learning_rate: 0.5,
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
            };
            let (weights, _) = descend(weights, tensor(1.0), tensor(0.0), descent);
            let after = DeviceWeights::new("conv1_1".to_owned(), weights, None);
            let compared = on_device::compare(&[after], [&[before]]).unwrap();
            assert_near(compared.changes[0][0].whole.relative(), 0.25);
        }
    }

    #[test]
    fn a_device_counts_what_is_not_finite_as_the_host_does() {
        let value = |n: usize| match n {
            3 => f32::NAN,
            80 | 81 => f32::INFINITY,
            _ => noise(n),
        };
        let compared = assert_compared(value, [&noise, &value]);
        assert!(compared.non_finite["conv1_1"] >= 3);
    }
}
