//! Batch normalisation as torch trains it.

use burn::module::RunningState;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::module::batch_norm_train;

/// What `layer` makes of `x`; shapes `[batch, channels, height, width]` in and out.
///
/// While it learns, the running variance is corrected for the mean being the batch's own (the sum of
/// squares by `n - 1`), as in torch. Burn's layer divides by `n`, which shows in the deep layers, where
/// a channel of a batch has few pixels.
/// Source: `torch.nn.BatchNorm2d`.
pub(super) fn normalise(layer: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    if !(x.device().is_autodiff() && layer.training.is_enabled()) {
        return layer.forward(x);
    }
    let [batch, _, height, width] = x.dims();
    #[expect(clippy::cast_precision_loss, reason = "fewer pixels than 2^52")]
    let seen = (batch * height * width) as f64;
    let learnt = batch_norm_train(x, layer.gamma.val(), layer.beta.val(), layer.epsilon);
    // A single pixel has no variance, corrected or not.
    let corrected = learnt.variance.mul_scalar(seen / (seen - 1.0).max(1.0));
    follow(&layer.running_mean, learnt.mean, layer.momentum);
    follow(&layer.running_var, corrected, layer.momentum);
    learnt.output
}

/// Moves a running statistic by `share` towards that of the latest batch.
fn follow(running: &RunningState<Tensor<1>>, latest: Tensor<1>, share: f64) {
    let kept = running.value_sync().mul_scalar(1.0 - share);
    running.update(kept.add(latest.mul_scalar(share)).detach());
}
