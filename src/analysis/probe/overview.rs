//! One picture a step of a probe image: the input, and the principal components of every layer that is shown.

use crate::analysis::figure::{Cells, Figure, Tiles};
use crate::data::prepared::PreparedImage;
use crate::logger::{LoggerError, Step};
use crate::network::Layer;
use feature_grid::Picture;

/// The longer side of a tile. The components are enlarged squares of more pixels, which a card does not show. Units: pixels.
const SIDE: u32 = 112;

/// Units: pixels.
const SIZE: [u32; 2] = [700, 420];

pub(super) fn log(
    step: &mut Step<'_>,
    image: &PreparedImage,
    components: &[(Layer, Picture)],
) -> Result<(), LoggerError> {
    if components.is_empty() {
        return Ok(());
    }
    let (width, height) = (image.picture.width, image.picture.height);
    let longer = width.max(height).max(1);
    let size = [width, height].map(|side| (side * SIDE / longer).max(1));
    let pictures = components.iter().map(|(_, picture)| picture);
    let tiles: Vec<Picture> = [&image.picture]
        .into_iter()
        .chain(pictures)
        .map(|picture| scaled(picture, size))
        .collect();
    let names = components.iter().map(|(layer, _)| layer.name().to_owned());
    let names = ["input".to_owned()].into_iter().chain(names).collect();
    let columns = columns(tiles.len());
    let figure = Figure {
        title: format!("{}: principal components by layer, as colors", image.name),
        rows: vec![String::new(); tiles.len().div_ceil(columns)],
        columns: vec![String::new(); columns],
        cells: Cells::Tiles(Tiles::new(&tiles).with_names(names)),
        ..Figure::default()
    };
    let tag = format!("Overview/{}", image.name);
    let heading = "The image as the network saw it, and the first three principal components of each layer as red, green and blue: equal colors are equal features of a layer, at every step";
    step.describe(&*tag, heading);
    let [width, height] = SIZE;
    step.image(tag, &figure.picture(width, height))
}

/// Columns with which tiles fill a picture that is a half wider than high.
fn columns(count: usize) -> usize {
    (1..=count)
        .find(|columns| columns * columns * 3 >= count * 5)
        .unwrap_or(count)
}

/// With this width and height, of the nearest pixels.
fn scaled(picture: &Picture, [width, height]: [u32; 2]) -> Picture {
    let channels = picture.color.channels();
    let mut pixels = Vec::with_capacity(channels * (width * height) as usize);
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let [x, y] = [
            column * picture.width / width,
            row * picture.height / height,
        ];
        let at = channels * (y * picture.width + x) as usize;
        pixels.extend(picture.pixels.get(at..at + channels).unwrap_or_default());
    }
    Picture {
        width,
        height,
        color: picture.color,
        pixels,
    }
}
