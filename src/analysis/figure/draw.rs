//! Where everything stands in a figure.

use plotters::style::text_anchor::HPos;

use super::shapes::{Line, Place, Shape, end_fitted, fitted, width_of, wrapped};
use super::{Cells, Figure, Matrix, Tiles};

const BLACK: [u8; 3] = [0; 3];
const RED: [u8; 3] = [230, 0, 0];
/// A cell without a value.
const NONE: [u8; 3] = [205; 3];

/// The height of a line of text in a picture of 700 x 420, which can be read at half the size. Units: pixels.
const LINE: f32 = 20.0;

const SMALL: f32 = 0.8;

/// The fraction of the height that lines of text leave to the rest.
const LEAST: f32 = 0.55;

/// The most pixels of a cell with a tile: its longer side by its shorter one.
const LONGEST: f32 = 1.3;

pub(super) fn shapes(figure: &Figure, width: u32, height: u32) -> Vec<Shape<'_>> {
    let unit = (width as f32 / 700.0).min(height as f32 / 300.0);
    let size = (LINE * unit).max(1.0);
    let [width, height] = [width, height].map(|side| i32::try_from(side).unwrap_or(i32::MAX));
    let line = size as i32;
    let mut layout = Layout {
        figure,
        size,
        line,
        gap: line / 4,
        shapes: Vec::new(),
    };
    layout.draw(Place::new(0, 0, width, height).grown(-layout.gap));
    layout.shapes
}

struct Layout<'a> {
    figure: &'a Figure,
    size: f32,
    line: i32,
    gap: i32,
    shapes: Vec<Shape<'a>>,
}

impl<'a> Layout<'a> {
    fn draw(&mut self, whole: Place) {
        let Self {
            figure, line, gap, ..
        } = *self;
        let title = self.fitted(&figure.title, whole.width);
        let middle = whole.x + whole.width / 2;
        self.text([middle, whole.y + line / 2], HPos::Center, title);
        let top = whole.y + line + gap;
        let bottom = self.draw_lines(whole);
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
        let plot = self.shrunk(Place::new(left, top, width.max(1), height.max(1)));
        self.draw_rows(plot, whole.x);
        self.draw_columns(plot, below, is_upward);
        match &figure.cells {
            Cells::Matrix(matrix) => {
                self.draw_matrix(matrix, plot);
                self.draw_colors(matrix, plot);
            }
            Cells::Tiles(tiles) => self.draw_tiles(tiles, plot),
        }
    }

    fn text(&mut self, at: [i32; 2], anchor: HPos, text: impl Into<String>) {
        let line = Line::new(at, anchor, text.into(), self.size);
        self.shapes.push(Shape::Line(line));
    }

    fn upward(&mut self, at: [i32; 2], anchor: HPos, text: &str, room: i32) {
        let line = Line::new(at, anchor, self.fitted(text, room), self.size);
        let is_upward = true;
        self.shapes.push(Shape::Line(Line { is_upward, ..line }));
    }

    fn fill(&mut self, place: Place, color: [u8; 3]) {
        self.shapes.push(Shape::Fill(place, color));
    }

    fn frame(&mut self, place: Place, thick: i32, color: [u8; 3]) {
        let (x, y, width, height) = (place.x, place.y, place.width, place.height);
        self.fill(Place::new(x, y, width, thick), color);
        self.fill(Place::new(x, place.bottom() - thick, width, thick), color);
        self.fill(Place::new(x, y, thick, height), color);
        self.fill(Place::new(place.right() - thick, y, thick, height), color);
    }

    fn fitted(&self, text: &str, room: i32) -> String {
        fitted(text, self.size, room)
    }

