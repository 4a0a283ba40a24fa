//! `vggscope train` on the crops of the demo.

mod classes;
mod interrupted;
mod kept;
mod lost;
mod refused;
mod settings;
mod written;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tensorboard_events::Value;

use crate::program::support::{Place, Ran, Seen, event_files, events_of, photo, root};

/// A network so narrow that a step takes a hundredth of a second; 6 steps an epoch.
const NARROW: &str = "train --arch vgg11_bn --width 0.1 --hidden 16 --resize 32 --crop 32 \
                      --batch-size 12 --layers conv1_1,pool5 --optimizer adamw --learning-rate 0.002";
/// Training images.
const IMAGES: usize = 72;
const STEPS_PER_EPOCH: usize = 6;

/// 24 crops of each of three photos, and 8 to validate with.
fn crops() -> PathBuf {
    root().join("tests/fixtures/crops")
}

/// The data set and the probe images.
fn data(folder: &Path) -> Vec<OsString> {
    vec![
        folder.into(),
        "--images".into(),
        photo("chelsea.png").into(),
        photo("coffee.png").into(),
    ]
}

/// Trains on the crops with further flags.
fn train(place: &Place, flags: &str) -> Ran {
    place.run(&format!("{NARROW} {flags}"), &data(&crops()))
}

/// Trains on another folder of `place`.
fn train_on(place: &Place, folder: &str, flags: &str) -> Ran {
    place.run(&format!("{NARROW} {flags}"), &data(&place.path(folder)))
}

/// All of a run, however many files it has.
fn run_of(place: &Place, run: &str) -> Vec<Seen> {
    events_of(&event_files(&place.path(run)))
}

/// A scalar's values by step. No step may be there twice.
fn scalars(seen: &[Seen], tag: &str) -> BTreeMap<i64, f32> {
    let mut values = BTreeMap::new();
    for one in seen.iter().filter(|one| one.tag == tag) {
        let Value::Scalar(value) = one.value else {
            panic!("{tag} is no scalar");
        };
        assert_eq!(
            values.insert(one.step, value),
            None,
            "{tag} twice at {}",
            one.step
        );
    }
    values
}

/// The step whose validation is the best: by accuracy, then by loss.
fn best_step(seen: &[Seen]) -> u64 {
    let (accuracies, losses) = (scalars(seen, "val/accuracy"), scalars(seen, "val/loss"));
    let best = accuracies
        .iter()
        .max_by(|(a, x), (b, y)| x.total_cmp(y).then(losses[b].total_cmp(&losses[a])));
    u64::try_from(*best.unwrap().0).unwrap()
}

/// Everything about a run that must be reproducible: all scalars but the speed.
fn course(seen: &[Seen]) -> BTreeMap<&str, BTreeMap<i64, f32>> {
    let curves: BTreeMap<&str, _> = seen
        .iter()
        .filter(|one| matches!(one.value, Value::Scalar(_)))
        .filter(|one| one.tag != "train/images_per_second")
        .map(|one| (one.tag.as_str(), scalars(seen, &one.tag)))
        .collect();
    assert!(curves.contains_key("train/loss"));
    curves
}

/// The files in a run's folder of checkpoints, sorted.
fn checkpoints(place: &Place, run: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.path(run).join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The steps of the checkpoints that are there, each with its three files.
fn saved_steps(place: &Place, run: &str) -> Vec<u64> {
    let names = checkpoints(place, run);
    let (groups, rest) = names.as_chunks::<3>();
    assert!(rest.is_empty(), "{names:?}");
    groups
        .iter()
        .map(|[optimizer, network, position]| {
            let step = network.strip_suffix(".safetensors").unwrap();
            assert_eq!(optimizer, &format!("{step}.optimizer"));
            assert_eq!(position, &format!("{step}.toml"));
            step.strip_prefix("step_").unwrap().parse().unwrap()
        })
        .collect()
}

/// The tensors of a checkpoint: name, shape, bytes.
fn network(place: &Place, file: &str) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(place.path(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}
