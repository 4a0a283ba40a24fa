//! Two runs compared with each other.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::error::CompareError;
use super::run::ComparedRun;
use crate::events::Summary;
use crate::figure::{HeatMap, evenly};
use crate::render::Colormap;
use crate::similarity::file::GramsFileError;
use crate::similarity::{Estimate, Gram, Similarity, cka};

/// Steps of a run that have a row or column in a heat map.
const SHOWN: usize = 24;

/// Layers that a line names as most alike, and as least.
const NAMED: usize = 3;

/// What two runs have in common.
pub(crate) struct Pair<'a> {
    runs: [&'a ComparedRun; 2],
    /// What ends the name of a layer in tags: nothing, or the other run's name where there are several.
    in_tags: String,
    /// The layers that both have, by their tags in each.
    layers: Vec<[String; 2]>,
    /// The steps that both have, with the checkpoint of each.
    steps: BTreeMap<i64, [usize; 2]>,
}

impl<'a> Pair<'a> {
    /// Finds what a run has in common with the `first`; `is_named` says whether tags name it.
    pub(crate) fn new(
        first: &'a ComparedRun,
        other: &'a ComparedRun,
        is_named: bool,
    ) -> Result<Self, CompareError> {
        let tags = |run: &ComparedRun| run.layout().layers.clone();
        let in_other = |tag: &String| {
            let same = |other: &String| name_of(other) == name_of(tag);
            let found = tags(other).into_iter().find(same);
            found.map(|found| [tag.clone(), found])
        };
        let layers: Vec<[String; 2]> = tags(first).iter().filter_map(in_other).collect();
        if layers.is_empty() {
            return Err(CompareError::NoLayer {
                first: first.folder.clone(),
                other: other.folder.clone(),
                of_first: tags(first).join(", "),
                of_other: tags(other).join(", "),
            });
        }
        let by_step = |run: &ComparedRun| -> BTreeMap<i64, usize> {
            let turned = |(checkpoint, step): &(usize, i64)| (*step, *checkpoint);
            run.checkpoints.iter().map(turned).collect()
        };
        let of_other = by_step(other);
        let common = |(step, checkpoint)| Some((step, [checkpoint, *of_other.get(&step)?]));
        Ok(Self {
            runs: [first, other],
            in_tags: match is_named {
                true => format!("/{}", other.name),
                false => String::new(),
            },
            layers,
            steps: by_step(first).into_iter().filter_map(common).collect(),
        })
    }

    /// The steps that both have.
    pub(crate) fn steps(&self) -> impl Iterator<Item = i64> {
        self.steps.keys().copied()
    }

    /// The last checkpoints that are compared, and their steps: those of the last step in common, or where there is
    /// none, of each run.
    fn ends(&self) -> [(usize, i64); 2] {
        match self.steps.last_key_value() {
            Some((step, checkpoints)) => checkpoints.map(|checkpoint| (checkpoint, *step)),
            None => self
                .runs
                .map(|run| run.checkpoints.last().copied().unwrap_or_default()),
        }
    }

    /// The last step that pictures show.
    pub(crate) fn last_step(&self) -> i64 {
        let [(_, first), (_, other)] = self.ends();
        first.max(other)
    }

    /// How alike each layer is at a step; nothing where one of the runs does not have it.
    pub(crate) fn scalars(&self, step: i64) -> Result<Vec<Summary>, GramsFileError> {
        let Some(checkpoints) = self.steps.get(&step) else {
            return Ok(Vec::new());
        };
        let layers = self.similarities(*checkpoints)?;
        let scalars = |(layer, similarity): (String, Similarity)| {
            let tag = format!("compare/{layer}{}", self.in_tags);
            let measures = [
                ("cka", similarity.cka),
                ("procrustes", similarity.procrustes),
                ("neighbors", similarity.neighbors),
            ];
            measures
                .into_iter()
                .filter_map(|(name, estimate)| Some((format!("{tag}/{name}"), estimate?)))
                .flat_map(|(tag, Estimate { value, low, high })| {
                    let ends = [("", value), ("_low", low), ("_high", high)];
                    ends.map(|(end, value)| Summary::scalar(format!("{tag}{end}"), value))
                })
                .collect::<Vec<_>>()
        };
        Ok(layers.into_iter().flat_map(scalars).collect())
    }

    /// The layers, by their tags in the first run.
    fn similarities(
        &self,
        [of_first, of_other]: [usize; 2],
    ) -> Result<Vec<(String, Similarity)>, GramsFileError> {
        let [first, other] = self.runs;
        let mut read = Vec::new();
        for [in_first, in_other] in &self.layers {
            let one = first.grams(in_first, [of_first])?;
            let two = other.grams(in_other, [of_other])?;
            read.extend(one.into_iter().flatten().zip(two.into_iter().flatten()));
        }
        let similar: Vec<Similarity> = read
            .par_iter()
            .map(|(one, two)| Similarity::between(one, two))
            .collect();
        let tags = self.layers.iter().map(|[in_first, _]| in_first.clone());
        Ok(tags.zip(similar).collect())
    }

