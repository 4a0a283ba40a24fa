//! The feature maps and kernels of a network of your own: here a small residual network.
//!
//!     cargo run --release --example custom_model [FOLDER]

use std::error::Error;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use vggscope::feature_grid::Range;
use vggscope::logger::FeatureLogger;

/// Two residual blocks behind a convolution.
#[derive(Module, Debug)]
struct SmallResNet {
    stem: Conv2d,
    blocks: Vec<Block>,
}

/// `x + conv2(relu(conv1(x)))`
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    conv2: Conv2d,
}

impl SmallResNet {
    fn new(channels: usize, device: &Device) -> Self {
        let conv = |from| {
            Conv2dConfig::new([from, channels], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        let block = || Block {
            conv1: conv(channels),
            conv2: conv(channels),
        };
        Self {
            stem: conv(3),
            blocks: vec![block(), block()],
        }
    }

    /// The output of every stage, with its name. Shapes: `[batch, channels, height, width]`.
    fn stages(&self, x: Tensor<4>) -> Vec<(String, Tensor<4>)> {
        let mut x = relu(self.stem.forward(x));
        let mut stages = vec![("stem".to_owned(), x.clone())];
        for (index, block) in self.blocks.iter().enumerate() {
            let residual = block.conv2.forward(relu(block.conv1.forward(x.clone())));
            stages.push((format!("block{}_residual", index + 1), residual.clone()));
            x = relu(x + residual);
            stages.push((format!("block{}", index + 1), x.clone()));
        }
        stages
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1);
    let folder = folder.unwrap_or_else(|| "runs/example-custom-model".to_owned());
    let device = Device::flex();
    let model = SmallResNet::new(16, &device);
    let logger = FeatureLogger::builder(&folder)
        .range(Range::Layer)
        .create()?;
    for n in 0..5 {
        let image = Tensor::random([1, 3, 64, 64], Distribution::Default, &device);
        let mut step = logger.step(n)?;
        for (name, maps) in model.stages(image) {
            step.feature_maps(format!("feature_maps/{name}"), maps)?;
        }
        step.kernels("kernels/stem", model.stem.weight.val())?;
        step.finish();
    }
    println!("{folder}: {} steps", logger.finish()?.steps);
    Ok(())
}
