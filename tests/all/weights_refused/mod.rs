//! Weights files that must be refused: each with one line that names the file, the cause and the
//! way out, and none with a panic or a command run.

mod damaged;
mod formats;
mod hostile;
mod others;

use std::fs;
use std::path::{Path, PathBuf};

use vggscope::weights::{WeightsError, WeightsFile};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

#[track_caller]
fn refused(path: &Path) -> WeightsError {
    match WeightsFile::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n'), "{text}");
            assert!(text.starts_with(&path.display().to_string()), "{text}");
            error
        }
    }
}

/// The message for a file of the fixtures.
#[track_caller]
fn message(name: &str) -> String {
    refused(&fixture(name)).to_string()
}

/// The message for a file of these bytes.
#[track_caller]
fn message_for(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    fs::write(&path, bytes).unwrap();
    refused(&path).to_string()
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}