    /// Writes the lines below, as many as there is room for, and how many there are besides; returns where they begin.
    fn draw_lines(&mut self, whole: Place) -> i32 {
        let line = self.line + self.line / 8;
        let most = ((1.0 - LEAST) * whole.height as f32) as usize / line.unsigned_abs() as usize;
        let all = &self.figure.lines;
        let wrapped = |count: usize| wrapped(&all[..count], self.size, whole.width);
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
            let text = self.fitted(text, whole.width);
            self.text([whole.x, top + at * line + line / 2], HPos::Left, text);
        }
        top - if lines.is_empty() { 0 } else { self.gap }
    }

    fn longest(&self, labels: &[String]) -> i32 {
        let widths = labels.iter().map(|label| width_of(label, self.size));
        widths.max().unwrap_or(0)
    }

    fn width_beside(&self) -> i32 {
        let (line, gap) = (self.line, self.gap);
        let Cells::Matrix(matrix) = &self.figure.cells else {
            return 2 * gap;
        };
        let ticks = matrix.scale.ticks().into_iter();
        let labels: Vec<String> = ticks.map(|tick| matrix.scale.number(tick)).collect();
        let has_measure = i32::from(!matrix.measure.is_empty());
        4 * gap + line + self.longest(&labels) + has_measure * (line + gap)
    }

    fn is_upward(&self, width: i32) -> bool {
        let columns = &self.figure.columns;
        let all = (self.longest(columns) + self.gap) * columns.len() as i32;
        all > 3 * width && self.longest(columns) > 3 * self.line
    }

    /// Tiles are about squares.
    fn shrunk(&self, plot: Place) -> Place {
        if let Cells::Matrix(_) = self.figure.cells {
            return plot;
        }
        let (rows, columns) = self.counts();
        let most = |other: i32, n: i32, m: i32| (LONGEST * (other / n * m) as f32) as i32;
        let width = plot.width.min(most(plot.height, rows, columns));
        let height = plot.height.min(most(plot.width, columns, rows));
        Place::new(plot.x, plot.y, width, height)
    }

    fn counts(&self) -> (i32, i32) {
        let count = |labels: &[String]| i32::try_from(labels.len()).unwrap_or(i32::MAX).max(1);
        (count(&self.figure.rows), count(&self.figure.columns))
    }

    fn draw_rows(&mut self, plot: Place, axis: i32) {
        let (figure, line, (rows, _)) = (self.figure, self.line, self.counts());
        let middle = plot.y + plot.height / 2;
        let at = [axis + line / 2, middle];
        self.upward(at, HPos::Center, &figure.row_axis, plot.height);
        // Few letters are as high as a line, or as deep.
        let every = stride(line - line / 6, plot.height, rows);
        let right = plot.x - self.gap;
        let columns = figure.columns.len().max(1);
        for at in named(
            figure.rows.len(),
            every,
            self.marked().map(|at| at / columns),
        ) {
            let cell = self.cell(plot, at * columns);
            let y = cell.y + cell.height / 2;
            let label = self.fitted(&figure.rows[at], right - axis);
            self.text([right, y], HPos::Right, label);
        }
    }

    fn draw_columns(&mut self, plot: Place, below: i32, is_upward: bool) {
        let (figure, line) = (self.figure, self.line);
        let each = if is_upward {
            line
        } else {
            self.longest(&figure.columns) + self.gap
        };
        let columns = figure.columns.len().max(1);
        let every = stride(each, plot.width, self.counts().1);
        let top = plot.bottom() + self.gap;
        for at in named(
            figure.columns.len(),
            every,
            self.marked().map(|at| at % columns),
        ) {
            let (cell, label) = (self.cell(plot, at), &figure.columns[at]);
            let x = cell.x + cell.width / 2;
            if is_upward {
                self.upward([x, top], HPos::Right, label, below);
            } else {
                self.text([x, top + line / 2], HPos::Center, label);
            }
        }
        let at = [plot.x + plot.width / 2, top + below + line / 2];
        self.text(at, HPos::Center, &figure.column_axis);
    }

    /// The cells that carry a frame or a note.
    fn marked(&self) -> impl Iterator<Item = usize> {
        let notes = match &self.figure.cells {
            Cells::Matrix(matrix) => Some(matrix.notes.keys()),
            Cells::Tiles(_) => None,
        };
        let framed = self.figure.framed.iter();
        framed.chain(notes.into_iter().flatten()).copied()
    }

    fn cell(&self, plot: Place, at: usize) -> Place {
        let (rows, columns) = self.counts();
        let at = i32::try_from(at).unwrap_or(i32::MAX);
        let (row, column) = (at / columns, at % columns);
        let part =
            |n: i32, of: i32, all: i32| (i64::from(n) * i64::from(all) / i64::from(of)) as i32;
        let [left, right] = [column, column + 1].map(|n| part(n, columns, plot.width));
        let [top, bottom] = [row, row + 1].map(|n| part(n, rows, plot.height));
        Place::new(plot.x + left, plot.y + top, right - left, bottom - top)
    }

    fn draw_matrix(&mut self, matrix: &'a Matrix, plot: Place) {
        let count = self.figure.rows.len() * self.figure.columns.len();
        let values = || matrix.values.iter().take(count).copied().enumerate();
        self.fill(plot, NONE);
        for (at, value) in values().filter(|(_, value)| !value.is_nan()) {
            self.fill(self.cell(plot, at), matrix.color(value));
        }
        let small = SMALL * self.size;
        let digits = matrix.own_scale();
        let numbers =
            || values().map(|(at, value)| (at, digits.number(value).replacen("0.", ".", 1)));
        let cell = self.cell(plot, 0);
        let fits =
            |text: &str| width_of(text, small) + 4 <= cell.width && small as i32 <= cell.height;
        if matrix.has_numbers && numbers().all(|(_, text)| fits(&text)) {
            for (at, text) in numbers().filter(|(at, _)| !matrix.values[*at].is_nan()) {
                self.write_in(matrix, plot, at, text);
            }
        }
        let thick = (3 * self.gap / 5).max(1);
        for at in self.figure.framed.iter().filter(|at| **at < count) {
            self.frame(self.cell(plot, *at).grown(thick / 2), thick, RED);
        }
        for (at, text) in matrix.notes.iter().filter(|(at, _)| **at < count) {
            self.write_in(matrix, plot, *at, text.clone());
        }
        self.frame(plot.grown(1), 1, BLACK);
    }

    /// Writes into a cell, and beyond it where it is too small, but not beyond the plot.
    fn write_in(&mut self, matrix: &Matrix, plot: Place, at: usize, text: String) {
        let size = SMALL * self.size;
        let color = match matrix.values.get(at) {
            Some(value) if !value.is_nan() => matrix.color(*value),
            _ => NONE,
        };
        let cell = self.cell(plot, at);
        let (width, height) = (width_of(&text, size) + 2, size as i32);
        let (x, y) = (cell.x + cell.width / 2, cell.y + cell.height / 2);
        let x = x.min(plot.right() - width / 2).max(plot.x + width / 2);
        self.fill(
            Place::new(x - width / 2, y - height / 2, width, height),
            color,
        );
        let light = 3 * u32::from(color[0]) + 6 * u32::from(color[1]) + u32::from(color[2]);
        let line = Line::new([x, y], HPos::Center, text, size);
        let color = [if light > 1200 { 0 } else { 255 }; 3];
        self.shapes.push(Shape::Line(Line { color, ..line }));
    }

    fn draw_colors(&mut self, matrix: &Matrix, plot: Place) {
        let (gap, line, size) = (self.gap, self.line, self.size);
        let bar = Place::new(plot.right() + 2 * gap, plot.y, line, plot.height);
        let levels = 128.min(plot.height.max(1));
        for level in 0..levels {
            let [top, bottom] = [level, level + 1].map(|n| n * plot.height / levels);
            let part = 1.0 - (level as f32 + 0.5) / levels as f32;
            let place = Place::new(bar.x, plot.y + top, line, bottom - top);
            self.fill(place, matrix.part_color(part));
        }
        self.frame(bar.grown(1), 1, BLACK);
        let mut widest = 0;
        for tick in matrix.scale.ticks() {
            let (part, text) = (matrix.scale.part(tick), matrix.scale.number(tick));
            let y = plot.bottom() - (part * plot.height as f32) as i32;
            widest = widest.max(width_of(&text, size));
            self.fill(Place::new(bar.right(), y, gap / 2, 1), BLACK);
            self.text([bar.right() + gap, y], HPos::Left, text);
        }
        let x = bar.right() + 2 * gap + widest + line / 2;
        let (at, room) = ([x, plot.y + plot.height / 2], plot.height + 2 * line);
        self.upward(at, HPos::Center, &matrix.measure, room);
    }

    fn draw_tiles(&mut self, tiles: &'a Tiles, plot: Place) {
        let margin = (3 * self.gap / 5).max(1);
        let bar = match (tiles.bars.is_empty(), tiles.names.is_empty()) {
            (true, true) => 0,
            (false, _) => self.line / 3,
            (true, false) => self.line,
        };
        let [width, height] =
            [tiles.width, tiles.height].map(|side| i32::try_from(side).unwrap_or(1).max(1));
        let place = |at: usize| {
            let cell = self.cell(plot, at).grown(-margin - 1);
            let room = [cell.width.max(1), (cell.height - bar).max(1)];
            let is_wide =
                i64::from(room[0]) * i64::from(height) <= i64::from(room[1]) * i64::from(width);
            let (width, height) = if is_wide {
                (room[0], room[0] * height / width)
            } else {
                (room[1] * width / height, room[1])
            };
            let left = cell.x + (cell.width - width) / 2;
            let top = cell.y + (cell.height - bar - height) / 2;
            Place::new(left, top, width, height)
        };
        let places: Vec<Place> = (0..tiles.pictures.len()).map(place).collect();
        for place in self.figure.framed.iter().filter_map(|at| places.get(*at)) {
            self.frame(place.grown(margin), margin, RED);
        }
        for (place, part) in places.iter().zip(&tiles.bars) {
            let below = |width| Place::new(place.x, place.bottom() + 2, width, bar - 2);
            self.fill(below(place.width), NONE);
            let part = part.clamp(0.0, 1.0);
            // One of 0 and less is seen as well.
            let (length, level) = ((part * place.width as f32) as i32, (part * 200.0) as u8);
            self.fill(below(length.max(2)), [230 - level, level, 40]);
        }
        for (number, (place, name)) in places.iter().zip(&tiles.names).enumerate() {
            let at = [place.x + place.width / 2, place.bottom() + bar / 2];
            let room = self.cell(plot, number).width - margin;
            self.text(at, HPos::Center, end_fitted(name, self.size, room));
        }
        let pictures = places.into_iter().zip(&tiles.pictures);
        self.shapes
            .extend(pictures.map(|(place, picture)| Shape::Tile(place, picture)));
    }
}

/// Which of so many names are written where those so far apart have room: of what is marked first.
fn named(count: usize, apart: usize, marked: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut named: Vec<usize> = Vec::new();
    for at in marked.filter(|at| *at < count).chain(0..count) {
        if named.iter().all(|other| other.abs_diff(at) >= apart) {
            named.push(at);
        }
    }
    named
}

/// Every how many names there is room for one, each of which takes so much of all.
fn stride(each: i32, all: i32, count: i32) -> usize {
    let [each, all, count] = [each, all.max(1), count].map(i32::unsigned_abs);
    (each as usize * count as usize)
        .div_ceil(all as usize)
        .max(1)
}
