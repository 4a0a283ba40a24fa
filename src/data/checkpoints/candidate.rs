//! What the name of a checkpoint file says.

use std::path::{Path, PathBuf};

use crate::data::list::common_folders;
use crate::data::wanted::CHECKPOINTS;

/// Names in a note or an error; the others are counted.
pub(super) const NAMED: usize = 5;

/// What a checkpoint is called that is picked from a sequence, or made of it, instead of being one of it.
const PICKED: &str = "last final newest current ema swa avg average averaged interrupt interrupted";

/// The first or the last word of a file that holds a training's state, without the network.
///
/// Source: what the trainers of Hugging Face (transformers, accelerate, peft) write next to the weights.
const STATE: &str =
    "optimizer optimizers optimiser optim opt scheduler schedulers scaler sampler rng args adapter";

/// What the number in a checkpoint's folder counts.
const COUNTED: &str = "checkpoint ckpt epoch iter iteration step steps";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    /// Where it begins in the name.
    pub(super) start: usize,
    /// `None` where it is negative or past `i64`.
    pub(super) value: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// The path below the folder that all have in common.
    pub(super) name: String,
    /// The file's name without its ending and its version.
    pub(super) stem: String,
    /// The `2` of `epoch=3-v2.ckpt`, which Lightning gives to the third file of one name.
    pub(super) version: Option<i64>,
    /// The numbers in `stem`, last first.
    pub(super) in_stem: Vec<Number>,
    /// The numbers in the folders of `name`, last first.
    pub(super) in_folders: Vec<Number>,
}

impl Candidate {
    /// What each of `paths` says; none of them is the same file as another.
    pub(super) fn all(paths: Vec<PathBuf>) -> Vec<Self> {
        let common = not_of_the_name(&paths);
        let candidate = |path| Self::new(path, common);
        paths.into_iter().map(candidate).collect()
    }

    fn new(path: PathBuf, common: usize) -> Self {
        let name: PathBuf = path.components().skip(common).collect();
        let folders = name.parent().unwrap_or(Path::new("")).to_string_lossy();
        let (stem, version) = split_version(stem(&path));
        Self {
            in_stem: numbers(&stem),
            in_folders: numbers(&folders),
            name: name.display().to_string(),
            path,
            stem,
            version,
        }
    }

    pub(super) fn is_state(&self) -> bool {
        let words = words(&self.stem);
        let edges = [words.first(), words.last()];
        let lower = self.stem.to_lowercase();
        let mut names = ["optim_states", "random_states", "trainer_state"].iter();
        edges.into_iter().flatten().any(|word| is_in(STATE, word))
            || names.any(|name| lower.contains(name))
    }

    /// Whether it is named as one that is picked from a sequence: `best`, `last`, `ema` ….
    pub(super) fn is_picked(&self) -> bool {
        let folders = Path::new(&self.name).parent().unwrap_or(Path::new(""));
        let is_glued = |word: &str, picked| word.starts_with(picked) || word.ends_with(picked);
        let is_picked = |word: &String| {
            is_glued(word, "best") || is_glued(word, "latest") || is_in(PICKED, word)
        };
        words(&format!("{}/{}", folders.display(), self.stem))
            .iter()
            .any(is_picked)
    }
}

/// How many leading parts all paths have in common. A single file without a number keeps its folder where
/// that is a checkpoint's: `checkpoint-500/model.safetensors`, and not `data2024/model.pth`.
fn not_of_the_name(paths: &[PathBuf]) -> usize {
    let common = common_folders(paths.iter().map(PathBuf::as_path));
    let [only] = paths else {
        return common;
    };
    let numbered = !numbers(&split_version(stem(only)).0).is_empty();
    let folder = only.parent().and_then(Path::file_name);
    let words = words(&folder.unwrap_or_default().to_string_lossy());
    let counts = !numbered && words.iter().any(|word| is_in(COUNTED, word));
    common.saturating_sub(usize::from(counts))
}

fn is_in(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

/// The runs of letters, in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// `epoch=3-v2` is version 2 of `epoch=3`.
fn split_version(stem: String) -> (String, Option<i64>) {
    let version = stem.rsplit_once("-v").and_then(|(base, digits)| {
        let is_version = !base.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let version = digits.parse().ok().filter(|_| is_version)?;
        Some((base.to_owned(), Some(version)))
    });
    version.unwrap_or((stem, None))
}

/// The whole numbers in a name, last first. Numbers with a fraction or a negative power do not count, nor
/// does a total (`1000-of-2000`).
fn numbers(name: &str) -> Vec<Number> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut numbers = Vec::new();
    let mut rest = name;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let start = name.len() - from.len();
        let after = from.trim_start_matches(is_part);
        let token = from[..from.len() - after.len()].trim_end_matches('.');
        let small = after.strip_prefix("e-");
        rest = small.map_or(after, |power| power.trim_start_matches(is_part));
        let word = before.trim_matches(|c: char| !c.is_alphanumeric());
        let is_total = start > before.len() && word.eq_ignore_ascii_case("of");
        if token.contains('.') || small.is_some() || is_total {
            continue;
        }
        let mut after = after.chars();
        let factor = match (
            after.next(),
            after.as_str().starts_with(char::is_alphanumeric),
        ) {
            (Some('k' | 'K'), false) => 1_000,
            (Some('M'), false) => 1_000_000,
            _ => 1,
        };
        let is_negative = ["=-", "_-", ":-"].iter().any(|sign| before.ends_with(sign));
        let value = token.parse::<i64>().ok().filter(|_| !is_negative);
        numbers.push(Number {
            start,
            value: value.and_then(|value| value.checked_mul(factor)),
        });
    }
    numbers.reverse();
    numbers
}

/// The file's name without its ending; an ending of digits only is part of the name (`model.3`).
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_ascii_lowercase();
    let known = CHECKPOINTS
        .extensions
        .iter()
        .filter(|extension| lower.ends_with(&format!(".{extension}")))
        .map(|extension| extension.len() + 1)
        .max();
    let ending = known.or_else(|| {
        let (_, extension) = name.rsplit_once('.')?;
        let is_number = extension.bytes().all(|byte| byte.is_ascii_digit());
        (!is_number).then_some(extension.len() + 1)
    });
    name[..name.len() - ending.unwrap_or(0)].to_owned()
}

/// Whether the files' own names hold numbers, so that the folders below need not be searched.
pub(super) fn any_numbered(paths: &[PathBuf]) -> bool {
    let all = Candidate::all(paths.to_vec());
    all.iter()
        .any(|one| !one.in_stem.is_empty() && !one.is_picked() && !one.is_state())
}
