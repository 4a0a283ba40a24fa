//! Runs that are interrupted: their processes, what is typed afterwards, and what they leave.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use tensorboard_events::{Content, EventReader, Value};

use super::FAULTS;
use super::disk::{Call, Disk, Loss};
use crate::program::continued::put;
use crate::program::support::{Place, Ran, content, event_files, photo, root};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Images,
    Checkpoints,
    /// Of which an earlier process shows the first two.
    Continued,
    Followed,
    Parts,
    Training,
}

/// A run in which things go wrong.
pub(super) struct Torture {
    kind: Kind,
    place: Place,
    /// What it may leave in the end.
    expected: Vec<Values>,
}

/// One of its processes, as it is without a fault.
pub(super) struct Process {
    line: String,
    /// This line, and those after it.
    rest: Vec<String>,
    /// What is there before.
    before: Disk,
    pub(super) calls: Vec<Call>,
}

/// What a run holds: each tag's value at each step, and the files beside it.
#[derive(Default)]
struct Values {
    logged: BTreeMap<(String, i64), Value>,
    files: BTreeMap<PathBuf, String>,
    /// Values that are there twice or out of order, files that nobody finished.
    wrong: Vec<String>,
}

const SWEEP: &str = "checkpoints ckpts --images chelsea.png --compare-images crops/train/coffee --change \
                     --resize 64 --crop 64 --layers relu1_1,relu5_1";
const TRAINING: &str = "train crops --images chelsea.png --arch vgg11_bn --width 0.1 --hidden 16 --resize 32 --crop 32 \
                        --batch-size 12 --layers conv1_1,pool5 --steps 6 --save-every 2";

impl Torture {
    pub(super) fn new(kind: Kind) -> Self {
        let place = Place::on_cpu();
        for name in ["chelsea.png", "coffee.png"] {
            place.put(&photo(name), name);
        }
        for folder in ["train/chelsea", "train/coffee", "val/chelsea", "val/coffee"] {
            let crops = root().join("tests/fixtures/crops").join(folder);
            for crop in fs::read_dir(crops).unwrap().take(16) {
                let crop = crop.unwrap();
                let name = crop.file_name().into_string().unwrap();
                place.put(&crop.path(), &format!("crops/{folder}/{name}"));
            }
        }
        let mut torture = Self {
            kind,
            place,
            expected: Vec::new(),
        };
        if kind == Kind::Continued {
            // Where nothing is left of the first process, this is what comes.
            torture.put(1..=4);
            torture.expect("at_once");
            torture.put(1..=2);
            torture.run_all("whole");
        }
        torture.put(1..=4);
        torture.expect("whole");
        torture
    }

    /// The checkpoints that there are.
    fn put(&self, steps: std::ops::RangeInclusive<u8>) {
        // None yet at the beginning.
        let _ = fs::remove_dir_all(self.place.path("ckpts"));
        steps.for_each(|step| put(&self.place, step));
    }

    fn expect(&mut self, logdir: &str) {
        self.run_all(logdir);
        let values = self.values(logdir);
        assert!(values.logged.len() > 20, "{:?}", values.logged.keys());
        assert!(values.wrong.is_empty(), "{:?}", values.wrong);
        self.expected.push(values);
    }

    fn run_all(&self, logdir: &str) {
        self.lines(logdir)
            .iter()
            .for_each(|line| drop(self.run(line).ok()));
    }

    fn run(&self, line: &str) -> Ran {
        self.place.run::<&str>(line, &[])
    }

    /// What is typed, a line a process.
    fn lines(&self, logdir: &str) -> Vec<String> {
        // Absolute, as `faults.c` wants it.
        let logdir = self.place.path(logdir);
        let logdir = logdir.display();
        let to = format!("--logdir {logdir} --run a");
        let sweep = |more: &str| format!("{SWEEP} {more} {to}");
        match self.kind {
            Kind::Images => {
                let weights = "--weights ckpts/epoch_1.safetensors --resize 64 --crop 64";
                vec![format!("images chelsea.png coffee.png {weights} {to}")]
            }
            Kind::Checkpoints | Kind::Continued => vec![sweep("")],
            Kind::Followed => vec![sweep("--follow=200ms")],
            Kind::Parts => vec![
                sweep("--shard 0/2"),
                sweep("--shard 1/2"),
                format!("merge {logdir}/a"),
            ],
            Kind::Training => vec![format!("{TRAINING} {to}")],
        }
    }

