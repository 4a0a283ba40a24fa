//! One layer of two files.

use std::cmp::Ordering;

use serde::Serialize;

use crate::analysis::change::{self, Kind, LayerChange, LayerWeights, are_same};
use crate::analysis::similarity::Estimate;
use crate::network::LayerKind;
use crate::network::vgg::Arch;
use crate::weights::{Entry, WeightsError, WeightsFile};

/// A layer's change. Its field names are the keys of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct LayerDiff {
    /// torchvision's name: `features.10`.
    pub(super) layer: String,
    /// The paper's name, `conv3_1`, where it has one.
    pub(super) name: Option<String>,
    pub(super) equal: bool,
    /// The tensors that changed: `weight`, `bias`, `running_mean`.
    pub(super) changed: Vec<String>,
    /// Of the weights, without biases, as all that follows but `dead`.
    pub(super) old_norm: f64,
    pub(super) new_norm: f64,
    pub(super) relative_change: f64,
    pub(super) cosine: f64,
    pub(super) factor: f64,
    pub(super) most_moved: Option<MostMoved>,
    /// The filters that never get above 0, whatever comes in; only of layers that a ReLU follows.
    pub(super) dead: Option<OldNew<Vec<usize>>>,
    /// How many values are NaN or infinite, over all tensors of the layer.
    pub(super) non_finite: OldNew<usize>,
    /// Debiased linear CKA of what both files make of the images, with its interval; none without images.
    pub(super) cka: Option<Estimate>,
}

/// The filter that moved most, relative to its own norm.
#[derive(Debug, Serialize)]
pub(super) struct MostMoved {
    pub(super) filter: usize,
    pub(super) relative_change: f64,
    pub(super) cosine: f64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct OldNew<T> {
    pub(super) old: T,
    pub(super) new: T,
}

#[derive(Debug)]
pub(super) struct Event {
    /// `filter 37 of conv4_1`.
    pub(super) what: String,
    pub(super) kind: Kind,
}

/// `weight` of `features.0.weight`.
pub(super) fn own_name(tensor: &Entry) -> &str {
    let name = tensor.name();
    name.rsplit_once('.').map_or(name, |(_, own)| own)
}

pub(super) fn is_weight(tensor: &Entry) -> bool {
    own_name(tensor) == "weight"
}

impl LayerDiff {
    pub(super) fn between(
        arch: Option<Arch>,
        stem: &str,
        tensors: &[&Entry],
        old: &WeightsFile,
        new: &WeightsFile,
    ) -> Result<(Self, Vec<Event>), WeightsError> {
        let weight = old.get(&format!("{stem}.weight"));
        let place = match arch {
            Some(arch) => Place::of(arch, stem),
            None => Place::of_shape(weight.map_or(&[], Entry::shape)),
        };
        // What has no weight is measured by its first tensor.
        let main = tensors.iter().position(|tensor| is_weight(tensor));
        let main = main.unwrap_or(0);
        let filters = tensors.get(main).and_then(|main| main.shape().first());
        let of_layer = || LayerWeights {
            name: place.name.clone().unwrap_or_else(|| stem.to_owned()),
            filters: filters.copied().unwrap_or(1),
            values: Vec::new(),
            bias: Vec::new(),
        };
        let (mut then, mut now) = (of_layer(), of_layer());
        let (mut changed, mut non_finite) = (Vec::new(), OldNew::default());
        for (at, tensor) in tensors.iter().enumerate() {
            let name = tensor.name();
            let (of_old, of_new) = rayon::join(|| old.read(name), || new.read(name));
            let (of_old, of_new) = (of_old?, of_new?);
            if !are_same(&of_old, &of_new) {
                changed.push(own_name(tensor).to_owned());
            }
            non_finite.old += not_finite(&of_old);
            non_finite.new += not_finite(&of_new);
            if at == main {
                (then.values, now.values) = (of_old, of_new);
            } else if own_name(tensor) == "bias" {
                (then.bias, now.bias) = (of_old, of_new);
            }
        }
        let change = LayerChange::between(&then, &now);
        let events = change::of_filters(0, &change).into_iter();
        let events = events.map(|event| Event {
            what: format!("{} {} of {}", place.filter, event.filter, event.layer),
            kind: event.kind,
        });
        let most_moved = change.most_changed().map(|(filter, sums)| MostMoved {
            filter,
            relative_change: sums.relative(),
            cosine: sums.cosine(),
        });
        let layer = Self {
            layer: stem.to_owned(),
            equal: changed.is_empty(),
            changed,
            old_norm: change.whole.old_norm(),
            new_norm: change.whole.new_norm(),
            relative_change: change.whole.relative(),
            cosine: change.whole.cosine(),
            factor: change.whole.factor(),
            most_moved,
            dead: place.before_relu.then(|| OldNew {
                old: then.dead(),
                new: now.dead(),
            }),
            non_finite,
            cka: None,
            name: place.name,
        };
        Ok((layer, events.collect()))
    }

    pub(super) fn short_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.layer)
    }

    /// The largest change first; NaN is larger than everything, and layers that are equal come last.
    pub(super) fn by_change(&self, other: &Self) -> Ordering {
        let larger = other.relative_change.total_cmp(&self.relative_change);
        self.equal.cmp(&other.equal).then(larger)
    }
}

fn not_finite(values: &[f32]) -> usize {
    values.iter().filter(|value| !value.is_finite()).count()
}

struct Place {
    name: Option<String>,
    before_relu: bool,
    /// What one of its filters is called.
    filter: &'static str,
}

impl Place {
    /// In a network that is not known.
    fn of_shape(weight: &[usize]) -> Self {
        Self {
            name: None,
            before_relu: false,
            filter: match weight.len() {
                0 | 1 => "channel",
                2 => "unit",
                _ => "filter",
            },
        }
    }

    fn of(arch: Arch, stem: &str) -> Self {
        let layers = arch.layers();
        let index = stem.strip_prefix("features.");
        let is_feature = index.is_some();
        let mut from_here = layers.iter();
        let layer = index.and_then(|index| from_here.nth(index.parse().ok()?));
        Self {
            name: layer.map(|layer| layer.name().to_owned()),
            before_relu: match layer {
                Some(_) => (from_here.next()).is_some_and(|next| next.kind == LayerKind::Relu),
                None => ["classifier.0", "classifier.3"].contains(&stem),
            },
            filter: match layer {
                Some(layer) if layer.kind != LayerKind::Convolution => "channel",
                Some(layer) if layer.index == 0 => "kernel",
                _ if is_feature => "filter",
                _ => "unit",
            },
        }
    }
}
