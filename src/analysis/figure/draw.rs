//! Where everything stands in a figure.

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::style::WHITE;

use super::painter::{Anchor, Drawn, Painter, Place};
use super::{Cells, Figure, Matrix};

pub(super) const BLACK: [u8; 3] = [0; 3];
const RED: [u8; 3] = [230, 0, 0];
/// A cell without a value.
pub(super) const NONE: [u8; 3] = [205; 3];

/// The height of a line of text in a picture of 700 x 420, which can be read at half the size. Units: pixels.
const LINE: f32 = 20.0;

/// How much smaller numbers in cells are.
const SMALL: f32 = 0.8;

/// The fraction of the height that lines of text leave to the rest.
const LEAST: f32 = 0.55;

/// The most pixels of a cell with a tile: its longer side by its shorter one.
const LONGEST: f32 = 1.3;

/// Draws a figure; returns the places of its tiles, which are left white.
pub(super) fn draw<B: DrawingBackend>(
    figure: &Figure,
    area: &DrawingArea<B, Shift>,
    is_svg: bool,
) -> Drawn<B, Vec<Place>> {
    area.fill(&WHITE)?;
    let (width, height) = area.dim_in_pixel();
    let unit = (width as f32 / 700.0).min(height as f32 / 300.0);
    let painter = Painter {
        area,
        size: (LINE * unit).max(1.0),
        is_svg,
    };
    let [width, height] = [width, height].map(|side| i32::try_from(side).unwrap_or(i32::MAX));
    let gap = painter.line() / 4;
    let whole = Place {
        x: gap,
        y: gap,
        width: width - 2 * gap,
        height: height - 2 * gap,
    };
    Layout {
        figure,
        painter,
        gap,
    }
    .draw(whole)
}

pub(super) struct Layout<'a, B: DrawingBackend> {
    pub(super) figure: &'a Figure,
    pub(super) painter: Painter<'a, B>,
    /// Between parts. Units: pixels.
    pub(super) gap: i32,
}

