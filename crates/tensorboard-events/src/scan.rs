//! How much of an event file stays when its run goes on from an earlier step, found without
//! reading its pictures.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, Take};
use std::path::Path;

use tensorboard_proto::event::{Event_oneof_what, SessionLog_SessionStatus as SessionStatus};

use super::event::FILE_VERSION;
use super::read::ReadError;
use super::record::{HEADER_SIZE, OVERHEAD, RecordError, RecordReader, data_length};
use super::wire::{self, What};

/// At the end of a file, where a power failure leaves records that never reached the disk, all of
/// them is read: at least the records in so many bytes.
const END: u64 = 16 << 20;

/// What stays of an event file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// Where it ends. Units: bytes.
    pub(super) length: u64,
    /// The model's graph is in it.
    pub(super) graph: bool,
}

/// What of the event file `source`, `length` bytes long, comes before the first record that is
/// truncated, damaged, or at `first_step` or later; `path` names it in errors.
///
/// The version and the beginnings of sessions stay whatever their step: they are no values. The
/// data of records is not read but at the end of what stays, so damage before that is not seen.
pub(super) fn kept(
    source: impl Read + Seek,
    path: &Path,
    length: u64,
    first_step: i64,
) -> Result<Kept, ReadError> {
    let mut pass = Pass::new(source, path, first_step);
    let (kept, end) = pass.before_first_step(length)?;
    let whole = pass.whole(end, kept.length)?;
    if whole == kept.length {
        return Ok(kept);
    }
    pass.before_first_step(whole).map(|(kept, _)| kept)
}

/// The steps of an event file's values, as far as it can be read.
pub(super) fn steps(source: impl Read + Seek, path: &Path, length: u64) -> BTreeSet<i64> {
    let mut pass = Pass::new(source, path, i64::MAX);
    let (mut steps, mut offset) = (BTreeSet::new(), 0);
    while let Ok(Some(passed)) = pass.pass(offset, length) {
        if offset > 0 && passed.what == What::Other {
            steps.insert(passed.step);
        }
        offset = passed.after;
    }
    steps
}

/// One record passed over.
#[derive(Debug)]
struct Passed {
    /// The next byte after it.
    after: u64,
    step: i64,
    what: What,
}

/// A way through the records of a file.
#[derive(Debug)]
pub(super) struct Pass<'a, R> {
    source: BufReader<R>,
    path: &'a Path,
    first_step: i64,
}

impl<'a, R: Read + Seek> Pass<'a, R> {
    pub(super) fn new(source: R, path: &'a Path, first_step: i64) -> Self {
        Self {
            source: BufReader::new(source),
            path,
            first_step,
        }
    }

    /// What stays of the first `length` bytes, and where a record begins from which it is [`END`]
    /// or a little more to the end of that.
    pub(super) fn before_first_step(&mut self, length: u64) -> Result<(Kept, u64), ReadError> {
        let mut kept = Kept::default();
        let (mut end, mut next_end) = (0, 0);
        while let Some(passed) = self.pass(kept.length, length)? {
            if passed.what != What::SessionLog && passed.step >= self.first_step && kept.length > 0
            {
                break;
            }
            if kept.length - next_end >= END {
                (end, next_end) = (next_end, kept.length);
            }
            kept.graph |= passed.what == What::Graph;
            kept.length = passed.after;
        }
        Ok((kept, end))
    }

    /// Passes over the record at `offset`, of a file of `length` bytes; `None` when there is no
    /// whole one.
    fn pass(&mut self, offset: u64, length: u64) -> Result<Option<Passed>, ReadError> {
        if offset == length {
            return Ok(None);
        }
        let io = |source| self::io(self.path, offset, source);
        let mut header = Vec::new();
        let mut beginning = Vec::new();
        go_to(&mut self.source, offset).map_err(io)?;
        self.part(HEADER_SIZE as u64)
            .read_to_end(&mut header)
            .map_err(io)?;
        let Ok(data) = data_length(&header, offset) else {
            // Where no record was before, nothing says that this is an event file at all.
            return if offset > 0 {
                Ok(None)
            } else {
                Err(self.foreign("something else"))
            };
        };
        let after = data.checked_add(offset + OVERHEAD as u64);
        let Some(after) = after.filter(|&after| after <= length) else {
            return Ok(None);
        };
        self.part(data.min(wire::BEGINNING))
            .read_to_end(&mut beginning)
            .map_err(io)?;
        let (step, what) = match wire::beginning(&beginning) {
            Some(told) if offset > 0 => told,
            _ => self.read(offset, after)?,
        };
        Ok(Some(Passed { after, step, what }))
    }

    fn part(&mut self, count: u64) -> Take<&mut BufReader<R>> {
        self.source.by_ref().take(count)
    }

    /// Reads all of the record from `offset` to `after`: its step, and what it is.
    fn read(&mut self, offset: u64, after: u64) -> Result<(i64, What), ReadError> {
        let path = self.path;
        go_to(&mut self.source, offset).map_err(|source| io(path, offset, source))?;
        let record = RecordReader::new(self.part(after - offset)).next();
        let data = match record {
            Some(Ok(data)) => data,
            Some(Err(RecordError::Io { source, .. })) => return Err(io(path, offset, source)),
            _ if offset == 0 => return Err(self.foreign("a damaged record")),
            // As in a record whose data is not read. At the end of the file it will be found.
            _ => return Ok((i64::MIN, What::Other)),
        };
        let event = wire::event(&data).map_err(|error| ReadError::Malformed {
            path: path.to_owned(),
            offset,
            source: error.into(),
        })?;
        if offset == 0 && event.get_file_version() != FILE_VERSION {
            return Err(ReadError::version(path, event.get_file_version()));
        }
        let what = match event.what {
            Some(Event_oneof_what::session_log(log)) if log.status == SessionStatus::START => {
                What::SessionLog
            }
            Some(Event_oneof_what::graph_def(_)) => What::Graph,
            _ => What::Other,
        };
        Ok((event.step, what))
    }

    /// Where the first record with damaged data begins, of those from `start` to `stop`; or `stop`.
    fn whole(&mut self, start: u64, stop: u64) -> Result<u64, ReadError> {
        let path = self.path;
        go_to(&mut self.source, start).map_err(|source| io(path, start, source))?;
        let mut records = RecordReader::new(self.part(stop - start));
        let damage = records.find_map(Result::err);
        let whole = start + records.offset();
        match damage {
            Some(RecordError::Io { source, .. }) => Err(io(path, whole, source)),
            _ => Ok(whole),
        }
    }

    fn foreign(&self, found: &str) -> ReadError {
        ReadError::Version {
            path: self.path.to_owned(),
            found: found.to_owned(),
        }
    }
}

/// Goes to a place in the file; what is in memory already is not read again.
fn go_to(source: &mut BufReader<impl Read + Seek>, place: u64) -> io::Result<()> {
    let at = source.stream_position()?;
    match place.checked_signed_diff(at) {
        Some(way) => source.seek_relative(way),
        None => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

fn io(path: &Path, offset: u64, source: io::Error) -> ReadError {
    ReadError::Record {
        path: path.to_owned(),
        source: RecordError::Io { offset, source },
    }
}
