//! What a comparison of all layers finds.

use super::layer::{LayerChange, NonFinite};

/// A snapshot compared with `N` earlier ones.
#[derive(Debug, PartialEq)]
pub(super) struct Compared<const N: usize> {
    /// From each of them, by layer; none where it is empty.
    pub(super) changes: [Vec<LayerChange>; N],
    /// Pairs of filters that are nearly equal, by layer.
    pub(super) nearly_equal: Vec<f64>,
    /// The layers that have some.
    pub(super) non_finite: Vec<NonFinite>,
}

impl<const N: usize> Compared<N> {
    pub(super) fn new(changes: [Vec<LayerChange>; N]) -> Self {
        Self {
            changes,
            nearly_equal: Vec::new(),
            non_finite: Vec::new(),
        }
    }

    /// Adds what is found of a layer by itself.
    pub(super) fn add(&mut self, layer: &str, non_finite: usize, nearly_equal: f64) {
        self.nearly_equal.push(nearly_equal);
        if non_finite > 0 {
            self.non_finite.push(NonFinite {
                layer: layer.to_owned(),
                count: non_finite,
            });
        }
    }
}