impl<B: DrawingBackend> Layout<'_, B> {
    fn draw(&self, whole: Place) -> Drawn<B, Vec<Place>> {
        let Self {
            figure,
            painter,
            gap,
        } = self;
        let line = painter.line();
        let title = painter.fitted(&figure.title, whole.width);
        let middle = whole.x + whole.width / 2;
        painter.text(middle, whole.y + line / 2, Anchor::Center, &title, BLACK)?;
        let top = whole.y + line + gap;
        let bottom = self.draw_lines(whole)?;
        let axis = |name: &str| if name.is_empty() { 0 } else { line };
        let row_label = self.longest(&figure.rows).min(whole.width / 4);
        let left = whole.x + axis(&figure.row_axis) + row_label + 2 * gap;
        let width = whole.right() - self.width_beside() - left;
        let is_upward = self.is_upward(width);
        let below = if is_upward {
            self.longest(&figure.columns).min((bottom - top) / 3)
        } else {
            line
        };
        let height = bottom - below - axis(&figure.column_axis) - gap - top;
        let plot = self.shrunk(Place {
            x: left,
            y: top,
            width: width.max(1),
            height: height.max(1),
        });
        self.draw_rows(plot, whole.x)?;
        self.draw_columns(plot, below, is_upward)?;
        match &figure.cells {
            Cells::Matrix(matrix) => {
                self.draw_matrix(matrix, plot)?;
                self.draw_colors(matrix, plot)?;
                Ok(Vec::new())
            }
            Cells::Tiles(tiles) => self.draw_tiles(tiles, plot),
        }
    }

    /// Writes the lines below, as many as there is room for, and how many there are besides; returns where they begin.
    fn draw_lines(&self, whole: Place) -> Drawn<B, i32> {
        let painter = &self.painter;
        let line = painter.line() + painter.line() / 8;
        let most = ((1.0 - LEAST) * whole.height as f32) as usize / line.unsigned_abs() as usize;
        let all = &self.figure.lines;
        let wrapped = |count: usize| painter.wrapped(&all[..count], whole.width);
        let mut lines = wrapped(all.len());
        if lines.len() > most {
            let fits = |count: &usize| wrapped(*count).len() < most;
            let count = (1..all.len()).rev().find(fits).unwrap_or(1);
            lines = wrapped(count);
            lines.truncate(most.saturating_sub(1));
            let tag = &self.figure.all_lines;
            lines.push(match all.len() - count {
                0 => "…".to_owned(),
                1 => format!("… and 1 more line in {tag}"),
                more => format!("… and {more} more lines in {tag}"),
            });
            lines.truncate(most);
        }
        let top = whole.bottom() - line * lines.len() as i32;
        for (at, text) in (0..).zip(&lines) {
            let text = painter.fitted(text, whole.width);
            painter.text(
                whole.x,
                top + at * line + line / 2,
                Anchor::Left,
                &text,
                BLACK,
            )?;
        }
        Ok(top - if lines.is_empty() { 0 } else { self.gap })
    }

    fn longest(&self, labels: &[String]) -> i32 {
        let widths = labels.iter().map(|label| self.painter.width_of(label));
        widths.max().unwrap_or(0)
    }

    /// What colors take on the right.
    fn width_beside(&self) -> i32 {
        let (line, gap) = (self.painter.line(), self.gap);
        match &self.figure.cells {
            Cells::Matrix(matrix) => {
                let ticks = matrix.scale.ticks().into_iter();
                let labels: Vec<String> = ticks.map(|tick| matrix.scale.number(tick)).collect();
                let measure = if matrix.measure.is_empty() {
                    0
                } else {
                    line + gap
                };
                4 * gap + line + self.longest(&labels) + measure
            }
            Cells::Tiles(_) => 2 * gap,
        }
    }

    /// Whether columns' names are too long to stand side by side.
    fn is_upward(&self, width: i32) -> bool {
        let columns = &self.figure.columns;
        let all = (self.longest(columns) + self.gap) * columns.len() as i32;
        all > 3 * width && self.longest(columns) > 3 * self.painter.line()
    }

    /// Tiles are about squares.
    fn shrunk(&self, plot: Place) -> Place {
        let (rows, columns) = self.counts();
        match &self.figure.cells {
            Cells::Matrix(_) => plot,
            Cells::Tiles(_) => {
                let most = |other: i32, n: i32, m: i32| (LONGEST * (other / n * m) as f32) as i32;
                Place {
                    width: plot.width.min(most(plot.height, rows, columns)),
                    height: plot.height.min(most(plot.width, columns, rows)),
                    ..plot
                }
            }
        }
    }

    fn counts(&self) -> (i32, i32) {
        let count = |labels: &[String]| i32::try_from(labels.len()).unwrap_or(i32::MAX).max(1);
        (count(&self.figure.rows), count(&self.figure.columns))
    }

    fn draw_rows(&self, plot: Place, axis: i32) -> Drawn<B, ()> {
        let (painter, line, (rows, _)) = (&self.painter, self.painter.line(), self.counts());
        let middle = plot.y + plot.height / 2;
        let name = painter.fitted(&self.figure.row_axis, plot.height);
        painter.upward(axis + line / 2, middle, Anchor::Center, &name)?;
        // Few letters are as high as a line, or as deep.
        let every = stride(line - line / 6, plot.height, rows);
        let room = plot.x - self.gap - axis;
        for (at, label) in (0..).zip(&self.figure.rows).step_by(every) {
            let y = plot.y + (2 * at + 1) * plot.height / (2 * rows);
            let label = painter.fitted(label, room);
            painter.text(plot.x - self.gap, y, Anchor::Right, &label, BLACK)?;
        }
        Ok(())
    }

    fn draw_columns(&self, plot: Place, below: i32, is_upward: bool) -> Drawn<B, ()> {
        let (painter, line, (_, columns)) = (&self.painter, self.painter.line(), self.counts());
        let labels = &self.figure.columns;
        let each = if is_upward {
            line
        } else {
            self.longest(labels) + self.gap
        };
        let every = stride(each, plot.width, columns);
        for (at, label) in (0..).zip(labels).step_by(every) {
            let x = plot.x + (2 * at + 1) * plot.width / (2 * columns);
            if is_upward {
                let label = painter.fitted(label, below);
                painter.upward(x, plot.bottom() + self.gap, Anchor::Right, &label)?;
            } else {
                painter.text(
                    x,
                    plot.bottom() + self.gap + line / 2,
                    Anchor::Center,
                    label,
                    BLACK,
                )?;
            }
        }
        let y = plot.bottom() + self.gap + below + line / 2;
        let middle = plot.x + plot.width / 2;
        painter.text(middle, y, Anchor::Center, &self.figure.column_axis, BLACK)
    }

    /// Where a cell is, counted row by row.
    pub(super) fn cell(&self, plot: Place, at: usize) -> Place {
        let (rows, columns) = self.counts();
        let at = i32::try_from(at).unwrap_or(i32::MAX);
        let (row, column) = (at / columns, at % columns);
        let part =
            |n: i32, of: i32, all: i32| (i64::from(n) * i64::from(all) / i64::from(of)) as i32;
        let [left, right] = [column, column + 1].map(|n| part(n, columns, plot.width));
        let [top, bottom] = [row, row + 1].map(|n| part(n, rows, plot.height));
        Place {
            x: plot.x + left,
            y: plot.y + top,
            width: right - left,
            height: bottom - top,
        }
    }

    fn draw_matrix(&self, matrix: &Matrix, plot: Place) -> Drawn<B, ()> {
        let (painter, count) = (
            &self.painter,
            self.figure.rows.len() * self.figure.columns.len(),
        );
        let values = || matrix.values.iter().take(count).copied().enumerate();
        painter.fill(plot, NONE)?;
        for (at, value) in values().filter(|(_, value)| !value.is_nan()) {
            painter.fill(self.cell(plot, at), matrix.color(value))?;
        }
        let small = Painter {
            size: SMALL * painter.size,
            ..*painter
        };
        let digits = matrix.own_scale();
        let numbers =
            || values().map(|(at, value)| (at, digits.number(value).replacen("0.", ".", 1)));
        let cell = self.cell(plot, 0);
        let fits =
            |text: &str| small.width_of(text) + 4 <= cell.width && small.line() <= cell.height;
        if matrix.has_numbers && numbers().all(|(_, text)| fits(&text)) {
            for (at, text) in numbers().filter(|(at, _)| !matrix.values[*at].is_nan()) {
                self.write_in(&small, matrix, plot, at, &text)?;
            }
        }
        for (at, text) in matrix.notes.iter().filter(|(at, _)| **at < count) {
            self.write_in(&small, matrix, plot, *at, text)?;
        }
        for at in self.figure.framed.iter().filter(|at| **at < count) {
            painter.frame(self.cell(plot, *at), (3 * self.gap / 5).max(1), RED)?;
        }
        painter.frame(plot.grown(1), 1, BLACK)
    }

    /// Writes into a cell, and beyond it where it is too small.
    fn write_in(
        &self,
        painter: &Painter<'_, B>,
        matrix: &Matrix,
        plot: Place,
        at: usize,
        text: &str,
    ) -> Drawn<B, ()> {
        let color = match matrix.values.get(at) {
            Some(value) if !value.is_nan() => matrix.color(*value),
            _ => NONE,
        };
        let cell = self.cell(plot, at);
        let (x, y) = (cell.x + cell.width / 2, cell.y + cell.height / 2);
        let (width, height) = (painter.width_of(text) + 2, painter.line());
        let around = Place {
            x: x - width / 2,
            y: y - height / 2,
            width,
            height,
        };
        painter.fill(around, color)?;
        let light = 3 * u32::from(color[0]) + 6 * u32::from(color[1]) + u32::from(color[2]);
        painter.text(
            x,
            y,
            Anchor::Center,
            text,
            [if light > 1200 { 0 } else { 255 }; 3],
        )
    }

    /// The scale on the right, and what it is of.
    fn draw_colors(&self, matrix: &Matrix, plot: Place) -> Drawn<B, ()> {
        let (painter, gap, line) = (&self.painter, self.gap, self.painter.line());
        let bar = Place {
            x: plot.right() + 2 * gap,
            width: line,
            ..plot
        };
        let levels = 128.min(plot.height.max(1));
        for level in 0..levels {
            let [top, bottom] = [level, level + 1].map(|n| n * plot.height / levels);
            let part = 1.0 - (level as f32 + 0.5) / levels as f32;
            painter.fill(
                Place {
                    y: plot.y + top,
                    height: bottom - top,
                    ..bar
                },
                matrix.part_color(part),
            )?;
        }
        painter.frame(bar.grown(1), 1, BLACK)?;
        let mut widest = 0;
        for tick in matrix.scale.ticks() {
            let (part, text) = (matrix.scale.part(tick), matrix.scale.number(tick));
            let y = plot.bottom() - (part * plot.height as f32) as i32;
            widest = widest.max(painter.width_of(&text));
            painter.fill(
                Place {
                    x: bar.right(),
                    y,
                    width: gap / 2,
                    height: 1,
                },
                BLACK,
            )?;
            painter.text(bar.right() + gap, y, Anchor::Left, &text, BLACK)?;
        }
        let x = bar.right() + 2 * gap + widest + line / 2;
        let measure = painter.fitted(&matrix.measure, plot.height + 2 * line);
        painter.upward(x, plot.y + plot.height / 2, Anchor::Center, &measure)
    }
}

/// Every how many names there is room for one, each of which takes so much of all.
fn stride(each: i32, all: i32, count: i32) -> usize {
    let [each, all, count] = [each, all.max(1), count].map(i32::unsigned_abs);
    (each as usize * count as usize)
        .div_ceil(all as usize)
        .max(1)
}
