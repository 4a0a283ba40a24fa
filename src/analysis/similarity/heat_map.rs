//! Similarities as colors.

use std::borrow::Borrow;

use rayon::prelude::*;

use super::gram::Gram;
use super::measures::cka;
use crate::analysis::figure::{Cells, Figure, Matrix};
use feature_grid::Colormap;

pub(crate) struct Labeled<G> {
    pub(crate) label: String,
    pub(crate) gram: Option<G>,
}

/// The debiased linear CKA of each row with each column, with the number in its cell. Colors go from 0 to 1 in every run.
pub(crate) fn heat_map<G: Borrow<Gram> + Sync>(
    title: String,
    [row_axis, column_axis]: [String; 2],
    rows: &[Labeled<G>],
    columns: &[Labeled<G>],
) -> Figure {
    let cells = rows
        .iter()
        .flat_map(|row| columns.iter().map(move |column| (row, column)));
    let cells: Vec<(&Labeled<G>, &Labeled<G>)> = cells.collect();
    #[expect(clippy::cast_possible_truncation, reason = "for a color")]
    let value = |(row, column): &(&Labeled<G>, &Labeled<G>)| {
        let both = row.gram.as_ref().zip(column.gram.as_ref());
        let value = both.and_then(|(row, column)| cka(row.borrow(), column.borrow()));
        value.map_or(f32::NAN, |value| value as f32)
    };
    let values: Vec<f32> = cells.par_iter().map(value).collect();
    let labels = |all: &[Labeled<G>]| all.iter().map(|one| one.label.clone()).collect();
    Figure {
        title,
        row_axis,
        column_axis,
        rows: labels(rows),
        columns: labels(columns),
        cells: Cells::Matrix(Matrix {
            values,
            measure: "debiased linear CKA".to_owned(),
            colormap: Colormap::Viridis,
            has_numbers: true,
            ..Matrix::default()
        }),
        ..Figure::default()
    }
}
