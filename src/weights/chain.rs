//! Chains of 3 x 3 convolutions, each of which takes what the one before gives, and where their blocks end.

use super::entry::Entry;

/// Convolutions of each block of a VGG, by the number in its name.
///
/// Source: Simonyan and Zisserman, <https://arxiv.org/abs/1409.1556>, table 1 (A, B, D, E).
pub(crate) const BLOCKS: [(u8, [usize; 5]); 4] = [
    (11, [1, 1, 2, 2, 2]),
    (13, [2, 2, 2, 2, 2]),
    (16, [2, 2, 3, 3, 3]),
    (19, [2, 2, 4, 4, 4]),
];

/// Modules that wrap another one and may stand anywhere in a name.
pub(super) const WRAPPERS: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// How a weight's name ends: as it is, pruned or spectral-normalized, weight-normalized, parametrized.
const WEIGHTS: [&str; 5] = [
    ".weight",
    ".weight_orig",
    ".weight_v",
    ".parametrizations.weight.original",
    ".parametrizations.weight.original1",
];

/// Fewest convolutions of a chain that is a network's first layers, unless their names say so.
pub(super) const ENOUGH: usize = 4;

#[derive(Debug)]
pub(super) struct Module<'a> {
    pub(super) stem: &'a str,
    /// The place of its first tensor in the file.
    pub(super) at: usize,
    /// The shape of its weight; of a batch norm `[channels]`.
    pub(super) shape: &'a [usize],
    pub(super) name: Name,
}

/// A name taken apart: its words with a `#` in place of each number, and the numbers. Wrappers are left out.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) words: String,
    pub(super) numbers: Vec<usize>,
}

impl Name {
    /// A letter behind a number counts on, as in `conv1a`, `conv1b`.
    fn of(stem: &str) -> Self {
        let mut name = Self {
            words: String::new(),
            numbers: Vec::new(),
        };
        for part in stem.split('.').filter(|part| !WRAPPERS.contains(part)) {
            let is_digit = |a: &u8| a.is_ascii_digit();
            for run in part.as_bytes().chunk_by(|a, b| is_digit(a) == is_digit(b)) {
                let text = String::from_utf8_lossy(run);
                match *run {
                    [digit, ..] if is_digit(&digit) => {
                        name.push(text.parse().unwrap_or(usize::MAX));
                    }
                    [letter @ b'a'..=b'z'] if name.words.ends_with('#') => name.push(letter.into()),
                    _ => name.words.push_str(&text),
                }
            }
            name.words.push('.');
        }
        name
    }

    fn push(&mut self, number: usize) {
        self.words.push('#');
        self.numbers.push(number);
    }
}

impl<'a> Module<'a> {
    fn new(entry: &'a Entry, stem: &'a str, at: usize) -> Self {
        Self {
            stem,
            at,
            shape: entry.shape(),
            name: Name::of(stem),
        }
    }

    /// The convolution that a tensor is the weight of.
    pub(super) fn convolution(entry: &'a Entry, at: usize) -> Option<Self> {
        let stem = |ending: &&str| entry.name().strip_suffix(*ending);
        let stem = WEIGHTS.iter().find_map(stem)?;
        (entry.shape().len() == 4).then(|| Self::new(entry, stem, at))
    }

    /// The batch norm, or what looks like one, that a tensor belongs to. It may come up twice.
    pub(super) fn norm(entry: &'a Entry, at: usize) -> Option<Self> {
        let stem = |ending: &&str| entry.name().strip_suffix(*ending);
        let stem = [".running_mean", ".weight"].iter().find_map(stem)?;
        (entry.shape().len() == 1).then(|| Self::new(entry, stem, at))
    }

    pub(super) fn takes(&self) -> usize {
        self.shape.get(1).copied().unwrap_or_default()
    }

    pub(super) fn gives(&self) -> usize {
        self.shape.first().copied().unwrap_or_default()
    }

    pub(super) fn is_3x3(&self) -> bool {
        self.shape.ends_with(&[3, 3]) && self.gives() > 0
    }

    /// Whether another one can come next in a chain.
    pub(super) fn leads_to(&self, next: &Self) -> bool {
        self.is_3x3() && next.is_3x3() && self.gives() == next.takes()
    }

