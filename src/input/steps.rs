//! The step that a checkpoint's name tells.

use std::collections::HashSet;

/// Words that announce a step, the finer count first: where a name has several, the first of them
/// that tells all the checkpoints apart is the step. Short words must stand alone, long ones may
/// end another (`global_step`, `modelEpoch`).
const WORDS: [&[&str]; 3] = [
    &["step", "steps"],
    &["iter", "iters", "iteration", "iterations", "it"],
    &["epoch", "epochs", "ep", "e"],
];

/// Up to this length a word must stand alone.
const SHORT_WORD: usize = 2;

/// Glued to `vgg` these are the network's depth.
const VGG_DEPTHS: [&str; 4] = ["11", "13", "16", "19"];

/// Why names tell no steps; the indices are those of the names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    /// This name has no number that could be one.
    NoNumber(usize),
    /// In these names several numbers differ (or in one name several stand) and no word says which.
    Ambiguous(usize, usize),
    /// The finer count is told by a word, but a coarser one runs the other way in these names.
    Contradiction(usize, usize),
    /// This name's number is past 2^63 - 1.
    TooLarge(usize),
}

/// The step of each name (a file's name without its ending), by the rule that
/// [`list_checkpoints`](super::checkpoints::list_checkpoints) documents.
pub(crate) fn steps_from_names(names: &[String]) -> Result<Vec<i64>, Untold> {
    let parsed: Vec<Vec<Part>> = names.iter().map(|name| parts(name)).collect();
    let numbers: Vec<Vec<Number>> = parsed.iter().map(|parts| whole_numbers(parts)).collect();
    if let Some(bare) = numbers.iter().position(Vec::is_empty) {
        return Err(Untold::NoNumber(bare));
    }
    let values = match by_word(&numbers)? {
        Some(values) => values,
        None => by_place(&parsed, &numbers).ok_or_else(|| ambiguous(&numbers))?,
    };
    values
        .into_iter()
        .enumerate()
        .map(|(index, value)| value.ok_or(Untold::TooLarge(index)))
        .collect()
}

/// A number's value, `None` past `i64`.
type Value = Option<i64>;

/// A piece of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Lower case.
    Text(String),
    Whole(Number),
    /// A number that is no step: `0.93`, `1e-4`.
    Broken,
}

/// A whole number in a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number {
    value: Value,
    /// The word before it, lower case.
    word: String,
    /// The 16 of `vgg16`.
    is_depth: bool,
}

/// The numbers that may be a step; a network's depth only where there is no other number.
fn whole_numbers(parts: &[Part]) -> Vec<Number> {
    let all = parts.iter().filter_map(|part| match part {
        Part::Whole(number) => Some(number.clone()),
        _ => None,
    });
    let (depths, others): (Vec<Number>, Vec<Number>) = all.partition(|number| number.is_depth);
    if others.is_empty() { depths } else { others }
}

fn parts(name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if !first.is_ascii_digit() {
            text.extend(first.to_lowercase());
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let depth = digits(rest);
        let is_depth = text.ends_with("vgg") && VGG_DEPTHS.contains(&&rest[..depth]);
        let length = if is_depth { depth } else { number_length(rest) };
        let (token, after) = rest.split_at(length);
        let word = last_word(&text);
        parts.push(Part::Text(std::mem::take(&mut text)));
        parts.push(whole_value(token).map_or(Part::Broken, |value| {
            Part::Whole(Number {
                value,
                word,
                is_depth,
            })
        }));
        rest = after;
    }
    parts.push(Part::Text(text));
    parts
}

/// The letters before a number, with `_ - = : .` and blanks allowed between.
fn last_word(text: &str) -> String {
    let text = text.trim_end_matches(['_', '-', '=', ':', '.', ' ']);
    let start = text
        .rfind(|c: char| !c.is_ascii_alphabetic())
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    text[start..].to_owned()
}

