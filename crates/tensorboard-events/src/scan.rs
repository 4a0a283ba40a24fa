//! How much of an event file stays when its run goes on from an earlier one, found without reading its pictures.

use std::io::{BufReader, Read, Seek};
use std::path::Path;

use tensorboard_proto::event::{Event_oneof_what, SessionLog_SessionStatus as SessionStatus};

use crate::decode::{self, What};
use crate::read::{EventReader, ReadError};
use crate::record::{Damage, RecordError};

/// At the end of a file, where a power failure leaves records that never reached the disk, all of them is read: at
/// least the records in so many bytes.
const END: u64 = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kept {
    pub(crate) length: u64,
    pub(crate) graph: bool,
}

/// What of the event file `source`, `length` bytes long, comes before the first record that is truncated, damaged, or
/// at `first_step` or later; `path` names it in errors.
///
/// The version and the beginnings of sessions stay whatever their step: they are no values. The data of records is
/// not read but at the end of what stays, so damage before that is not seen.
pub(crate) fn kept(
    source: impl Read + Seek,
    path: &Path,
    length: u64,
    first_step: i64,
) -> Result<Kept, ReadError> {
    let mut events = EventReader::new(BufReader::new(source), path);
    let before = events.before(first_step, length)?;
    let length = events.whole(before.end, before.length)?;
    let graph = before.graph.is_some_and(|offset| offset < length);
    Ok(Kept { length, graph })
}

#[derive(Debug, Default)]
pub(crate) struct Before {
    pub(crate) length: u64,
    /// Where a record begins from which it is [`END`] or a little more to there.
    pub(crate) end: u64,
    graph: Option<u64>,
}

impl<R: Read + Seek> EventReader<R> {
    pub(crate) fn before(&mut self, first_step: i64, length: u64) -> Result<Before, ReadError> {
        let mut before = Before::default();
        let mut next_end = 0;
        loop {
            let offset = self.records.offset();
            let Some((step, what)) = self.pass(length)? else {
                break;
            };
            if what != What::SessionLog && step >= first_step && offset > 0 {
                break;
            }
            if offset - next_end >= END {
                (before.end, next_end) = (next_end, offset);
            }
            if what == What::Graph {
                before.graph.get_or_insert(offset);
            }
            before.length = self.records.offset();
        }
        Ok(before)
    }

    fn pass(&mut self, length: u64) -> Result<Option<(i64, What)>, ReadError> {
        let offset = self.records.offset();
        let beginning = match self.records.pass_over(decode::BEGINNING, length) {
            Ok(Some(beginning)) => beginning,
            Err(error) if error.is_io() => return Err(self.damaged(error)),
            Err(error) if matches!(error.damage, Damage::Nul) => return Ok(None),
            // Where no record was before, nothing says that this is an event file at all.
            Err(_) if offset == 0 => return Err(self.foreign("something else")),
            Ok(None) | Err(_) => return Ok(None),
        };
        match decode::beginning(&beginning) {
            Some(found) if offset > 0 => Ok(Some(found)),
            _ => self.read_passed(offset).map(Some),
        }
    }

    /// Reads all of the record at `offset`, which was passed over: its step, and what it is.
    fn read_passed(&mut self, offset: u64) -> Result<(i64, What), ReadError> {
        let after = self.records.offset();
        self.seek(offset)?;
        let data = match self.records.next() {
            Some(Ok(data)) => data,
            Some(Err(error)) if error.is_io() => return Err(self.damaged(error)),
            _ if offset == 0 => return Err(self.foreign("a damaged record")),
            // As in a record whose data is not read. At the end of the file it will be found.
            _ => return self.seek(after).map(|()| (i64::MIN, What::Other)),
        };
        self.step_and_content(offset, &data)
    }

    fn step_and_content(&self, offset: u64, data: &[u8]) -> Result<(i64, What), ReadError> {
        let event = self.parse(offset, data)?;
        let what = match event.what {
            Some(Event_oneof_what::session_log(log)) if log.status == SessionStatus::START => {
                What::SessionLog
            }
            Some(Event_oneof_what::graph_def(_)) => What::Graph,
            _ => What::Other,
        };
        Ok((event.step, what))
    }

    /// The data of the next record behind the version, and what it is; `None` at the end.
    pub(crate) fn next_record(&mut self) -> Result<Option<(Vec<u8>, What)>, ReadError> {
        let offset = self.records.offset();
        let Some(data) = self.records.next() else {
            return Ok(None);
        };
        let data = data.map_err(|error| self.damaged(error))?;
        if offset == 0 {
            self.step_and_content(offset, &data)?;
            return self.next_record();
        }
        let (_, what) = match decode::beginning(&data) {
            Some(found) => found,
            None => self.step_and_content(offset, &data)?,
        };
        Ok(Some((data, what)))
    }

    /// Where the first record with damaged data begins, of those from `start` to `stop`; or `stop`.
    fn whole(&mut self, start: u64, stop: u64) -> Result<u64, ReadError> {
        self.seek(start)?;
        while self.records.offset() < stop {
            match self.records.next() {
                Some(Ok(_)) => {}
                Some(Err(error)) if error.is_io() => return Err(self.damaged(error)),
                _ => break,
            }
        }
        Ok(self.records.offset())
    }

    fn seek(&mut self, offset: u64) -> Result<(), ReadError> {
        let done = self.records.go_to(offset).map_err(Damage::Io);
        done.map_err(|damage| self.damaged(RecordError { offset, damage }))
    }
}