    fn faulty(&self) -> PathBuf {
        self.place.path("faulty")
    }

    /// Every process as it is without a fault, each where those before it were.
    pub(super) fn processes(&self) -> Vec<Process> {
        fs::create_dir(self.faulty()).unwrap();
        if self.kind == Kind::Continued {
            self.put(1..=2);
            self.run_all("faulty");
            self.put(1..=4);
        }
        let lines = self.lines("faulty");
        let process = |(at, line): (usize, &String)| {
            let before = Disk::of(&self.faulty());
            let journal = self.place.path(&format!("journal_{at}"));
            self.run_with_faults(line, &[("FAULTS_JOURNAL", journal.to_str().unwrap())])
                .ok();
            let calls = Call::read(&journal);
            // There are no calls that were not seen.
            let mut disk = before.clone();
            for call in &calls {
                disk.apply(call);
            }
            disk.assert_is_there();
            // That it ended well says that nothing of it can be lost.
            let lost = disk.unsynced();
            assert!(lost.is_empty(), "{line}: {lost:?}");
            Process {
                line: line.clone(),
                rest: lines[at..].to_owned(),
                before,
                calls,
            }
        };
        lines.iter().enumerate().map(process).collect()
    }

    fn run_with_faults(&self, line: &str, set: &[(&str, &str)]) -> Ran {
        self.place.run_with::<&str>(line, &[], |command| {
            command.env("LD_PRELOAD", &*FAULTS);
            command.env("FAULTS_FOLDER", self.faulty());
            command.envs(set.iter().copied());
        })
    }

    /// What is wrong after a call of a process failed, or was its last.
    pub(super) fn fault(&self, process: &Process, at: usize, mode: &str) -> Vec<String> {
        process.before.restore(Loss::All);
        let set = [("FAULTS_AT", &*at.to_string()), ("FAULTS_MODE", mode)];
        let ran = self.run_with_faults(&process.line, &set);
        let err = ran.err();
        let errors = err.lines().filter(|line| line.starts_with("error: "));
        let is_one_line = errors.count() == 1 && !err.contains("panick");
        let is_killed = mode.starts_with("kill");
        match ran.0.status.code() {
            // Writing in groups of a second, it may make fewer calls than it did. Some may fail.
            Some(0) if process.rest.len() == 1 => return self.differences(),
            Some(0) => {}
            None if is_killed && ran.0.status.signal() == Some(9) => {}
            Some(1) if !is_killed && is_one_line => {}
            _ => return vec![format!("{}: {err}", ran.0.status)],
        }
        self.again(process)
    }

    /// What is wrong after the power was lost behind so many calls of a process.
    pub(super) fn power_loss(&self, process: &Process, calls: usize, loss: Loss) -> Vec<String> {
        let mut disk = process.before.clone();
        process.calls[..calls]
            .iter()
            .for_each(|call| disk.apply(call));
        disk.restore(loss);
        self.again(process)
    }

    /// What is wrong once the rest was typed again.
    fn again(&self, process: &Process) -> Vec<String> {
        if self.kind == Kind::Images {
            // These are not resumed. What is there is right.
            return self.values("faulty").others(&self.expected[0]);
        }
        for line in &process.rest {
            let config = self.faulty().join("a/config.toml");
            let line = match self.kind {
                Kind::Training if config.exists() => {
                    format!("train --config {} --resume", config.display())
                }
                _ => line.clone(),
            };
            let ran = self.run(&line);
            if ran.code() != 0 {
                return vec![format!("again: {}: {}", ran.0.status, ran.err())];
            }
        }
        self.differences()
    }