/// The bytes of the number that `rest` begins with: digits, a fraction (`0.93`), a power of ten
/// (`1e3`, `1e-4`), thousands or millions (`90k`, `2M`). A power or a unit must be followed by
/// neither letter nor digit.
fn number_length(rest: &str) -> usize {
    let whole = digits(rest);
    let fraction = match rest[whole..].strip_prefix('.').map(digits) {
        None | Some(0) => 0,
        Some(digits) => 1 + digits,
    };
    let length = whole + fraction;
    let after = &rest[length..];
    let suffix = if after.starts_with(['e', 'E']) {
        let sign = usize::from(after[1..].starts_with(['-', '+']));
        match digits(&after[1 + sign..]) {
            0 => 0,
            power => 1 + sign + power,
        }
    } else {
        usize::from(after.starts_with(['k', 'K', 'M']))
    };
    let ends = !after[suffix..].starts_with(char::is_alphanumeric);
    length + if ends { suffix } else { 0 }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// `None` for a number that is not whole; `Some(None)` for one past `i64`.
fn whole_value(token: &str) -> Option<Value> {
    let (number, factor) = match token.split_once(['e', 'E', 'k', 'K', 'M']) {
        None => (token, Some(1)),
        Some((number, "")) if token.ends_with('M') => (number, Some(1_000_000)),
        Some((number, "")) => (number, Some(1_000)),
        Some((_, power)) if power.starts_with('-') => return None,
        Some((number, power)) => {
            let power = power.trim_start_matches('+').parse().ok();
            (number, power.and_then(|power| 10_i64.checked_pow(power)))
        }
    };
    if number.contains('.') {
        return None;
    }
    let value = number.parse::<i64>().ok();
    Some(value.and_then(|value| value.checked_mul(factor?)))
}

/// The number after a word, when one of the words stands before a number in every name and its
/// numbers differ.
fn by_word(numbers: &[Vec<Number>]) -> Result<Option<Vec<Value>>, Untold> {
    let told: Vec<Vec<Value>> = WORDS
        .iter()
        .filter_map(|words| numbers.iter().map(|n| after_word(n, words)).collect())
        .filter(|values: &Vec<Value>| values.len() == 1 || !all_equal(values))
        .collect();
    let chosen = told.iter().position(|values| all_different(values));
    let mut told = told.into_iter().skip(chosen.unwrap_or(0));
    let Some(values) = told.next() else {
        return Ok(None);
    };
    // Where no count tells them all apart, equal steps are what is wrong, not the order.
    if chosen.is_some() {
        for coarser in told {
            if let Some((a, b)) = contradiction(&values, &coarser) {
                return Err(Untold::Contradiction(a, b));
            }
        }
    }
    Ok(Some(values))
}

/// The last such number: `step_1_of_step_9` is no name that anybody gives, but it has an answer.
fn after_word(numbers: &[Number], words: &[&str]) -> Option<Value> {
    let announces = |word: &str| {
        words
            .iter()
            .any(|&known| word == known || (known.len() > SHORT_WORD && word.ends_with(known)))
    };
    let number = numbers.iter().rev().find(|n| announces(&n.word))?;
    Some(number.value)
}

/// Two names of which the first has the smaller fine count and the larger coarse one.
fn contradiction(fine: &[Value], coarse: &[Value]) -> Option<(usize, usize)> {
    let mut order: Vec<usize> = (0..fine.len()).collect();
    order.sort_by_key(|&index| (fine.get(index), coarse.get(index)));
    order
        .windows(2)
        .find(|pair| matches!(pair, [a, b] if coarse.get(*a) > coarse.get(*b)))
        .and_then(|pair| Some((*pair.first()?, *pair.last()?)))
}

/// Without a word: the only number of each name, or the only one that differs between names that
/// are otherwise alike.
fn by_place(parsed: &[Vec<Part>], numbers: &[Vec<Number>]) -> Option<Vec<Value>> {
    if numbers.iter().all(|n| n.len() == 1) {
        return Some(numbers.iter().flatten().map(|n| n.value).collect());
    }
    let (head, tail) = parsed.split_first()?;
    if tail.iter().any(|parts| !alike(head, parts)) {
        return None;
    }
    let places = numbers.first()?.len();
    let column = |place: usize| -> Vec<Value> {
        let values = numbers.iter().filter_map(|n| n.get(place));
        values.map(|number| number.value).collect()
    };
    let mut differing = (0..places).map(column).filter(|column| !all_equal(column));
    match (differing.next(), differing.next()) {
        (Some(only), None) => Some(only),
        // Names that are wholly alike, from different folders: one step, which is not for us to
        // refuse.
        (None, _) if !tail.is_empty() => Some(column(places - 1)),
        _ => None,
    }
}

/// Whether two names differ in the values of their numbers only.
fn alike(a: &[Part], b: &[Part]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Part::Text(a), Part::Text(b)) => a == b,
            (Part::Whole(a), Part::Whole(b)) => a.is_depth == b.is_depth,
            (Part::Broken, Part::Broken) => true,
            _ => false,
        })
}

/// Two names to show: the first, and the first that has other numbers.
fn ambiguous(numbers: &[Vec<Number>]) -> Untold {
    let several = numbers.iter().position(|n| n.len() > 1).unwrap_or(0);
    let other = numbers
        .iter()
        .position(|n| Some(n) != numbers.get(several))
        .unwrap_or(several);
    Untold::Ambiguous(several.min(other), several.max(other))
}

fn all_equal(values: &[Value]) -> bool {
    values.windows(2).all(|pair| pair.first() == pair.last())
}

fn all_different(values: &[Value]) -> bool {
    values.iter().collect::<HashSet<_>>().len() == values.len()
}

#[cfg(test)]
mod tests;
