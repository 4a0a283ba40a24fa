//! Batch normalization as torch trains it.

use burn::module::{Module, RunningState};
use burn::nn;
use burn::tensor::module::batch_norm_train;
use burn::tensor::{DType, Tensor};

/// Batch normalization, with what torch's state dict says of it beside Burn's parameters and statistics.
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    pub(super) layer: nn::BatchNorm,
    /// Whether it has a weight and a bias; without them (`affine=False`) those are 1 and 0, and not trained.
    #[module(skip)]
    pub(super) is_affine: bool,
    /// The batches that it was trained with before it was loaded.
    #[module(skip)]
    pub(crate) batches_tracked: i64,
}

impl BatchNorm {
    /// Shapes: `[batch, channels, height, width]` in and out.
    ///
    /// In training the running variance follows the unbiased variance of the batch (divided by `n - 1`),
    /// as in torch. Burn's layer divides by `n`, which matters in the deep layers, where a channel of a
    /// batch has few pixels. Source: `torch.nn.BatchNorm2d`.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let layer = &self.layer;
        if !(x.device().is_autodiff() && layer.training.is_enabled()) {
            // Its parameters are float32, whatever the maps are.
            return match x.dtype() {
                DType::F32 => layer.forward(x),
                dtype => layer.forward(x.cast(DType::F32)).cast(dtype),
            };
        }
        let [batch, _, height, width] = x.dims();
        let pixels = (batch * height * width) as f64;
        let batch_norm = batch_norm_train(x, layer.gamma.val(), layer.beta.val(), layer.epsilon);
        // A single pixel has no variance.
        let unbiased = batch_norm
            .variance
            .mul_scalar(pixels / (pixels - 1.0).max(1.0));
        follow(&layer.running_mean, batch_norm.mean, layer.momentum);
        follow(&layer.running_var, unbiased, layer.momentum);
        batch_norm.output
    }
}

/// Moves a running statistic by `momentum` towards that of the latest batch.
fn follow(running: &RunningState<Tensor<1>>, latest: Tensor<1>, momentum: f64) {
    let kept = running.value_sync().mul_scalar(1.0 - momentum);
    running.update(kept.add(latest.mul_scalar(momentum)).detach());
}
