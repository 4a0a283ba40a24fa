//! `vggscope view`: TensorBoard with room for every step.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{CommandError, RunError};
use super::event_runs::event_runs;
use super::export::names::Names;
use super::tensorboard::{ALL_SAMPLES, samples_flag};
use crate::one_line::word_quoted;
use crate::settings::ViewSettings;

/// The plugins of what a run shows over its steps.
const PLUGINS: [&str; 5] = ["images", "text", "scalars", "histograms", "audio"];

/// Starts TensorBoard, waits for its end, and returns its exit code; or prints the command instead.
pub(crate) fn view(settings: &ViewSettings, print: fn(&str) -> u8) -> Result<u8, RunError> {
    let arguments = arguments(settings)?;
    let quoted = arguments.iter().map(|one| word_quoted(one));
    let command = format!("tensorboard {}", quoted.collect::<Vec<_>>().join(" "));
    if settings.print {
        return Ok(print(&(command + "\n")));
    }
    let Some((program, first)) = tensorboard() else {
        return Err(CommandError::failed(format!(
            "TensorBoard is not installed, neither as a program nor as a module of python3: python3 -m pip install tensorboard, then again; or anywhere else: {command}"
        ))
        .into());
    };
    let mut started = Command::new(&program);
    started.args(first).args(arguments);
    let failed = || CommandError::failed(format!("cannot start {}", program.display()));
    Ok(run(started).map_err(|source| failed().because(source))?)
}

/// The flags: where the runs are, and room for all of their steps.
fn arguments(settings: &ViewSettings) -> Result<Vec<String>, RunError> {
    let paths = settings.runs.as_slice();
    for path in paths {
        event_runs(path)?;
    }
    let samples = PLUGINS.map(|plugin| (plugin, ALL_SAMPLES));
    let mut arguments = match paths {
        [path] => vec!["--logdir".to_owned(), folder_of(path)],
        paths => vec!["--logdir_spec".to_owned(), specification(paths)?],
    };
    arguments.extend(["--samples_per_plugin".to_owned(), samples_flag(samples)]);
    arguments.extend(settings.flags.iter().cloned());
    Ok(arguments)
}

/// TensorBoard takes folders only. What begins with a dash would be a flag, and with a tilde a home folder.
fn folder_of(path: &Path) -> String {
    let folder = match path.parent().filter(|_| path.is_file()) {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    };
    // Without doubled slashes, which make an address behind a name.
    let folder: PathBuf = folder.components().collect();
    match folder.display().to_string() {
        text if text.starts_with(['-', '~']) => format!("./{text}"),
        text => text,
    }
}

/// Several folders, each with its name: `NAME:FOLDER`, separated by commas.
///
/// Source: `_parse_event_files_spec` of TensorBoard's `backend/event_processing/data_ingester.py`. A name ends at the
/// first colon and does not begin with a slash; a folder has no comma.
fn specification(paths: &[PathBuf]) -> Result<String, CommandError> {
    let mut names = Names::default();
    let mut all = Vec::new();
    for path in paths {
        let folder = folder_of(path);
        if folder.contains(',') {
            return Err(CommandError::wrong_use(format!(
                "{}: TensorBoard takes several runs only where no path has a comma: rename it, or name the folder that holds \
                 them all",
                path.display()
            )));
        }
        let plain = folder.trim_start_matches(['/', '.']).replace(':', "_");
        let plain = if plain.is_empty() { "run" } else { &plain };
        let name = names.claim(PathBuf::from(plain));
        all.push(format!("{}:{folder}", name.display()));
    }
    Ok(all.join(","))
}

/// The program and its first arguments: TensorBoard's own, or the module of a Python.
fn tensorboard() -> Option<(PathBuf, Vec<&'static str>)> {
    let path = env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| {
        let name = format!("{name}{}", env::consts::EXE_SUFFIX);
        env::split_paths(&path)
            .map(|folder| folder.join(&name))
            .find(|file| file.is_file())
    };
    if let Some(program) = find("tensorboard") {
        return Some((program, Vec::new()));
    }
    let has_module = |python: &PathBuf| {
        let mut check = Command::new(python);
        check
            .args(["-c", "import tensorboard.main"])
            .stdin(Stdio::null());
        check.output().is_ok_and(|ended| ended.status.success())
    };
    let pythons = ["python3", "python"].into_iter().filter_map(find);
    let python = pythons.into_iter().find(has_module)?;
    Some((python, vec!["-m", "tensorboard.main"]))
}

/// In the place of this process, so that Ctrl-C and signals are TensorBoard's.
#[cfg(unix)]
fn run(mut command: Command) -> io::Result<u8> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn run(mut command: Command) -> io::Result<u8> {
    let code = command.status()?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
