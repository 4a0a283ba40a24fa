//! What a path that leads nowhere was probably meant to be.

use std::path::{Path, PathBuf};

use super::find::{is_absent, is_hidden, parent};

/// Where runs are unless another folder is named.
const RUNS: &str = "runs";

/// From which likeness on (Jaro and Winkler's, 0 to 1) a name is taken for a misspelled one.
const LIKE: f64 = 0.85;

/// Whether nothing is there, not even a link.
pub(crate) fn is_missing(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|error| is_absent(&error))
}

/// What a path that leads nowhere was probably meant to be: a run by its name alone, else the most similar name in the
/// same folder, else that of a run.
pub(crate) fn meant(path: &Path) -> Option<PathBuf> {
    meant_here_or(path, Path::new(RUNS))
}

fn meant_here_or(path: &Path, runs: &Path) -> Option<PathBuf> {
    path.file_name()?;
    let run = runs.join(path);
    if run.exists() {
        return Some(run);
    }
    // Where there are no runs, what is called like their folder is not meant.
    similar(path).or_else(|| similar(&run).filter(|_| runs.exists()))
}

/// The path with its first part that is not there replaced by the most similar name.
fn similar(path: &Path) -> Option<PathBuf> {
    let is_part = |path: &&Path| !path.as_os_str().is_empty() && is_missing(path);
    let missing = path.ancestors().take_while(is_part).last()?;
    let wrong = missing.file_name()?.to_string_lossy().to_lowercase();
    let likeness = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &wrong);
    let entries = parent(missing).read_dir().ok()?.flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| !is_hidden(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| likeness(name) >= LIKE)
        .collect();
    names.sort();
    let nearest = names
        .iter()
        .rev()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    let place = missing.with_file_name(nearest);
    let rest = path.strip_prefix(missing).ok()?;
    let whole = place.join(rest);
    let is_whole = !rest.as_os_str().is_empty() && whole.exists();
    Some(if is_whole { whole } else { place })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_most_similar_name_in_the_folder_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("ckpts/seed0")).unwrap();
        for file in [
            "vgg16.pth",
            "vgg19.pth",
            "ckpts/seed0/last.pth",
            ".vgg16.pht",
        ] {
            fs::write(at(file), "").unwrap();
        }
        for (typed, found) in [
            ("vgg16.pht", Some("vgg16.pth")),
            ("vgg16", Some("vgg16.pth")),
            ("VGG19.pth", Some("vgg19.pth")),
            ("ckpt", Some("ckpts")),
            ("ckpt/seed0/last.pth", Some("ckpts/seed0/last.pth")),
            ("ckpt/seed1/last.pth", Some("ckpts")),
            ("ckpts/seed1", Some("ckpts/seed0")),
            ("photos", None),
            ("nosuch/vgg16.pth", None),
        ] {
            assert_eq!(meant(&at(typed)), found.map(at), "{typed}");
        }
    }

    #[test]
    fn a_run_is_meant_by_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("runs25/sweep")).unwrap();
        let runs = folder.path().join("runs");
        let found = |typed: &str| meant_here_or(Path::new(typed), &runs);
        assert_eq!(found("no/such"), None);
        fs::create_dir_all(runs.join("sweep12")).unwrap();
        assert_eq!(found("sweep12"), Some(runs.join("sweep12")));
        assert_eq!(found("no/such"), None);
        assert_eq!(found("swep12"), Some(runs.join("sweep12")));
    }
}