    fn differences(&self) -> Vec<String> {
        let found = self.values("faulty");
        let of = |expected| found.differences(expected);
        let all = self.expected.iter().map(of);
        all.min_by_key(Vec::len).unwrap()
    }

    fn values(&self, logdir: &str) -> Values {
        let run = self.place.path(logdir).join("a");
        let mut all = Values::default();
        if run.exists() {
            all.add_values(&run, |tag| self.is_repeatable(tag));
            // What `images` left is not resumed, and so not cleared.
            all.add_files(&run, &run, self.kind == Kind::Images);
        }
        all
    }

    /// Whether two runs have the same values of a tag.
    fn is_repeatable(&self, tag: &str) -> bool {
        let is_any = |of: &[&str]| of.iter().any(|start| tag.starts_with(start));
        // It names the run.
        if tag == "config"
            || is_any(&["timings/", "_hparams_/"])
            || tag.ends_with("images_per_second")
        {
            return false;
        }
        // A training that goes on shows its input again, and looked at other steps' maps over time.
        let of_process = is_any(&["Overview/", "input/", "evolution/"]);
        let of_steps = tag.starts_with("health/") && tag.matches('/').count() == 1;
        !(self.kind == Kind::Training && (of_process || of_steps))
    }
}

impl Values {
    fn add_values(&mut self, run: &Path, is_wanted: impl Fn(&str) -> bool) {
        let files = event_files(run);
        let mut last = BTreeMap::new();
        let events = files
            .iter()
            .flat_map(|file| EventReader::open(file).unwrap());
        // What a kill left may end within a record. The values before it count.
        for event in events.map_while(Result::ok) {
            let Content::Summaries(values) = event.content else {
                continue;
            };
            for one in values.into_iter().filter(|one| is_wanted(&one.tag)) {
                let key = (one.tag.clone(), event.step);
                let before = last.insert(one.tag, event.step);
                if before.is_some_and(|before| before >= event.step) {
                    self.wrong.push(format!("twice or out of order: {key:?}"));
                }
                self.logged.insert(key, one.value.unwrap());
            }
        }
    }

    fn add_files(&mut self, run: &Path, folder: &Path, may_be_unfinished: bool) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(run).unwrap().to_owned();
            let is_unfinished = path.to_string_lossy().contains(".part");
            if path.is_dir() {
                // Of which the run is made.
                if !path
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("part-")
                {
                    self.add_files(run, &path, may_be_unfinished);
                }
            } else if is_unfinished && !may_be_unfinished {
                self.wrong.push(format!("left: {}", path.display()));
            } else if path.ends_with("ranges.toml") {
                self.files.insert(name, fs::read_to_string(path).unwrap());
            } else if path.ends_with("bases.safetensors")
                || folder.ends_with("grams") && !is_unfinished
            {
                self.files.insert(name, content(&path));
            }
        }
    }

    fn differences(&self, expected: &Self) -> Vec<String> {
        let mut all = self.others(expected);
        all.extend(lack("values", &self.logged, &expected.logged));
        all.extend(lack("files", &self.files, &expected.files));
        all
    }

    /// What is wrong with what is there.
    fn others(&self, expected: &Self) -> Vec<String> {
        let mut all = self.wrong.clone();
        all.extend(others("values", &self.logged, &expected.logged));
        all.extend(others("files", &self.files, &expected.files));
        all
    }
}

fn lack<K: Ord + Debug, V>(
    what: &str,
    found: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
) -> Option<String> {
    let all = expected.keys().filter(|key| !found.contains_key(key));
    some_of(&format!("{what} are not there"), &all.collect::<Vec<_>>())
}

fn others<K: Ord + Debug, V: PartialEq>(
    what: &str,
    found: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
) -> Option<String> {
    let all = found
        .iter()
        .filter(|(key, value)| expected.get(key) != Some(value));
    some_of(
        &format!("{what} are others"),
        &all.map(|(key, _)| key).collect::<Vec<_>>(),
    )
}

fn some_of<T: Debug>(what: &str, all: &[T]) -> Option<String> {
    let first = all.first()?;
    Some(format!("{} {what}, {first:?} is the first", all.len()))
}
