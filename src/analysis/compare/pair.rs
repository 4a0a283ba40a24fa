//! Two runs compared with each other.

use rayon::prelude::*;
use serde_json::{Value, json};

use super::{CompareError, ComparedRun};
use crate::analysis::figure::{Figure, evenly};
use crate::analysis::grams::GramsError;
use crate::analysis::name_of;
use crate::analysis::similarity::{Estimate, Gram, Labeled, Similarity, heat_map};
use crate::one_line;
use tensorboard_events::Summary;

const SHOWN: usize = 24;

const TITLE: usize = 14;

const NAMED: usize = 3;

pub(crate) struct Pair<'a> {
    runs: [&'a ComparedRun; 2],
    /// What ends the name of a layer in tags: nothing, or the other run's name where there are several.
    in_tags: String,
    layers: Vec<[String; 2]>,
    pub(crate) steps: Vec<i64>,
    minibatches: &'a [usize],
}

impl<'a> Pair<'a> {
    /// Finds what a run has in common with the `first`; `is_named` says whether tags name it.
    pub(crate) fn new(
        first: &'a ComparedRun,
        other: &'a ComparedRun,
        is_named: bool,
    ) -> Result<Self, CompareError> {
        let [of_first, of_other] = [first, other].map(|run| &run.grams.layers);
        let in_other = |tag: &String| {
            let mut others = of_other.iter();
            let found = others.find(|other| name_of(other) == name_of(tag))?;
            Some([tag.clone(), found.clone()])
        };
        let layers: Vec<[String; 2]> = of_first.iter().filter_map(in_other).collect();
        if layers.is_empty() {
            return Err(CompareError::NoLayer {
                first: first.folder.clone(),
                other: other.folder.clone(),
                of_first: of_first.join(", "),
                of_other: of_other.join(", "),
            });
        }
        let [in_first, in_other] = [first, other].map(|run| &run.about().minibatches[..]);
        let is_common = |step: &i64| other.grams.steps().any(|other| other == *step);
        Ok(Self {
            runs: [first, other],
            in_tags: if is_named {
                format!("/{}", other.name)
            } else {
                String::new()
            },
            layers,
            minibatches: if in_first.len() > 1 {
                in_first
            } else {
                in_other
            },
            steps: first.grams.steps().filter(is_common).collect(),
        })
    }

    /// The last steps that are compared: the last one in common, or where there is none, that of each run.
    fn ends(&self) -> [i64; 2] {
        let last = |run: &ComparedRun| run.grams.steps().next_back().unwrap_or_default();
        match self.steps.last() {
            Some(step) => [*step; 2],
            None => self.runs.map(last),
        }
    }

    pub(crate) fn last_step(&self) -> i64 {
        let [first, other] = self.ends();
        first.max(other)
    }

    /// How alike each layer is at a step; nothing where one of the runs does not have it.
    pub(crate) fn scalars(&self, step: i64) -> Result<Vec<Summary>, GramsError> {
        if !self.steps.contains(&step) {
            return Ok(Vec::new());
        }
        let layers = self.similarities([step; 2])?;
        let scalars = |(layer, similarity): (String, Similarity)| {
            similarity.scalars("compare", &format!("{layer}{}", self.in_tags), "")
        };
        Ok(layers.into_iter().flat_map(scalars).collect())
    }

    fn similarities(
        &self,
        [of_first, of_other]: [i64; 2],
    ) -> Result<Vec<(String, Similarity)>, GramsError> {
        let [first, other] = self.runs;
        let similarity = |[in_first, in_other]: &[String; 2]| {
            let one = first.grams.gram(in_first, of_first)?;
            let both = one.zip(other.grams.gram(in_other, of_other)?);
            let cut = |gram: Gram| gram.cut(self.minibatches);
            let similarity = |(one, two)| Similarity::between(&cut(one), &cut(two));
            Ok(both.map(|both| (in_first.clone(), similarity(both))))
        };
        let similarities = self.layers.par_iter().map(similarity);
        similarities.filter_map(Result::transpose).collect()
    }

