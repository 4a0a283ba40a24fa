//! Runs with event files, as TensorBoard finds them below a folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::error::CommandError;
use tensorboard_events::is_event_file;

/// A folder with event files, or one of these.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventRun {
    pub(super) path: PathBuf,
    /// In the order in which TensorBoard reads them.
    pub(super) files: Vec<PathBuf>,
}

/// The runs at a path: an event file, a run, or all runs below a folder, in order.
pub(super) fn event_runs(path: &Path) -> Result<Vec<EventRun>, CommandError> {
    if path.is_file() {
        return Ok(vec![EventRun {
            path: path.to_owned(),
            files: vec![path.to_owned()],
        }]);
    }
    let mut runs: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            // A link that leads nowhere, or back: TensorBoard passes it over too.
            Err(error) if error.depth() > 0 && leads_nowhere(&error) => continue,
            Err(source) => {
                let path = path.display();
                let text = format!("cannot look into {path}: check the path");
                return Err(CommandError::wrong_use(text).because(source));
            }
        };
        if entry.file_type().is_file() && is_event_file(entry.path()) {
            let folder = entry.path().parent().unwrap_or(path).to_owned();
            runs.entry(folder).or_default().push(entry.into_path());
        }
    }
    if runs.is_empty() {
        return Err(CommandError::wrong_use(format!(
            "no event file in {}: a run is a folder with a file whose name contains tfevents",
            path.display()
        )));
    }
    let run = |(path, files)| EventRun { path, files };
    Ok(runs.into_iter().map(run).collect())
}

fn leads_nowhere(error: &walkdir::Error) -> bool {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    error.loop_ancestor().is_some() || error.io_error().is_some_and(is_missing)
}
