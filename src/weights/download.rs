//! Downloading one published file: resumed, verified, and only then renamed to its own name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use ureq::http::Response;
use ureq::{Agent, Body, Proxy};

use super::hash::sha256;
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
pub type ProgressCallback<'a> = dyn FnMut(u64, Option<u64>) -> bool + 'a;

/// Why a file could not be fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The connection failed.
    #[error("no answer from the server")]
    Connection(#[source] Box<ureq::Error>),
    /// The server responded with an error status.
    #[error("the server answered {0}")]
    Status(u16),
    /// The connection broke off too often.
    #[error("the connection broke off after {got} bytes; run it again to resume")]
    BrokeOff {
        /// Bytes that have arrived, and are kept.
        got: u64,
        /// How it broke off.
        #[source]
        source: io::Error,
    },
    /// What arrived is not the file.
    #[error(
        "what arrived is not the file: its SHA-256 starts with {found}, not {expected}; it was deleted"
    )]
    WrongHash {
        /// The digits in the file's name.
        expected: String,
        /// As many digits of what arrived.
        found: String,
    },
    /// The callback returned `false`.
    #[error("interrupted; run it again to resume")]
    Interrupted,
    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
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
    let part = match lock {
        Some(_) => with_ending(target, ".part"),
        None => with_ending(target, &format!(".{}.part", std::process::id())),
    };
    let failed = writing(&part);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&part).map_err(&failed)?;

    transfer(url, &mut file, progress, &failed)?;

    file.rewind().map_err(&failed)?;
    let mut found = sha256(&mut file).map_err(&failed)?;
    drop(file);
    found.truncate(digits.len());
    if found != digits {
        fs::remove_file(&part).map_err(&failed)?;
        return Err(DownloadError::WrongHash {
            expected: digits.to_owned(),
            found,
        });
    }
    durable::rename(&part, target).map_err(writing(target))
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

/// Makes the error of a failed write to `path`.
fn writing(path: &Path) -> impl Fn(io::Error) -> DownloadError {
    move |source| DownloadError::Write {
        path: path.to_owned(),
        source,
    }
}

/// Completes `file`, whatever length it has.
fn transfer(
    url: &str,
    file: &mut File,
    progress: &mut ProgressCallback<'_>,
    failed: &dyn Fn(io::Error) -> DownloadError,
) -> Result<(), DownloadError> {
    let agent = agent(url);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let have = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut request = agent.get(url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let answer = request
            .call()
            .map_err(|error| DownloadError::Connection(Box::new(error)))?;
        let start = match answer.status().as_u16() {
            206 if starts_at(&answer, have) => have,
            200 => 0,
            // It is complete already, or too long.
            416 if have > 0 && total(&answer) == Some(have) => return Ok(()),
            206 | 416 if have > 0 => {
                file.set_len(0).map_err(failed)?;
                continue;
            }
            status => return Err(DownloadError::Status(status)),
        };
        file.set_len(start).map_err(failed)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut body = answer.into_body();
        let whole = body.content_length().map(|rest| start + rest);
        match copy(&mut body.as_reader(), file, start, whole, progress, failed) {
            Err(DownloadError::BrokeOff { got, .. }) if got > start && attempt < ATTEMPTS => {}
            finished => return finished,
        }
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

/// `Content-Range: bytes START-END/TOTAL`, or `bytes */TOTAL`.
fn content_range(answer: &Response<Body>) -> Option<(&str, &str)> {
    let range = answer.headers().get("Content-Range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split_once('/')
}

fn starts_at(answer: &Response<Body>, start: u64) -> bool {
    let range = content_range(answer).and_then(|(range, _)| range.split_once('-'));
    range.is_some_and(|(first, _)| first.trim().parse() == Ok(start))
}

fn total(answer: &Response<Body>) -> Option<u64> {
    content_range(answer)?.1.trim().parse().ok()
}

/// Appends `body` to `file`, which has `start` bytes of the `whole`.
fn copy(
    body: &mut dyn Read,
    file: &mut File,
    start: u64,
    whole: Option<u64>,
    progress: &mut ProgressCallback<'_>,
    failed: &dyn Fn(io::Error) -> DownloadError,
) -> Result<(), DownloadError> {
    let mut got = start;
    let mut buffer = vec![0; PIECE];
    loop {
        if !progress(got, whole) {
            return Err(DownloadError::Interrupted);
        }
        let read = match body.read(&mut buffer) {
            Ok(0) if whole > Some(got) => Err(io::ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        let read = read.map_err(|source| DownloadError::BrokeOff { got, source })?;
        if read == 0 {
            return Ok(());
        }
        file.write_all(buffer.get(..read).unwrap_or_default())
            .map_err(failed)?;
        got += read as u64;
    }
}
