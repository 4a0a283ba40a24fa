//! Sums of products that a formula describes, such as `bhid,bhjd->bhij`: Burn's `einsum`.

use std::collections::BTreeMap;

use burn::tensor::{EinsumOperand, Tensor};

use super::Table;
use super::arithmetic::like;
use crate::network::pt2::value::{Call, Floats, Most, Result, Value, refused, sizes};

pub(super) const TABLE: Table = &[("aten.einsum", einsum)];

/// Stands for the axes of `...`.
const OTHERS: char = '.';

fn einsum(call: &mut Call) -> Result<Value> {
    let Some(formula) = call.text("equation") else {
        return refused("it lacks its argument `equation`");
    };
    let formula = formula.replace(' ', "");
    let Some((inputs, result)) = formula.split_once("->") else {
        return refused(format!("{formula:?} does not say what its result is"));
    };
    let tensors = call.tensors("tensors")?;
    let inputs: Vec<Letters> = inputs.split(',').map(Letters::of).collect();
    let result = Letters::of(result);
    check(&inputs, &result, &tensors, call.most)?;
    let others = inputs.iter().zip(&tensors);
    let others = others.map(|(letters, x)| sizes(x).len().saturating_sub(letters.named()));
    let others = others.max().filter(|_| result.has_others());
    let product = match result.named() + others.unwrap_or_default() {
        0 | 1 => product::<1>,
        2 => product::<2>,
        3 => product::<3>,
        4 => product::<4>,
        5 => product::<5>,
        6 => product::<6>,
        _ => return refused(format!("the result of {formula:?} has more than six axes")),
    };
    Ok(Value::Tensor(product(&formula, tensors)))
}

fn product<const D: usize>(formula: &str, tensors: Vec<Floats>) -> Floats {
    let first = tensors.first().cloned();
    let alike = tensors.into_iter().map(|x| match &first {
        Some(first) => like(x, first),
        None => x,
    });
    // An operand has the rank that it has.
    let operands = alike.map(|x| EinsumOperand::from(Tensor::<1>::from_dispatch(x)));
    Tensor::<D>::einsum(formula, operands).into_dispatch()
}

/// The letters of a tensor's axes.
struct Letters(Vec<char>);

impl Letters {
    fn of(text: &str) -> Self {
        Self(text.replace("...", ".").chars().collect())
    }

    fn has_others(&self) -> bool {
        self.0.contains(&OTHERS)
    }

    /// Axes that have a letter.
    fn named(&self) -> usize {
        self.0.len() - usize::from(self.has_others())
    }
}

/// Checks what the products of the first tensors take, two, three and so on: Burn would allocate it.
fn check(inputs: &[Letters], result: &Letters, tensors: &[Floats], most: Most) -> Result<()> {
    let mut known: BTreeMap<char, usize> = BTreeMap::new();
    for (at, (letters, x)) in inputs.iter().zip(tensors).enumerate() {
        let (all, others) = (sizes(x), sizes(x).len().checked_sub(letters.named()));
        let Some(others) = others.filter(|others| *others == 0 || letters.has_others()) else {
            return refused(format!(
                "it is given {all:?} for {} letters",
                letters.named()
            ));
        };
        let mut axes = all.iter().copied();
        for (place, letter) in letters.0.iter().enumerate() {
            // Burn picks a diagonal with indices of 32 bits, which burn-tch does not take.
            if letters.0[..place].contains(letter) {
                return refused(format!("a diagonal, {letter} twice, is not known"));
            }
            let of_others = if *letter == OTHERS { others } else { 1 };
            let size: usize = axes.by_ref().take(of_others).product();
            let own = known.entry(*letter).or_insert(1);
            *own = size.max(*own);
        }
        let later = inputs.get(at + 1..).unwrap_or_default();
        let is_kept = |letter: &char| {
            let mut all = later.iter().chain([result]);
            *letter == OTHERS || all.any(|letters| letters.0.contains(letter))
        };
        let kept = known.iter().filter(|(letter, _)| is_kept(letter));
        most.check(&kept.map(|(_, size)| *size).collect::<Vec<_>>())?;
    }
    Ok(())
}
