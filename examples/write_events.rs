//! Scalars, an image and a histogram into a TensorBoard run, without any network.
//!
//!     cargo run --release --example write_events [FOLDER]

use std::error::Error;

use vggscope::feature_grid::Picture;
use vggscope::logger::FeatureLogger;

const STEPS: u8 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1);
    let folder = folder.unwrap_or_else(|| "runs/example-events".to_owned());
    let logger = FeatureLogger::builder(&folder).create()?;
    for n in 0..STEPS {
        let mut step = logger.step(i64::from(n))?;
        let progress = f32::from(n) / f32::from(STEPS);
        step.scalar("train/loss", (-3.0 * progress).exp());
        step.scalar("train/accuracy", 1.0 - (-4.0 * progress).exp());
        step.histogram("weights/conv1", &logistic(progress, 1.0 - 0.5 * progress));
        step.image("input", gradient(n * (255 / STEPS)));
        step.text("note", format!("step **{n}** of {STEPS}"));
        step.finish();
    }
    let written = logger.finish()?;
    println!("{folder}: {} steps", written.steps);
    println!("see it with:  tensorboard --logdir {folder} --samples_per_plugin images={STEPS}");
    Ok(())
}

/// Values of a logistic distribution.
fn logistic(mean: f32, width: f32) -> Vec<f32> {
    (1..1000_u16)
        .map(|i| f32::from(i) / 1000.0)
        .map(|p| mean + width * (p / (1.0 - p)).ln())
        .collect()
}

/// A picture of 256 x 256 pixels: red grows to the right, green downward.
fn gradient(blue: u8) -> Picture {
    let pixels = (0..=255_u8)
        .flat_map(|y| (0..=255_u8).flat_map(move |x| [x, y, blue]))
        .collect();
    Picture::rgb(256, 256, pixels)
}
