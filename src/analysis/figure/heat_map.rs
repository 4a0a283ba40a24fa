//! A matrix as colors.

use super::canvas::{Canvas, GLYPH, Rgb, WHITE, width_of};
use super::table::{Cell, Table, count};
use feature_grid::{Colormap, Picture};

/// About how large the matrix is drawn. Units: pixels.
const SIDE: u32 = 384;

/// The largest cell. Units: pixels.
const LARGEST_CELL: u32 = 64;

/// What a cell without a value looks like.
const NONE: [Rgb; 2] = [[30; 3], [80; 3]];

/// A matrix as colors, with labels and a scale.
pub(crate) struct HeatMap {
    pub(crate) title: String,
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
    /// Row by row; NaN is no value.
    pub(crate) values: Vec<f32>,
    /// The values of the first and the last color.
    pub(crate) range: (f32, f32),
    pub(crate) colormap: Colormap,
    /// Whether the value is written into its cell, where there is room.
    pub(crate) numbers: bool,
}

impl HeatMap {
    pub(crate) fn picture(&self) -> Picture {
        let [columns, rows] = [&self.columns, &self.rows].map(|labels| count(labels).max(1));
        let [mut wide, mut high] = [columns, rows].map(|n| (SIDE / n).clamp(1, LARGEST_CELL));
        // Squares, unless there are many more of one than of the other.
        if columns < 3 * rows && rows < 3 * columns {
            wide = wide.min(high);
            high = wide;
        }
        let table = Table::new(
            &self.title,
            &self.rows,
            &self.columns,
            Cell { wide, high },
            false,
        );
        let (left, top, scale) = (table.left, table.top, table.scale);
        let (gap, line) = (4 * scale, GLYPH.1 * scale);
        let height = table.height.max(3 * line);
        let ends = [self.range.1, self.range.0].map(|end| self.number(end));
        let of_scale = ends.each_ref().map(|end| width_of(end, scale));
        let bar = left + table.width + gap;
        let whole = bar + 5 * gap + of_scale[0].max(of_scale[1]);
        let mut canvas = table.canvas(whole, top + height + gap);
        self.draw_cells(&mut canvas, &table);
        canvas.fill([left - 1, top, 1, table.height], WHITE);
        for y in 0..height {
            #[expect(clippy::cast_precision_loss, reason = "pixels")]
            let part = 1.0 - y as f32 / (height - 1).max(1) as f32;
            let color = self.color(self.range.0 + part * (self.range.1 - self.range.0));
            canvas.fill([bar, top + y, 3 * gap, 1], color);
        }
        for (end, y) in ends.iter().zip([top, top + height - line]) {
            canvas.text(bar + 4 * gap, y, end, scale);
        }
        canvas.into_picture()
    }

    fn draw_cells(&self, canvas: &mut Canvas, table: &Table<'_>) {
        let Cell { wide, high } = table.cell;
        let texts = self.values.iter().map(|value| self.number(*value));
        let widest = texts.map(|text| width_of(&text, 1)).max().unwrap_or(0);
        // All of them, or none.
        let has_numbers = self.numbers && widest + 2 <= wide && GLYPH.1 + 2 <= high;
        for (at, value) in self.values.iter().enumerate() {
            let Some((x, y)) = table.corner(at) else {
                break;
            };
            if value.is_nan() {
                for (dx, dy) in (0..wide).flat_map(|dx| (0..high).map(move |dy| (dx, dy))) {
                    canvas.set(x + dx, y + dy, NONE[usize::from((dx + dy) % 6 == 0)]);
                }
                continue;
            }
            canvas.fill([x, y, wide, high], self.color(*value));
            if has_numbers {
                let text = self.number(*value);
                let width = width_of(&text, 1);
                let (x, y) = (x + (wide - width) / 2, y + (high - GLYPH.1) / 2);
                // Readable on every color.
                canvas.fill([x - 1, y - 1, width + 1, GLYPH.1 + 1], [0; 3]);
                canvas.text(x, y, &text, 1);
            }
        }
    }

    fn color(&self, value: f32) -> Rgb {
        let (low, high) = self.range;
        let part = ((value - low) / (high - low)).clamp(0.0, 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "1 to 255"
        )]
        let level = (part * 254.0).round() as usize + 1;
        self.colormap.palette()[level.min(255)]
    }

    /// `.97` of a fraction, with as many digits as the range asks for, `12` of a count.
    fn number(&self, value: f32) -> String {
        let (low, high) = self.range;
        if high > 1.0 {
            return format!("{value:.0}");
        }
        let digits = match high - low {
            narrow if narrow < 0.002 => 5,
            narrow if narrow < 0.02 => 4,
            narrow if narrow < 0.2 => 3,
            _ => 2,
        };
        let text = format!("{value:.digits$}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        match text {
            "0" | "-0" | "" => "0".to_owned(),
            _ => text.replacen("0.", ".", 1),
        }
    }
}
