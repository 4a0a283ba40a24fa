//! A matrix as colors.

use super::canvas::{Canvas, GLYPH, Rgb, WHITE, shortened, width_of};
use super::{evenly, text_scale};
use feature_grid::{Colormap, Picture};

/// About how large the matrix is drawn. Units: pixels.
const SIDE: u32 = 384;

/// The largest cell. Units: pixels.
const LARGEST_CELL: u32 = 64;

/// Characters of a label.
const LABEL: usize = 14;

/// Longer column labels are written upward.
const LEVEL_LABEL: usize = 5;

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

/// Where the parts stand. Units: pixels.
struct Plan {
    cell: (u32, u32),
    scale: u32,
    left: u32,
    top: u32,
    is_upward: bool,
}

impl HeatMap {
    /// Similarities up to 1, with their numbers; small differences near 1 are seen.
    pub(crate) fn of_similarity(
        title: String,
        rows: Vec<String>,
        columns: Vec<String>,
        values: Vec<f32>,
    ) -> Self {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let least = finite.fold(1.0, f32::min);
        Self {
            title,
            rows,
            columns,
            values,
            range: (round_below(least), 1.0),
            colormap: Colormap::Viridis,
            numbers: true,
        }
    }

    /// Draws it.
    pub(crate) fn picture(&self) -> Picture {
        let plan = self.plan();
        let (columns, rows) = (count(&self.columns), count(&self.rows));
        let (width, height) = (columns * plan.cell.0, rows * plan.cell.1);
        let gap = 4 * plan.scale;
        let ends = [self.range.1, self.range.0].map(|end| self.number(end));
        let of_scale = ends
            .iter()
            .map(|end| width_of(end, plan.scale))
            .max()
            .unwrap_or(0);
        let bar = plan.left + width + gap;
        let whole = (bar + 5 * gap + of_scale).max(width_of(&self.title, plan.scale) + gap);
        let mut canvas = Canvas::new(whole, plan.top + height.max(3 * GLYPH.1 * plan.scale) + gap);
        canvas.text(gap / 2, gap / 2, &self.title, plan.scale);
        self.draw_cells(&mut canvas, &plan);
        self.draw_labels(&mut canvas, &plan);
        let height = height.max(3 * GLYPH.1 * plan.scale);
        for y in 0..height {
            #[expect(clippy::cast_precision_loss, reason = "pixels")]
            let part = 1.0 - y as f32 / (height - 1).max(1) as f32;
            let color = self.color(self.range.0 + part * (self.range.1 - self.range.0));
            canvas.fill([bar, plan.top + y, 3 * gap, 1], color);
        }
        let bottom = plan.top + height - GLYPH.1 * plan.scale;
        for (end, y) in ends.iter().zip([plan.top, bottom]) {
            canvas.text(bar + 4 * gap, y, end, plan.scale);
        }
        canvas.into_picture()
    }

    fn plan(&self) -> Plan {
        let (columns, rows) = (count(&self.columns).max(1), count(&self.rows).max(1));
        let [mut wide, mut high] = [columns, rows].map(|n| (SIDE / n).clamp(1, LARGEST_CELL));
        // Squares, unless there are many more of one than of the other.
        if columns < 3 * rows && rows < 3 * columns {
            wide = wide.min(high);
            high = wide;
        }
        let longest = |labels: &[String]| labels.iter().map(|l| l.chars().count().min(LABEL)).max();
        let is_upward = longest(&self.columns) > Some(LEVEL_LABEL);
        let units = |labels| u32::try_from(longest(labels).unwrap_or(0)).unwrap_or(0) * GLYPH.0;
        let above = if is_upward {
            units(&self.columns)
        } else {
            GLYPH.1
        };
        // The labels make the picture higher, which makes them larger: twice is near enough.
        let scale = text_scale(high * rows);
        let scale = text_scale(high * rows + (above + 2 * GLYPH.1) * scale);
        Plan {
            cell: (wide, high),
            scale,
            left: (units(&self.rows) + 6) * scale,
            top: (GLYPH.1 + above + 8) * scale,
            is_upward,
        }
    }

    fn draw_cells(&self, canvas: &mut Canvas, plan: &Plan) {
        let (wide, high) = plan.cell;
        let columns = self.columns.len().max(1);
        let texts = self
            .values
            .iter()
            .map(|value| width_of(&self.number(*value), 1));
        let widest = texts.max().unwrap_or(0);
        // All of them, or none.
        let has_numbers = self.numbers && widest + 2 <= wide && GLYPH.1 + 2 <= high;
        for (at, value) in self.values.iter().enumerate() {
            let [column, row] =
                [at % columns, at / columns].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            if row >= count(&self.rows) {
                break;
            }
            let (x, y) = (plan.left + column * wide, plan.top + row * high);
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

    fn draw_labels(&self, canvas: &mut Canvas, plan: &Plan) {
        let ((wide, high), scale) = (plan.cell, plan.scale);
        let line = GLYPH.1 * scale;
        let fit = |length: u32, each: u32| (length / each.max(1)).max(1) as usize;
        for row in evenly(self.rows.len(), fit(count(&self.rows) * high, line)) {
            let label = shortened(&self.rows[row], LABEL);
            let middle = plan.top + u32::try_from(row).unwrap_or(0) * high + high / 2;
            let x = plan
                .left
                .saturating_sub(width_of(&label, scale) + 3 * scale);
            canvas.text(x, middle.saturating_sub(line / 2), &label, scale);
        }
        let labels: Vec<String> = self.columns.iter().map(|l| shortened(l, LABEL)).collect();
        let widest = labels.iter().map(|l| width_of(l, scale)).max().unwrap_or(0);
        let each = if plan.is_upward {
            line
        } else {
            widest + GLYPH.0 * scale
        };
        let width = count(&self.columns) * wide;
        for column in evenly(labels.len(), fit(width, each)) {
            let label = &labels[column];
            let middle = plan.left + u32::try_from(column).unwrap_or(0) * wide + wide / 2;
            let length = width_of(label, scale);
            if plan.is_upward {
                let y = plan.top.saturating_sub(length + 3 * scale);
                canvas.upward_text(middle.saturating_sub(line / 2), y, label, scale);
            } else {
                let last = (plan.left + width).saturating_sub(length);
                let x = middle.saturating_sub(length / 2).min(last).max(plan.left);
                canvas.text(x, plan.top - line - 2 * scale, label, scale);
            }
        }
        canvas.fill(
            [plan.left - 1, plan.top, 1, count(&self.rows) * high],
            WHITE,
        );
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
}

fn count(labels: &[String]) -> u32 {
    u32::try_from(labels.len()).unwrap_or(u32::MAX)
}

impl HeatMap {
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

/// A round number below a similarity: 0, or as many nines as it has.
fn round_below(least: f32) -> f32 {
    [0.9999, 0.999, 0.99, 0.9]
        .into_iter()
        .find(|round| least >= *round)
        .unwrap_or(0.0)
}