    /// The heat maps: each layer at all steps of the one run with all steps of the other, and at the last ones all
    /// layers with all layers.
    pub(crate) fn heat_maps(&self) -> Result<Vec<TaggedMap>, GramsFileError> {
        let [first, other] = self.runs;
        let [rows, columns] = self.runs.map(|run| shown(&run.checkpoints));
        let mut maps = Vec::new();
        for [in_first, in_other] in &self.layers {
            let of_first = first.grams(in_first, rows.iter().map(|(checkpoint, _)| *checkpoint))?;
            let of_other =
                other.grams(in_other, columns.iter().map(|(checkpoint, _)| *checkpoint))?;
            maps.push(TaggedMap {
                tag: format!("similarity/steps/{in_first}{}", self.in_tags),
                heading: format!(
                    "**{in_first}**: debiased linear CKA of {}",
                    self.sides("steps")
                ),
                map: self.heat_map(
                    in_first,
                    [&rows, &columns].map(steps_of),
                    &of_first,
                    &of_other,
                ),
            });
        }
        let [(of_first, _), (of_other, _)] = self.ends();
        let (rows, columns) = (first.layout().layers.clone(), other.layout().layers.clone());
        let all = |run: &ComparedRun, layers: &[String], checkpoint| {
            let grams = layers.iter().map(|layer| run.grams(layer, [checkpoint]));
            let grams: Result<Vec<_>, _> = grams.collect();
            grams.map(|grams| grams.concat())
        };
        let one = all(first, &rows, of_first)?;
        let two = all(other, &columns, of_other)?;
        let sides = self.sides("layers");
        maps.push(TaggedMap {
            tag: format!("similarity/layers{}", self.in_tags),
            heading: format!("Debiased linear CKA {} of {sides}", self.when()),
            map: self.heat_map("layers", [rows, columns], &one, &two),
        });
        Ok(maps)
    }

    fn heat_map(
        &self,
        what: &str,
        [rows, columns]: [Vec<String>; 2],
        of_first: &[Option<Gram>],
        of_other: &[Option<Gram>],
    ) -> HeatMap {
        let cells = of_first
            .iter()
            .flat_map(|one| of_other.iter().map(move |two| (one, two)));
        let cells: Vec<_> = cells.collect();
        #[expect(clippy::cast_possible_truncation, reason = "for a color")]
        let value = |(one, two): &(&Option<Gram>, &Option<Gram>)| {
            let alike = one
                .as_ref()
                .zip(two.as_ref())
                .and_then(|(one, two)| cka(one, two));
            alike.map_or(f32::NAN, |value| value as f32)
        };
        let [first, other] = self.runs.map(|run| &run.name);
        HeatMap {
            title: format!("{what}: {first} x {other}"),
            rows,
            columns,
            values: cells.par_iter().map(value).collect(),
            range: (0.0, 1.0),
            colormap: Colormap::Viridis,
            numbers: true,
        }
    }

    fn sides(&self, of: &str) -> String {
        let [first, other] = self.runs.map(|run| &run.name);
        format!("the {of} of {first} (rows) with those of {other} (columns)")
    }

    /// The last steps that are compared, as text.
    fn when(&self) -> String {
        match self.ends() {
            [(_, first), (_, other)] if first == other => format!("at step {first}"),
            [(_, first), (_, other)] => {
                format!("at steps {first} and {other}, since they have no step in common,")
            }
        }
    }

    /// Which layers are most alike at the last steps, and which least, in a line.
    pub(crate) fn line(&self) -> Result<String, GramsFileError> {
        let ends = self.ends().map(|(checkpoint, _)| checkpoint);
        let layers = self.similarities(ends)?;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (tag, similarity) in &layers {
            match similarity.cka {
                Some(cka) => known.push((name_of(tag), cka)),
                None => unknown.push(name_of(tag)),
            }
        }
        known.sort_by(|(_, one), (_, two)| two.value.total_cmp(&one.value));
        let most = known.len().div_ceil(2).min(NAMED);
        let (most, rest) = known.split_at(most);
        let least: Vec<_> = rest.iter().rev().take(NAMED).copied().collect();
        let mut parts = Vec::new();
        for (which, layers) in [("most", most), ("least", &least)] {
            if !layers.is_empty() {
                parts.push(format!("{which} alike {}", listed(layers)));
            }
        }
        if !unknown.is_empty() {
            let named = unknown.iter().take(NAMED).copied().collect::<Vec<_>>();
            let more = match unknown.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!("dead or not finite {}{more}", named.join(", ")));
        }
        let [first, other] = self.runs.map(|run| &run.name);
        let when = self.when();
        Ok(format!("{first} and {other} {when}: {}", parts.join("; ")))
    }
}

/// A heat map, the tag that it is logged under, and what its description begins with.
pub(crate) struct TaggedMap {
    pub(crate) tag: String,
    pub(crate) heading: String,
    pub(crate) map: HeatMap,
}

/// The checkpoints that have a row or column.
fn shown(checkpoints: &[(usize, i64)]) -> Vec<(usize, i64)> {
    let places = evenly(checkpoints.len(), SHOWN).into_iter();
    places
        .filter_map(|place| checkpoints.get(place).copied())
        .collect()
}

fn steps_of(checkpoints: &Vec<(usize, i64)>) -> Vec<String> {
    checkpoints
        .iter()
        .map(|(_, step)| step.to_string())
        .collect()
}

/// Layers with their CKA and its interval.
fn listed(layers: &[(&str, Estimate)]) -> String {
    let text = |(name, Estimate { value, low, high }): &(&str, Estimate)| {
        format!("{name} (CKA {value:.2}, {low:.2} to {high:.2})")
    };
    layers.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// `conv2_1` of `05_conv2_1`: another architecture has it at another place.
fn name_of(tag: &str) -> &str {
    match tag.split_once('_') {
        Some((index, name)) if index.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => tag,
    }
}
