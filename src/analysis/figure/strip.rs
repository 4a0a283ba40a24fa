//! Pictures over time.

use super::table::{Cell, Table};
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
        let cell = Cell {
            wide: width * factor + PADDING,
            high: height * factor + PADDING,
        };
        let table = Table::new(&self.title, &self.rows, &self.columns, cell, true);
        let height = table.top + table.height + PADDING;
        let mut canvas = table.canvas(table.left + table.width, height);
        for (at, tile) in self.tiles.iter().enumerate() {
            if let (Some(tile), Some((x, y))) = (tile, table.corner(at)) {
                canvas.picture(x, y, tile, factor);
            }
        }
        canvas.into_picture()
    }
}
