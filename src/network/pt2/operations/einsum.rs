//! Sums of products that a formula describes: `bhid,bhjd->bhij`.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::Table;
use super::convolution::product;
use crate::network::pt2::value::{Call, Floats, Most, Result, Value, refused, shape, sizes};

pub(super) const TABLE: Table = &[("aten.einsum", einsum)];

/// A tensor whose axes have letters, each once.
struct Lettered {
    letters: Vec<char>,
    values: Floats,
}

impl Lettered {
    fn size(&self, letter: char) -> Option<usize> {
        let at = self.letters.iter().position(|own| *own == letter)?;
        Some(sizes(&self.values)[at])
    }

    /// Sums over every axis whose letter is not kept.
    fn sum(mut self, keep: impl Fn(char) -> bool) -> Self {
        for at in (0..self.letters.len()).rev() {
            if !keep(self.letters[at]) {
                let mut left = sizes(&self.values);
                left.remove(at);
                let sum = Dispatch::float_sum_dim(self.values, at);
                self.values = Dispatch::float_reshape(sum, shape(&left));
                self.letters.remove(at);
            }
        }
        self
    }

    /// Its axes in another order: `groups` of letters, each of which becomes one axis.
    fn grouped<const N: usize>(self, groups: [&[char]; N]) -> Floats {
        let place = |letter: &char| self.letters.iter().position(|own| own == letter);
        let axes: Vec<usize> = groups.concat().iter().filter_map(place).collect();
        let of = |group: &[char]| {
            group
                .iter()
                .filter_map(|letter| self.size(*letter))
                .product()
        };
        let all = groups.map(of);
        Dispatch::float_reshape(Dispatch::float_permute(self.values, &axes), shape(&all))
    }

    /// Multiplies two, summing over the letters that are not kept; both have such a letter.
    fn times(self, other: Self, keep: impl Fn(char) -> bool, most: Most) -> Result<Self> {
        let (both, alone): (Vec<char>, Vec<char>) =
            (self.letters.iter()).partition(|letter| other.letters.contains(letter));
        let (batch, summed): (Vec<char>, Vec<char>) = both.into_iter().partition(|own| keep(*own));
        let others = other
            .letters
            .iter()
            .filter(|letter| !self.letters.contains(letter));
        let others: Vec<char> = others.copied().collect();
        let letters = [&batch[..], &alone, &others].concat();
        let all: Option<Vec<usize>> = letters
            .iter()
            .map(|letter| self.size(*letter).or_else(|| other.size(*letter)))
            .collect();
        let a = self.grouped([&batch, &alone, &summed]);
        let b = other.grouped([&batch, &summed, &others]);
        let values = product(a, b, most)?;
        let values = Dispatch::float_reshape(values, shape(&all.unwrap_or_default()));
        Ok(Self { letters, values })
    }
}

/// From left to right; what neither a later tensor nor the result has is summed over.
fn einsum(call: &mut Call) -> Result<Value> {
    let Some(formula) = call.text("equation") else {
        return refused("it lacks its argument `equation`");
    };
    let formula = formula.replace(' ', "");
    let Some((inputs, result)) = formula.split_once("->") else {
        return refused(format!("{formula:?} does not say what its result is"));
    };
    let inputs: Vec<Vec<char>> = inputs.split(',').map(|one| one.chars().collect()).collect();
    let result: Vec<char> = result.chars().collect();
    let tensors = call.tensors("tensors")?;
    check(&formula, &inputs, &result, &tensors)?;
    let all = inputs.iter().cloned().zip(tensors);
    let mut all = all.map(|(letters, values)| Lettered { letters, values });
    let Some(mut product) = all.next() else {
        return refused("it is given no tensors");
    };
    for (at, next) in all.enumerate() {
        let later = inputs[at + 2..].concat();
        let keep = |letter: char| later.contains(&letter) || result.contains(&letter);
        let in_next = next.letters.clone();
        product = product.sum(|letter| keep(letter) || in_next.contains(&letter));
        let in_product = product.letters.clone();
        let next = next.sum(|letter| keep(letter) || in_product.contains(&letter));
        product = product.times(next, keep, call.most)?;
    }
    let product = product.sum(|letter| result.contains(&letter));
    let place = |letter: &char| product.letters.iter().position(|own| own == letter);
    let axes: Vec<usize> = result.iter().filter_map(place).collect();
    Ok(Value::Tensor(Dispatch::float_permute(
        product.values,
        &axes,
    )))
}

/// Checks that every letter is once in a tensor, of one size in all of them, and in one if it is in the result.
fn check(formula: &str, inputs: &[Vec<char>], result: &[char], tensors: &[Floats]) -> Result<()> {
    let is_once = |letters: &[char]| {
        let mut sorted = letters.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() == letters.len() && letters.iter().all(char::is_ascii_alphabetic)
    };
    if !inputs.iter().all(|letters| is_once(letters)) || !is_once(result) {
        return refused(format!("{formula:?} is not known: a letter twice, or none"));
    }
    let mut known: Vec<(char, usize)> = Vec::new();
    for (letters, tensor) in inputs.iter().zip(tensors) {
        let own = sizes(tensor);
        if own.len() != letters.len() {
            return refused(format!("{formula:?} does not go with {own:?}"));
        }
        for (letter, size) in letters.iter().zip(own) {
            match known.iter().find(|(of, _)| of == letter) {
                Some((_, other)) if *other != size => {
                    return refused(format!("in {formula:?} {letter} is {other} and {size}"));
                }
                Some(_) => {}
                None => known.push((*letter, size)),
            }
        }
    }
    let is_known = |letter: &char| known.iter().any(|(of, _)| of == letter);
    if inputs.len() != tensors.len() || !result.iter().all(is_known) {
        return refused(format!(
            "{formula:?} does not go with {} tensors",
            tensors.len()
        ));
    }
    Ok(())
}
