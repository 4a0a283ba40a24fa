//! Downloading one published file: resumed, verified, and only then renamed to its own name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use ureq::http::Response;
use ureq::{Agent, Body, Proxy};

use super::source::sha256;
use crate::durable;

/// Attempts at a download whose connection breaks off, as long as each brings something.
const ATTEMPTS: u32 = 5;

/// How long a process that waits for another's download sleeps.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

const PIECE: usize = 256 * 1024;

/// Timeout of a connection, of a response and of each read.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Called while a file arrives, with the bytes so far and the total if the server reported it.
/// Returning `false` ends the download; what has arrived is kept and resumed next time.
pub(crate) type ProgressCallback<'a> = dyn FnMut(u64, Option<u64>) -> bool + 'a;

#[derive(Debug, Error)]
pub(crate) enum DownloadError {
    #[error("no answer from the server")]
    Connection(#[source] Box<ureq::Error>),
    #[error("the server answered {0}")]
    Status(u16),
    /// More than once, after bytes that are kept.
    #[error("the connection broke off after {got} bytes; run it again to resume")]
    BrokeOff { got: u64, source: io::Error },
    /// The first digits of the hash of what arrived, and those in the file's name.
    #[error(
        "what arrived is not the file: its SHA-256 starts with {found}, not {expected}; it was deleted"
    )]
    WrongHash { expected: String, found: String },
    #[error("interrupted; run it again to resume")]
    Interrupted,
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Downloads `url` to `target`, through `target` + `.part`, unless another process does so first.
///
/// `digits` are the first hexadecimal digits of the file's SHA-256.
pub(super) fn fetch(
    url: &str,
    target: &Path,
    digits: &str,
    progress: &mut ProgressCallback<'_>,
) -> Result<(), DownloadError> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(writing(folder))?;
    }
    let lock = lock(&with_ending(target, ".lock"), progress)?;
    if target.is_file() {
        return Ok(());
    }
    // Without locks, nobody else may write into it.
    let path = match lock {
        Some(_) => with_ending(target, ".part"),
        None => durable::unfinished(target),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut part = Part {
        file: options.open(&path).map_err(writing(&path))?,
        failed: &writing(&path),
        progress,
    };
    part.transfer(url)?;
    let mut found = part.hash().map_err(writing(&path))?;
    drop(part);
    found.truncate(digits.len());
    if found != digits {
        fs::remove_file(&path).map_err(writing(&path))?;
        let expected = digits.to_owned();
        return Err(DownloadError::WrongHash { expected, found });
    }
    durable::rename(&path, target).map_err(writing(target))
}

/// Waits until no other process holds the lock on the file at `path`, and holds it. Next to the download, not
/// on it: that file is renamed, and whoever waited for its lock would hold the finished one. `None` where
/// the file system keeps no locks.
fn lock(path: &Path, progress: &mut ProgressCallback<'_>) -> Result<Option<File>, DownloadError> {
    let file = File::create(path).map_err(writing(path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if !progress(0, None) => {
                return Err(DownloadError::Interrupted);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_TRIES),
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn writing(path: &Path) -> impl Fn(io::Error) -> DownloadError {
    move |source| DownloadError::Write {
        path: path.to_owned(),
        source,
    }
}

struct Part<'a, 'p> {
    file: File,
    failed: &'a dyn Fn(io::Error) -> DownloadError,
    progress: &'a mut ProgressCallback<'p>,
}

impl Part<'_, '_> {
    /// Completes the file, whatever length it has.
    fn transfer(&mut self, url: &str) -> Result<(), DownloadError> {
        let agent = agent(url);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let have = self.file.seek(SeekFrom::End(0)).map_err(self.failed)?;
            let mut request = agent.get(url);
            if have > 0 {
                request = request.header("Range", format!("bytes={have}-"));
            }
            let answer = request
                .call()
                .map_err(|error| DownloadError::Connection(Box::new(error)))?;
            let range = content_range(&answer);
            let start = match answer.status().as_u16() {
                206 if range.is_some_and(|range| range.starts_with(&format!("{have}-"))) => have,
                200 => 0,
                // It is complete already, or too long.
                416 if have > 0 && range == Some(format!("*/{have}").as_str()) => return Ok(()),
                206 | 416 if have > 0 => {
                    self.file.set_len(0).map_err(self.failed)?;
                    continue;
                }
                status => return Err(DownloadError::Status(status)),
            };
            self.file.set_len(start).map_err(self.failed)?;
            self.file
                .seek(SeekFrom::Start(start))
                .map_err(self.failed)?;
            match self.append(answer.into_body(), start) {
                Err(DownloadError::BrokeOff { got, .. }) if got > start && attempt < ATTEMPTS => {}
                finished => return finished,
            }
        }
    }

    /// Appends `body` to the `start` bytes that have arrived.
    fn append(&mut self, mut body: Body, start: u64) -> Result<(), DownloadError> {
        let total = body.content_length().map(|rest| start + rest);
        let mut body = body.as_reader();
        let mut got = start;
        let mut buffer = vec![0; PIECE];
        loop {
            if !(self.progress)(got, total) {
                return Err(DownloadError::Interrupted);
            }
            let read = match body.read(&mut buffer) {
                Ok(0) if total > Some(got) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            let read = read.map_err(|source| DownloadError::BrokeOff { got, source })?;
            if read == 0 {
                return Ok(());
            }
            self.file.write_all(&buffer[..read]).map_err(self.failed)?;
            got += read as u64;
        }
    }

    fn hash(&mut self) -> io::Result<String> {
        self.file.rewind()?;
        sha256(&mut self.file)
    }
}

/// Uses the proxy of the environment, except for this machine itself.
fn agent(url: &str) -> Agent {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let is_here = here.iter().any(|here| url.starts_with(here));
    let proxy = if is_here { None } else { Proxy::try_from_env() };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .proxy(proxy)
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .timeout_per_read(Some(TIMEOUT))
        .user_agent(concat!("vggscope/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// `START-END/TOTAL`, or `*/TOTAL`.
fn content_range(answer: &Response<Body>) -> Option<&str> {
    let range = answer.headers().get("Content-Range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes ").map(str::trim)
}
