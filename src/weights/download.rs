//! Fetching one published file: resumed, checked, and only then given its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use ureq::http::Response;
use ureq::{Agent, Body, Proxy};

use super::hash::sha256;

/// How often a connection that broke off is taken up again, if it brought anything.
const ATTEMPTS: u32 = 5;

/// Bytes written at a time.
const PIECE: usize = 256 * 1024;

/// How long to wait for a connection, and for an answer on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the caller is told while a file arrives: bytes so far, and of how many if the server
/// said so. Answering `false` ends the download; what has arrived is kept for the next time.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) -> bool + 'a;

/// Why a file could not be fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// No connection, or none that lasted.
    #[error("no answer from the server")]
    Connection(#[source] Box<ureq::Error>),
    /// The server has no such file, or another trouble.
    #[error("the server answered {0}")]
    Status(u16),
    /// The connection broke off too often.
    #[error("the connection broke off after {got} bytes; run it again to go on from there")]
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
    /// Another process holds the unfinished file.
    #[error("another vggscope is downloading it into {}", .0.display())]
    Busy(PathBuf),
    /// The caller ended it.
    #[error("interrupted; run it again to go on from there")]
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

/// Fetches `url` into `target` by way of `target` + `.part`.
///
/// `digits` are the first hexadecimal digits of the file's SHA-256.
pub(super) fn fetch(
    url: &str,
    target: &Path,
    digits: &str,
    progress: &mut Progress<'_>,
) -> Result<(), DownloadError> {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let failed = |source| DownloadError::Write {
        path: part.clone(),
        source,
    };
    if let Some(folder) = part.parent() {
        fs::create_dir_all(folder).map_err(|source| DownloadError::Write {
            path: folder.to_path_buf(),
            source,
        })?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&part)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(DownloadError::Busy(part)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }

    transfer(url, &mut file, progress, &failed)?;

    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let found: String = sha256(&mut file)
        .map_err(failed)?
        .chars()
        .take(digits.len())
        .collect();
    if found != digits {
        fs::remove_file(&part).map_err(failed)?;
        return Err(DownloadError::WrongHash {
            expected: digits.to_owned(),
            found,
        });
    }
    // The name must not appear before the bytes are safe.
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&part, target).map_err(|source| DownloadError::Write {
        path: target.to_path_buf(),
        source,
    })
}

/// Brings `file` from whatever length it has to its full one.
fn transfer(
    url: &str,
    file: &mut File,
    progress: &mut Progress<'_>,
    failed: &dyn Fn(io::Error) -> DownloadError,
) -> Result<(), DownloadError> {
    let agent = agent(url);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let have = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let answer = ask(&agent, url, have)?;
        let start = match answer.status().as_u16() {
            206 if starts_at(&answer, have) => have,
            200 => 0,
            // All of it is here already, or too much.
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
        match copy(&mut body.as_reader(), file, start, whole, progress) {
            Copied::All => return Ok(()),
            Copied::BrokeOff { got, source } => {
                if got == start || attempt == ATTEMPTS {
                    return Err(DownloadError::BrokeOff { got, source });
                }
            }
            Copied::Unwritable(error) => return Err(failed(error)),
            Copied::Interrupted => return Err(DownloadError::Interrupted),
        }
    }
}

/// Goes through the proxy that the environment names, but not to this machine itself.
fn agent(url: &str) -> Agent {
    let is_here = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|here| url.starts_with(here));
    let proxy = if is_here { None } else { Proxy::try_from_env() };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .proxy(proxy)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .user_agent(concat!("vggscope/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

fn ask(agent: &Agent, url: &str, have: u64) -> Result<Response<Body>, DownloadError> {
    let request = agent.get(url);
    let request = if have > 0 {
        request.header("Range", format!("bytes={have}-"))
    } else {
        request
    };
    request
        .call()
        .map_err(|error| DownloadError::Connection(Box::new(error)))
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

enum Copied {
    All,
    BrokeOff { got: u64, source: io::Error },
    Unwritable(io::Error),
    Interrupted,
}

fn copy(
    body: &mut dyn Read,
    file: &mut File,
    start: u64,
    whole: Option<u64>,
    progress: &mut Progress<'_>,
) -> Copied {
    let mut got = start;
    let mut buffer = vec![0; PIECE];
    loop {
        if !progress(got, whole) {
            return Copied::Interrupted;
        }
        let read = match body.read(&mut buffer) {
            Ok(0) if whole.is_some_and(|whole| got < whole) => {
                let source = io::ErrorKind::UnexpectedEof.into();
                return Copied::BrokeOff { got, source };
            }
            Ok(0) => return Copied::All,
            Ok(read) => read,
            Err(source) => return Copied::BrokeOff { got, source },
        };
        if let Err(error) = file.write_all(buffer.get(..read).unwrap_or_default()) {
            return Copied::Unwritable(error);
        }
        got += read as u64;
    }
}
