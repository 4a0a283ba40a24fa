//! Pictures over time.

use super::canvas::{Canvas, GLYPH, width_of};
use super::{evenly, text_scale};
use feature_grid::Picture;

/// About how large a tile is drawn. Units: pixels.
const SIDE: u32 = 64;

/// Between tiles. Units: pixels.
const PADDING: u32 = 2;

/// Tiles in rows, one for each channel, and columns, one for each step.
pub(crate) struct Strip {
    pub(crate) title: String,
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
    /// Row by row.
    pub(crate) tiles: Vec<Option<Picture>>,
}

impl Strip {
    /// Draws it; small tiles are enlarged by a whole factor.
    pub(crate) fn picture(&self) -> Picture {
        let side = |of: fn(&Picture) -> u32| self.tiles.iter().flatten().map(of).max().unwrap_or(1);
        let (width, height) = (side(|tile| tile.width), side(|tile| tile.height));
        let factor = (SIDE / width.max(height)).max(1);
        let (wide, high) = (width * factor + PADDING, height * factor + PADDING);
        let [rows, columns] =
            [&self.rows, &self.columns].map(|labels| u32::try_from(labels.len()).unwrap_or(0));
        let scale = text_scale(rows * high + 30).min((high / GLYPH.1).max(1));
        let scale = text_scale(rows * high + 30 * scale).min((high / GLYPH.1).max(1));
        let line = GLYPH.1 * scale;
        let longest = self
            .rows
            .iter()
            .map(|row| width_of(row, scale))
            .max()
            .unwrap_or(0);
        let (left, top) = (longest + 6 * scale, 2 * line + 8 * scale);
        let whole = (left + columns * wide).max(width_of(&self.title, scale) + 4 * scale);
        let mut canvas = Canvas::new(whole, top + rows * high + PADDING);
        canvas.text(2 * scale, 2 * scale, &self.title, scale);
        for (row, label) in (0..).zip(&self.rows) {
            let x = left.saturating_sub(width_of(label, scale) + 3 * scale);
            canvas.text(
                x,
                top + row * high + (high - line.min(high)) / 2,
                label,
                scale,
            );
        }
        let widest = self
            .columns
            .iter()
            .map(|column| width_of(column, scale))
            .max()
            .unwrap_or(0);
        let fit = (columns * wide / (widest + GLYPH.0 * scale)).max(1) as usize;
        for column in evenly(self.columns.len(), fit) {
            let label = &self.columns[column];
            let length = width_of(label, scale);
            let middle = left + u32::try_from(column).unwrap_or(0) * wide + wide / 2;
            let last = (left + columns * wide).saturating_sub(length).max(left);
            let x = middle.saturating_sub(length / 2).clamp(left, last);
            canvas.text(x, top - line - 3 * scale, label, scale);
        }
        for (at, tile) in (0..).zip(&self.tiles) {
            let (column, row) = (at % columns.max(1), at / columns.max(1));
            if let Some(tile) = tile {
                canvas.picture(left + column * wide, top + row * high, tile, factor);
            }
        }
        canvas.into_picture()
    }
}