    pub(super) fn parent(&self) -> &str {
        self.stem.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// Whether torchvision, LPIPS or the paper gives a network's first convolution such a name.
    pub(super) fn is_named_first(&self) -> bool {
        let parts = self.stem.split('.').filter(|part| !WRAPPERS.contains(part));
        match parts.collect::<Vec<_>>()[..] {
            [.., "conv1_1"] => true,
            [.., container, "0"] => is_container(container),
            _ => false,
        }
    }
}

/// Whether a part of a name is that of the module with the layers.
pub(super) fn is_container(part: &str) -> bool {
    let slice = part.strip_prefix("slice");
    matches!(part, "features" | "feature" | "_features")
        || slice.is_some_and(|rest| rest.parse::<u32>().is_ok())
}

/// Where the names of a chain's convolutions say that a block ends.
enum Ends {
    Unknown,
    /// Before the convolutions at these places.
    At(Vec<usize>),
    /// Somewhere, but as no network's do.
    Wrong,
}

/// The convolutions in each block of a chain, and whether they are all of a network's: by its names, else by its widths,
/// else by their number. `None` if it is no VGG's.
pub(super) fn blocks(chain: &[&Module<'_>], has_norms: bool) -> Option<(Vec<usize>, bool)> {
    let count = chain.len();
    let is_named = chain.first()?.is_named_first();
    let ends = ends(chain, is_named, has_norms);
    let widens = |at: &usize| chain[*at - 1].gives() != chain[*at].gives();
    let widths: Vec<usize> = (1..count).filter(widens).collect();
    let fitting = BLOCKS.into_iter().filter_map(|(_, blocks)| {
        let bounds: Vec<usize> = blocks
            .iter()
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect();
        let all = bounds[4];
        let within = |ends: &[usize]| -> Vec<usize> {
            ends.iter()
                .copied()
                .filter(|end| *end < count.min(all))
                .collect()
        };
        let goes_on = |ends: &[usize]| count <= all || ends.contains(&all);
        let changes = within(&widths);
        // The last two blocks are as wide as each other.
        let missing = within(&bounds[..3])
            .iter()
            .filter(|end| !changes.contains(end))
            .count();
        let fits = changes.iter().all(|end| bounds.contains(end));
        let is_distinct = fits && missing == 0 && bounds[2] < count && goes_on(&widths);
        let (is_one, missing) = match &ends {
            Ends::At(ends) => (within(&bounds) == within(ends) && goes_on(ends), 0),
            Ends::Unknown => (fits && count == all || is_distinct, missing),
            Ends::Wrong => (is_distinct && count == all, missing),
        };
        is_one.then_some((missing, all > count, all != count, blocks))
    });
    let (_, is_part, _, blocks) = fitting.min()?;
    if is_part && count < ENOUGH && !is_named {
        return None;
    }
    let mut left = count;
    let there = blocks.into_iter().map(|block| {
        let here = block.min(left);
        left -= here;
        here
    });
    Some((there.filter(|count| *count > 0).collect(), !is_part))
}

fn ends(chain: &[&Module<'_>], is_named: bool, has_norms: bool) -> Ends {
    let is_uniform = chain
        .iter()
        .all(|module| module.name.words == chain[0].name.words);
    let numbers = |at: usize| &chain[at].name.numbers[..];
    let is_short = is_named && chain.len() < ENOUGH;
    // What is the same in all of them counts nothing: `block1.0.conv`, `convs.3.0`.
    let columns = 0..numbers(0).len();
    let number = |at: usize, column: usize| numbers(at).get(column).copied().unwrap_or_default();
    let varies =
        |column: &usize| (1..chain.len()).any(|at| number(at, *column) != number(0, *column));
    let counted = columns
        .rev()
        .find(|column| is_uniform && !is_short && varies(column));
    let counted = |at: usize| counted.unwrap_or(numbers(at).len().saturating_sub(1));
    let last = |at: usize| number(at, counted(at));
    let block = |at: usize| (&chain[at].name.words, numbers(at).get(..counted(at)));
    let pairs = || 1..chain.len();
    let turns: Vec<usize> = pairs().filter(|&at| block(at) != block(at - 1)).collect();
    let step = |at: usize| (at, last(at).saturating_sub(last(at - 1)));
    // torchvision's convolutions are 2 apart, with batch norm 3, where no pooling is between them.
    let usual = if has_norms { 3 } else { 2 };
    let is_torchvisions = is_named && last(0) == 0;
    let usual = (is_short && is_torchvisions).then_some(usual);
    let through: Vec<(usize, usize)> = pairs().map(step).collect();
    if is_uniform && through.iter().all(|(_, step)| *step > 0) {
        match wider(&through, usual) {
            Some(ends) if !ends.is_empty() || usual.is_some() => return Ends::At(ends),
            None if is_torchvisions => return Ends::Wrong,
            _ => {}
        }
    }
    if turns.len() == through.len() && !is_short {
        return Ends::Unknown;
    }
    let within = pairs().filter(|at| !turns.contains(at));
    match wider(&within.map(step).collect::<Vec<_>>(), usual) {
        None => Ends::Wrong,
        Some(wider) if wider.is_empty() && turns.is_empty() && !is_short => Ends::Unknown,
        Some(wider) => Ends::At(
            pairs()
                .filter(|at| turns.contains(at) || wider.contains(at))
                .collect(),
        ),
    }
}

/// The places whose number is further from the one before than the others' are: where there is a pooling. `None` where
/// numbers do not rise, or by more than a pooling and a dropout account for.
fn wider(steps: &[(usize, usize)], usual: Option<usize>) -> Option<Vec<usize>> {
    let least = steps.iter().map(|(_, step)| *step).min().unwrap_or(1);
    let least = usual.filter(|usual| usual + 1 == least).unwrap_or(least);
    let wider = steps.iter().filter(|(_, step)| *step > least);
    let mut sizes = wider.clone().map(|(_, step)| *step);
    let size = sizes.next().unwrap_or(least);
    let is_regular = sizes.all(|other| other == size) && size <= least + 2;
    let is_dense = least > 0 && usual.is_none_or(|usual| least <= usual);
    (is_regular && is_dense).then(|| wider.map(|(at, _)| *at).collect())
}