    /// Each layer at all steps of the one run with all of the other's, and at the last ones all layers with all layers.
    pub(crate) fn heat_maps(&self) -> Result<Vec<TaggedMap>, GramsError> {
        let steps = self.runs.map(shown);
        let mut maps = Vec::new();
        for layers in &self.layers {
            let side = |run: usize| {
                let label = |step: &i64| (layers[run].as_str(), *step, step.to_string());
                self.side(run, steps[run].iter().map(label))
            };
            let (tag, sides) = (&layers[0], self.sides("steps"));
            maps.push(TaggedMap {
                tag: format!("similarity/steps/{tag}{}", self.in_tags),
                heading: format!("**{tag}**: debiased linear CKA of {sides}"),
                map: heat_map(
                    self.title(name_of(tag)),
                    self.axes("step"),
                    &side(0)?,
                    &side(1)?,
                ),
            });
        }
        let ends = self.ends();
        let side = |run: usize| {
            let layers = self.runs[run].grams.layers.iter();
            let label = |tag: &'a String| (tag.as_str(), ends[run], name_of(tag).to_owned());
            self.side(run, layers.map(label))
        };
        let (when, sides) = (self.when(), self.sides("layers"));
        maps.push(TaggedMap {
            tag: format!("similarity/layers{}", self.in_tags),
            heading: format!("Debiased linear CKA {when} of {sides}"),
            map: heat_map(
                self.title("layers"),
                self.axes("layer"),
                &side(0)?,
                &side(1)?,
            ),
        });
        Ok(maps)
    }

    /// Reads rows or columns: each is a layer of a run at a step, and its label.
    fn side<'t>(
        &self,
        run: usize,
        places: impl Iterator<Item = (&'t str, i64, String)>,
    ) -> Result<Vec<Labeled<Gram>>, GramsError> {
        let read = places.map(|(layer, step, label)| {
            let gram = self.runs[run].grams.gram(layer, step)?;
            let gram = gram.map(|gram| gram.cut(self.minibatches));
            Ok(Labeled { label, gram })
        });
        read.collect()
    }

    fn title(&self, what: &str) -> String {
        let [first, other] = self.runs.map(|run| end_of(&run.name));
        format!("CKA of {what}: {first} x {other}")
    }

    fn axes(&self, what: &str) -> [String; 2] {
        self.runs
            .map(|run| format!("{what} of {}", end_of(&run.name)))
    }

    fn sides(&self, of: &str) -> String {
        let [first, other] = self.runs.map(|run| &run.name);
        format!("the {of} of {first} (rows) with those of {other} (columns)")
    }

    fn when(&self) -> String {
        match self.ends() {
            [first, other] if first == other => format!("at step {first}"),
            [first, other] => format!("(steps {first} and {other}, none in common)"),
        }
    }

    pub(crate) fn difference(&self) -> Option<String> {
        let whole = |run: &&&ComparedRun| run.about().minibatches != self.minibatches;
        let whole = self.runs.iter().find(whole)?;
        Some(format!(
            "{} was compared in one batch, the other run in {} minibatches: both are compared in these",
            whole.name,
            self.minibatches.len()
        ))
    }

    pub(crate) fn json(&self) -> Result<Vec<Value>, GramsError> {
        let layers = self.similarities(self.ends())?.into_iter();
        let layer = |(tag, similarity): (String, Similarity)| {
            let mut layer = json!({"layer": name_of(&tag), "tag": tag, "with": self.runs[1].name});
            for undefined in ["cka", "procrustes", "neighbors"] {
                layer[undefined] = Value::Null;
            }
            for (name, end, value) in similarity.numbers() {
                layer[format!("{name}{end}")] = json!(value);
            }
            layer
        };
        Ok(layers.map(layer).collect())
    }

    /// Which layers are most alike at the last steps, and which least, in a line.
    pub(crate) fn line(&self) -> Result<String, GramsError> {
        let layers = self.similarities(self.ends())?;
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
            let named = one_line::listed(unknown, ", ", NAMED);
            parts.push(format!("dead or not finite {named}"));
        }
        let [first, other] = self.runs.map(|run| &run.name);
        let when = self.when();
        Ok(format!(
            "{first} and {other} {when}, CKA: {}",
            parts.join("; ")
        ))
    }
}

pub(crate) struct TaggedMap {
    pub(crate) tag: String,
    pub(crate) heading: String,
    pub(crate) map: Figure,
}

fn shown(run: &ComparedRun) -> Vec<i64> {
    let steps: Vec<i64> = run.grams.steps().collect();
    let places = evenly(steps.len(), SHOWN).into_iter();
    places.map(|place| steps[place]).collect()
}

/// The end of a long name, where names that hold the time differ.
fn end_of(name: &str) -> String {
    match name.char_indices().nth_back(TITLE - 1) {
        Some((start, _)) if start > 0 => format!("..{}", name.split_at(start).1),
        _ => name.to_owned(),
    }
}

fn listed(layers: &[(&str, Estimate)]) -> String {
    let text = |(name, Estimate { value, low, high }): &(&str, Estimate)| {
        format!("{name} {value:.4} ({low:.4} to {high:.4})")
    };
    layers.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(
            end_of("checkpoints-2026-11-24_14-03-22"),
            "..11-24_14-03-22"
        );
        for name in ["", "baseline", "exactly-14-ch."] {
            assert_eq!(end_of(name), name);
        }
        assert_eq!(end_of("ééééééééééééééé"), "..éééééééééééééé");
    }
}
