//! Similarities as colors.

use std::borrow::Borrow;

use rayon::prelude::*;

use super::cka::cka;
use super::gram::Gram;
use crate::analysis::figure::HeatMap;
use feature_grid::Colormap;

/// A row or a column of a heat map.
pub(crate) struct Labeled<G> {
    pub(crate) label: String,
    /// Nothing is known of it without.
    pub(crate) gram: Option<G>,
}

/// The debiased linear CKA of each row with each column, with the number in its cell; small differences near 1 are seen.
pub(crate) fn heat_map<G: Borrow<Gram> + Sync>(
    title: String,
    rows: &[Labeled<G>],
    columns: &[Labeled<G>],
) -> HeatMap {
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
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let least = finite.fold(1.0, f32::min);
    let labels = |all: &[Labeled<G>]| all.iter().map(|one| one.label.clone()).collect();
    HeatMap {
        title,
        rows: labels(rows),
        columns: labels(columns),
        values,
        range: (round_below(least), 1.0),
        colormap: Colormap::Viridis,
        numbers: true,
    }
}

/// A round number below a similarity: 0, or as many nines as it has.
fn round_below(least: f32) -> f32 {
    let mut nines = [0.9999, 0.999, 0.99, 0.9].into_iter();
    nines.find(|round| least >= *round).unwrap_or(0.0)
}
