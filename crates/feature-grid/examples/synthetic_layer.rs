//! Writes a grid of 64 synthetic feature maps, waves of rising frequency, to a PNG file: that named on the
//! command line, or `synthetic_layer.png`.

use std::error::Error;

use feature_grid::{Colormap, Layout, Maps, Style, feature_maps};

const CHANNELS: u16 = 64;
const SIDE: u16 = 48;

fn main() -> Result<(), Box<dyn Error>> {
    let mut values = Vec::new();
    for channel in 0..CHANNELS {
        let (across, down) = (f32::from(channel % 8 + 1), f32::from(channel / 8 + 1));
        for y in 0..SIDE {
            for x in 0..SIDE {
                let [x, y] =
                    [x, y].map(|at| f32::from(at) / f32::from(SIDE) * std::f32::consts::TAU);
                values.push((x * across).sin() * (y * down).cos());
            }
        }
    }
    let shape = [CHANNELS, SIDE, SIDE].map(usize::from);
    let style = Style {
        colormap: Colormap::Diverging,
        ..Style::default()
    };
    let rendered = feature_maps(&Maps::new(&values, shape, Layout::Planar)?, &style)?;
    let file = std::env::args().nth(1);
    let file = file.unwrap_or_else(|| "synthetic_layer.png".to_owned());
    std::fs::write(&file, rendered.picture.to_png()?)?;
    let statistics = rendered.statistics;
    println!(
        "{file}: values from {} to {}",
        statistics.min, statistics.max
    );
    Ok(())
}
