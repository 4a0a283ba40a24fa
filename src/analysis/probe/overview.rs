//! One picture a step of a probe image: the input, and the principal components of every layer that is shown.

use burn::tensor::Tensor;

use crate::analysis::Components;
use crate::analysis::figure::{Cells, Figure, SIZE, Tiles, scaled};
use crate::data::prepared::PreparedImage;
use crate::logger::Step;

/// The longer side of a tile. The components are enlarged squares of more pixels, which a card does not show. Units: pixels.
const SIDE: u32 = 112;

pub(super) fn log(step: &mut Step<'_>, image: &PreparedImage, components: &[Components]) {
    let Some(first) = components.first() else {
        return;
    };
    let (width, height) = (image.picture.width, image.picture.height);
    let longer = width.max(height).max(1);
    let size = [width, height].map(|side| (side * SIDE / longer).max(1));
    let input = scaled(&image.picture, size);
    let names = components.iter().map(|of| of.layer.name().to_owned());
    let names = ["input".to_owned()].into_iter().chain(names).collect();
    let columns = columns(1 + components.len());
    let title = format!("{}: principal components by layer, as colors", image.name);
    let device = first.planes.device();
    let planes = components.iter().map(|of| of.planes.clone());
    let planes = planes.map(|planes| planes.flatten::<1>(0, 3).to_device(&device));
    let painters = components
        .iter()
        .map(|of| (of.planes.shape().num_elements(), of.painter()));
    let painters: Vec<_> = painters.collect();
    let draw = move |values: Vec<f32>| {
        let mut tiles = vec![input];
        let mut rest = values.into_iter();
        for (count, paint) in painters {
            let picture = paint(rest.by_ref().take(count).collect())?;
            tiles.push(scaled(&picture, size));
        }
        let figure = Figure {
            title,
            rows: vec![String::new(); tiles.len().div_ceil(columns)],
            columns: vec![String::new(); columns],
            cells: Cells::Tiles(Tiles {
                names,
                ..Tiles::new(&tiles)
            }),
            ..Figure::default()
        };
        let [width, height] = SIZE;
        Ok(figure.picture(width, height))
    };
    let tag = format!("Overview/{}", image.name);
    let heading = "The image as the network saw it, and the first three principal components of each layer as red, green and blue: equal colors are equal features of a layer, at every step";
    step.describe(&*tag, heading);
    step.image_of(tag, Tensor::cat(planes.collect(), 0), draw);
}

/// Columns with which tiles fill a picture that is a half wider than high.
fn columns(count: usize) -> usize {
    (1..=count)
        .find(|columns| columns * columns * 3 >= count * 5)
        .unwrap_or(count)
}
