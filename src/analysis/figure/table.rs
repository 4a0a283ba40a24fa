//! The title and the labels around cells in rows and columns.

use super::canvas::{Canvas, GLYPH, shortened, width_of};
use super::{evenly, text_scale};

/// Characters of a label.
const LABEL: usize = 14;

/// Longer column labels are written upward. Units: characters.
const LEVEL_LABEL: u32 = 5;

/// The size of a cell. Units: pixels.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) wide: u32,
    pub(super) high: u32,
}

/// Cells in rows and columns, and where they stand. Units: pixels.
pub(super) struct Table<'a> {
    title: &'a str,
    rows: &'a [String],
    columns: &'a [String],
    pub(super) cell: Cell,
    /// The size of the text. Units: multiples of the font.
    pub(super) scale: u32,
    /// The upper left corner of the first cell.
    pub(super) left: u32,
    pub(super) top: u32,
    /// The size of all cells together.
    pub(super) width: u32,
    pub(super) height: u32,
    is_upward: bool,
    /// Between level labels and the first row.
    gap: u32,
}

impl<'a> Table<'a> {
    /// Of cells of this size. If `every_row` is labeled, the text is no higher than a row, and columns' labels are level.
    pub(super) fn new(
        title: &'a str,
        rows: &'a [String],
        columns: &'a [String],
        cell: Cell,
        every_row: bool,
    ) -> Self {
        let [row_label, column_label] = [rows, columns].map(longest);
        let is_upward = !every_row && column_label > LEVEL_LABEL;
        let above = if is_upward {
            column_label * GLYPH.0
        } else {
            GLYPH.1
        };
        let most = if every_row {
            (cell.high / GLYPH.1).max(1)
        } else {
            u32::MAX
        };
        // Of an empty table there is the scale of colors.
        let height = cell.high * count(rows).max(1);
        // The labels make the picture higher, which makes them larger: twice is near enough.
        let scale = text_scale(height).min(most);
        let scale = text_scale(height + (above + 2 * GLYPH.1) * scale).min(most);
        Self {
            title,
            rows,
            columns,
            cell,
            scale,
            left: (row_label * GLYPH.0 + 6) * scale,
            top: (GLYPH.1 + above + 8) * scale,
            width: count(columns) * cell.wide,
            height: count(rows) * cell.high,
            is_upward,
            gap: scale * if every_row { 3 } else { 2 },
        }
    }

    /// The upper left corner of a cell, row by row.
    pub(super) fn corner(&self, at: usize) -> Option<(u32, u32)> {
        let columns = self.columns.len().max(1);
        let [column, row] = [at % columns, at / columns].map(|n| u32::try_from(n).ok());
        let (x, y) = (column? * self.cell.wide, row? * self.cell.high);
        (y < self.height).then_some((self.left + x, self.top + y))
    }

    /// A canvas of this size, or wider, with the title and the labels.
    pub(super) fn canvas(&self, width: u32, height: u32) -> Canvas {
        let (scale, line) = (self.scale, GLYPH.1 * self.scale);
        let mut canvas = Canvas::new(width.max(width_of(self.title, scale) + 4 * scale), height);
        canvas.text(2 * scale, 2 * scale, self.title, scale);
        for (label, y) in labels(self.rows, self.height, self.cell.high, line) {
            let x = self
                .left
                .saturating_sub(width_of(&label, scale) + 3 * scale);
            canvas.text(x, (self.top + y).saturating_sub(line / 2), &label, scale);
        }
        let each = if self.is_upward {
            line
        } else {
            (longest(self.columns) + 1) * GLYPH.0 * scale
        };
        for (label, x) in labels(self.columns, self.width, self.cell.wide, each) {
            let (middle, length) = (self.left + x, width_of(&label, scale));
            if self.is_upward {
                let y = self.top.saturating_sub(length + 3 * scale);
                canvas.upward_text(middle.saturating_sub(line / 2), y, &label, scale);
            } else {
                let last = (self.left + self.width).saturating_sub(length);
                let x = middle.saturating_sub(length / 2).min(last);
                canvas.text(x.max(self.left), self.top - line - self.gap, &label, scale);
            }
        }
        canvas
    }
}

/// As many labels as the `whole` has room for, if each takes so much, with the middles of their cells.
fn labels(all: &[String], whole: u32, cell: u32, each: u32) -> impl Iterator<Item = (String, u32)> {
    let fit = (whole / each.max(1)).max(1) as usize;
    let middle = move |place| u32::try_from(place).unwrap_or(0) * cell + cell / 2;
    let places = evenly(all.len(), fit).into_iter();
    places.map(move |place| (shortened(&all[place], LABEL), middle(place)))
}

pub(super) fn count(labels: &[String]) -> u32 {
    u32::try_from(labels.len()).unwrap_or(u32::MAX)
}

fn longest(labels: &[String]) -> u32 {
    let longest = labels.iter().map(|label| label.chars().count().min(LABEL));
    u32::try_from(longest.max().unwrap_or(0)).unwrap_or(0)
}
