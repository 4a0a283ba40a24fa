//! What a convolution learns, logged from a plain Burn training loop: it learns to find edges.
//!
//!     cargo run --release --example training_loop [FOLDER]

use std::error::Error;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use vggscope::logger::FeatureLogger;

/// Two convolutions: maps that are looked at, and one that mixes them.
#[derive(Module, Debug)]
struct EdgeFinder {
    conv1: Conv2d,
    mix: Conv2d,
}

impl EdgeFinder {
    fn new(device: &Device) -> Self {
        let same = |channels, side| {
            Conv2dConfig::new(channels, [side, side]).with_padding(PaddingConfig2d::Same)
        };
        Self {
            conv1: same([3, 16], 5).init(device),
            mix: same([16, 1], 1).init(device),
        }
    }

    fn maps(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.conv1.forward(x))
    }
}

/// How far each pixel is from the one to its right: `[batch, 1, height, width]`.
fn edges(x: &Tensor<4>) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    let gray = x.clone().mean_dim(1);
    let right = gray.clone().slice([0..batch, 0..1, 0..height, 1..width]);
    let last = gray
        .clone()
        .slice([0..batch, 0..1, 0..height, width - 1..width]);
    (gray - Tensor::cat(vec![right, last], 3)).abs()
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1);
    let folder = folder.unwrap_or_else(|| "runs/example-training-loop".to_owned());
    let device = Device::flex().autodiff();
    let mut model = EdgeFinder::new(&device);
    let mut optimizer = AdamConfig::new().init();
    let probe = Tensor::<4>::random([1, 3, 32, 32], Distribution::Default, &Device::flex());
    let logger = FeatureLogger::builder(&folder).max_maps(16).create()?;
    for n in 0..100 {
        let x = Tensor::random([8, 3, 32, 32], Distribution::Default, &device);
        let found = model.mix.forward(model.maps(x.clone()));
        let loss = (found - edges(&x)).square().mean();
        let mut step = logger.step(n)?;
        step.scalar("train/loss", loss.clone().into_scalar::<f32>());
        if n % 10 == 0 {
            let now = model.valid();
            step.feature_maps("feature_maps/conv1", now.maps(probe.clone()))?;
            step.kernels("kernels/conv1", now.conv1.weight.val())?;
        }
        step.finish();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.01, model, gradients);
    }
    println!("{folder}: {} steps", logger.finish()?.steps);
    Ok(())
}
