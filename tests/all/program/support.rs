//! Running the program and looking at what it left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use safetensors::SafeTensors;
use tempfile::TempDir;
use tensorboard_events::{Content, EventReader, Value};

/// A narrow VGG16 (3 to 6 channels a layer), so that a run takes milliseconds.
pub(crate) fn weights() -> PathBuf {
    root().join("tests/fixtures/vgg/vgg16.weights.safetensors")
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn photo(name: &str) -> PathBuf {
    root().join("photos").join(name)
}

/// The CPU backend of this build.
pub(crate) const CPU: &str = if cfg!(feature = "libtorch") {
    "libtorch:cpu"
} else {
    "flex"
};

/// The device under test.
pub(crate) fn test_device() -> String {
    std::env::var("VGGSCOPE_TEST_DEVICE").unwrap_or_else(|_| CPU.to_owned())
}

/// A folder to run in, and the device that the program runs on unless a test types another.
pub(crate) struct Place {
    folder: TempDir,
    device: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::on(test_device())
    }

    /// For tests that compare bytes: sums on a GPU may differ from run to run.
    pub(crate) fn on_cpu() -> Self {
        Self::on(CPU.to_owned())
    }

    fn on(device: String) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            device,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies a file into the folder.
    pub(crate) fn put(&self, from: &Path, name: &str) -> PathBuf {
        let to = self.path(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, &to).unwrap();
        to
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let to = self.path(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(&to, bytes).unwrap();
        to
    }

    /// Runs the program with the arguments in `line`, then `more`.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, line: &str, more: &[S]) -> Ran {
        self.run_with(line, more, |_| {})
    }

    pub(crate) fn run_with<S: AsRef<std::ffi::OsStr>>(
        &self,
        line: &str,
        more: &[S],
        set: impl FnOnce(&mut Command),
    ) -> Ran {
        let mut command = Command::from_std(self.command(line, more));
        set(&mut command);
        Ran::of(command.output().unwrap())
    }

    /// The program as [`run`](Self::run) starts it, not started yet.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(
        &self,
        line: &str,
        more: &[S],
    ) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vggscope"));
        let typed = |arg: &std::ffi::OsStr| arg.to_string_lossy().starts_with("--device");
        let takes_device = ["images", "checkpoints", "train"].map(Some);
        let mut args: Vec<&std::ffi::OsStr> = line.split_whitespace().map(AsRef::as_ref).collect();
        args.extend(more.iter().map(AsRef::as_ref));
        let device = format!("--device={}", self.device);
        if takes_device.contains(&line.split_whitespace().next())
            && !args.iter().any(|arg| typed(arg))
        {
            args.insert(1, device.as_ref());
        }
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("TORCH_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("VGGSCOPE_CACHE")
            .env_remove("VGGSCOPE_WEIGHTS_URL")
            .args(args);
        command
    }
}

/// The exit code and output of the program.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    /// Asserts that what it said of an error is in the book.
    pub(crate) fn of(output: Output) -> Self {
        super::book::assert_has_errors_of(&String::from_utf8_lossy(&output.stderr));
        Self(output)
    }

    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code(), 0, "{}{}", self.out(), self.err());
        self
    }

    /// Asserts the exit code, and one error line that contains all of `parts`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, parts: &[&str]) -> Self {
        let err = self.err();
        assert_eq!(self.code(), code, "{}{err}", self.out());
        let errors: Vec<&str> = err
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "not one error line: {err}");
        for part in parts {
            assert!(errors[0].contains(part), "no {part:?} in {err}");
        }
        assert!(!err.contains("panicked"), "{err}");
        self
    }
}

/// One value of an event file.
pub(crate) struct Seen {
    pub(crate) step: i64,
    pub(crate) tag: String,
    pub(crate) description: String,
    pub(crate) value: Value,
}

/// A run's event files, in the order in which TensorBoard reads them.
pub(crate) fn event_files(run: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("tfevents"))
        .collect();
    files.sort();
    files
}

/// Everything in the one event file of a run.
pub(crate) fn events(run: &Path) -> Vec<Seen> {
    let files = event_files(run);
    assert_eq!(files.len(), 1, "{files:?}");
    events_of(&files)
}

/// Everything in some event files.
pub(crate) fn events_of(files: &[PathBuf]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for event in files
        .iter()
        .flat_map(|file| EventReader::open(file).unwrap())
    {
        let event = event.unwrap();
        if let Content::Summaries(values) = event.content {
            seen.extend(values.into_iter().map(|value| Seen {
                step: event.step,
                tag: value.tag,
                description: value.description,
                value: value.value.unwrap(),
            }));
        }
    }
    seen
}

/// The tensors and the metadata of a safetensors file, whose order is not always the same.
pub(crate) fn content(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata: BTreeMap<_, _> = header.metadata().clone().unwrap().into_iter().collect();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let tensors: BTreeMap<_, _> = tensors.into_iter().collect();
    format!("{metadata:?} {tensors:?}")
}

/// The steps of a tag.
pub(crate) fn steps(seen: &[Seen], tag: &str) -> Vec<i64> {
    seen.iter()
        .filter(|one| one.tag == tag)
        .map(|one| one.step)
        .collect()
}

/// The groups of the scalars that every layer has.
const OF_LAYERS: [&str; 4] = ["range", "similarity", "health", "weight_change"];

/// What the tags of the data of figures end with.
pub(crate) const FIGURE: &str = ".figure";

/// The tags but those of layers' scalars, each once, sorted.
pub(crate) fn tags(seen: &[Seen]) -> Vec<String> {
    let mut tags: Vec<String> = seen.iter().map(|one| one.tag.clone()).collect();
    tags.retain(|tag| {
        !OF_LAYERS.contains(&tag.split('/').next().unwrap()) && !tag.ends_with(FIGURE)
    });
    tags.sort();
    tags.dedup();
    tags
}

/// An image of an event file: width, height, channels, pixels.
pub(crate) fn picture(seen: &[Seen], tag: &str, step: i64) -> (u32, u32, u8, Vec<u8>) {
    let one = seen
        .iter()
        .find(|one| one.tag == tag && one.step == step)
        .unwrap_or_else(|| panic!("no {tag} at {step}"));
    let Value::Image {
        width,
        height,
        pngs,
    } = &one.value
    else {
        panic!("{tag} is no image");
    };
    let (w, h, channels, pixels) = decode(&pngs[0]);
    assert_eq!((w, h), (*width, *height), "{tag}");
    (w, h, channels, pixels)
}

/// Decodes a PNG.
pub(crate) fn decode(png: &[u8]) -> (u32, u32, u8, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    // A palette becomes its colors.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    pixels.truncate(info.buffer_size());
    let channels = u8::try_from(info.color_type.samples()).unwrap();
    (info.width, info.height, channels, pixels)
}

/// The largest difference between two images of the same size, in gray levels.
#[track_caller]
pub(crate) fn levels_apart(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    differences.max().expect("an image without pixels")
}
