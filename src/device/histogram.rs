//! Histograms of tensors, counted where the tensors are.

use burn::tensor::Tensor;

#[cfg(feature = "libtorch")]
use super::bucket_counts::BucketCounts;
use tensorboard_events::Histogram;

/// Histograms of one tensor after the other, all of them on one device.
///
/// On CUDA they are counted on the device, and what was counted is copied at the end, of all tensors at once.
#[derive(Default)]
pub(crate) struct Histograms {
    counted: Vec<Histogram>,
    #[cfg(feature = "libtorch")]
    on_cuda: Vec<BucketCounts>,
}

impl Histograms {
    /// Counts the values of `tensor`.
    pub(crate) fn add<const D: usize>(&mut self, tensor: Tensor<D>) {
        #[cfg(feature = "libtorch")]
        if let Some(counts) = BucketCounts::on_cuda(tensor.clone()) {
            self.on_cuda.push(counts);
            return;
        }
        let values = tensor.into_data();
        let values = values.as_slice::<f32>().unwrap_or_default();
        self.counted.push(Histogram::of(values, Histogram::BUCKETS));
    }

    /// The histograms, in the order in which their tensors were added.
    pub(crate) fn read(self) -> Vec<Histogram> {
        #[cfg(feature = "libtorch")]
        if !self.on_cuda.is_empty() {
            return BucketCounts::read(&self.on_cuda);
        }
        self.counted
    }
}
