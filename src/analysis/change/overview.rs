//! What a run is opened at: its changes, and its dead channels, by layer and step.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::percent;
use super::summary::{Span, Summary};
use crate::analysis::figure::{Cells, Figure, Matrix, Scale};
use crate::analysis::name_of;
use crate::logger::Step;
use feature_grid::Colormap;

/// The most columns that can be told apart on a card.
const MOST: usize = 48;

/// Up to so many columns a cell has room for its number.
const NUMBERED: usize = 12;

/// The same in every run, so that their colors can be compared.
const CHANGES: Scale = Scale::Log {
    low: 1e-4,
    high: 1.0,
};

impl Summary {
    pub(super) fn draw(&self, step: &mut Step<'_>) {
        if self.steps.len() < 2 {
            return;
        }
        let heading = "The relative change of each layer's weights from the step before, by layer (rows) and step (columns): the largest of the steps of a column. The numbers, in percent, are of what stands out from the layer's own trend, of filters that were zeroed, came back or turned, and of values that are NaN.";
        self.what_changed()
            .log(step, "Overview/what changed", heading);
        if self.inactive.is_empty() {
            return;
        }
        let what = self.images.verdict();
        let heading = format!(
            "The fraction of each layer's channels that are {what}, by layer (rows) and step (columns)"
        );
        self.dead().log(step, "Overview/dead", heading);
    }

    fn what_changed(&self) -> Figure {
        // Nothing comes before the first step.
        let columns = Columns::of(&self.steps[1..]);
        let mut rows = Vec::new();
        let mut matrix = Matrix {
            measure: "weight change".to_owned(),
            scale: CHANGES,
            colormap: Colormap::Magma,
            ..Matrix::default()
        };
        let stand_outs = self.stand_outs();
        let mut framed = BTreeSet::new();
        for (row, (layer, changes)) in self.relative_changes().enumerate() {
            let changes: BTreeMap<i64, f64> = changes.collect();
            let non_finite = self.non_finite.get(layer);
            for (column, steps) in columns.steps.iter().enumerate() {
                let cell = row * columns.steps.len() + column;
                let of_column = || steps.iter().filter_map(|step| changes.get(step));
                let largest = of_column().copied().fold(f64::NAN, f64::max);
                #[expect(clippy::cast_possible_truncation, reason = "for a color")]
                matrix.values.push(largest as f32);
                let is_marked = stand_outs
                    .iter()
                    .any(|one| one.layer == layer && steps.contains(&one.step));
                let is_lost = non_finite
                    .is_some_and(|known| steps.iter().any(|step| is_in(&known.spans, *step)));
                if is_lost {
                    matrix.notes.insert(cell, "NaN".to_owned());
                    framed.insert(cell);
                } else if is_marked && columns.steps.len() <= NUMBERED {
                    matrix.notes.insert(cell, percent(largest));
                } else if is_marked {
                    framed.insert(cell);
                }
            }
            rows.push(name_of(layer).to_owned());
        }
        Figure {
            title: "what changed: weights from step to step".to_owned(),
            row_axis: String::new(),
            column_axis: columns.axis(),
            rows,
            columns: columns.labels,
            cells: Cells::Matrix(matrix),
            framed,
            lines: self.lines(),
            all_lines: "Overview/summary".to_owned(),
        }
    }

    fn dead(&self) -> Figure {
        let columns = Columns::of(&self.steps);
        let mut values = Vec::new();
        let mut notes = BTreeMap::new();
        for spans in self.inactive.values() {
            let mut before = String::new();
            for (column, steps) in columns.steps.iter().enumerate() {
                let of_step = |step: &i64| {
                    let channels = spans.spans.values();
                    let dead = channels.filter(|spans| is_in(spans, *step)).count();
                    dead as f32 / spans.of.max(1) as f32
                };
                let dead = steps.iter().map(of_step).fold(0.0, f32::max);
                let number = percent(f64::from(dead));
                let is_last = column + 1 == columns.steps.len();
                let is_new = number != before && columns.steps.len() <= NUMBERED;
                if dead > 0.0 && (is_last || is_new) {
                    notes.insert(values.len(), number.clone());
                }
                values.push(dead);
                before = number;
            }
        }
        Figure {
            title: format!("{} channels, {}", self.images.word(), self.images.over()),
            row_axis: String::new(),
            column_axis: columns.axis(),
            rows: self
                .inactive
                .keys()
                .map(|layer| name_of(layer).to_owned())
                .collect(),
            columns: columns.labels,
            cells: Cells::Matrix(Matrix {
                values,
                measure: "fraction of channels".to_owned(),
                colormap: Colormap::Magma,
                notes,
                ..Matrix::default()
            }),
            ..Figure::default()
        }
    }
}

fn is_in(spans: &[Span], step: i64) -> bool {
    spans.iter().any(|span| span.includes(step))
}

/// Steps as columns: one each, or several where they are many.
struct Columns {
    steps: Vec<Vec<i64>>,
    /// The last step of each.
    labels: Vec<String>,
}

impl Columns {
    fn of(steps: &[i64]) -> Self {
        let each = steps.len().div_ceil(MOST).max(1);
        let steps: Vec<Vec<i64>> = steps.chunks(each).map(<[i64]>::to_vec).collect();
        let label = |steps: &Vec<i64>| steps.last().map(ToString::to_string).unwrap_or_default();
        Self {
            labels: steps.iter().map(label).collect(),
            steps,
        }
    }

    fn axis(&self) -> String {
        match self.steps.first().map_or(1, Vec::len) {
            1 => "step".to_owned(),
            each => format!("step, the last of {each} in a column"),
        }
    }
}
