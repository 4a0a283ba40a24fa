//! What an event file remembers of its tags, and which steps may follow.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::record::MESSAGE_LIMIT;
use crate::summary::{Summary, Value};

/// Why a step is not written: unless a write failed, the file is as it was and can go on with others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// TensorBoard drops a tag's later steps when an earlier one comes after them.
    #[error("tag `{tag}` is at step {last} already, expected a later step")]
    NotAfter {
        /// The tag.
        tag: String,
        /// The tag's last step in the file.
        last: i64,
    },
    /// The file goes on with a run from a later step on.
    #[error("the run is resumed from step {0}, expected that step or a later one")]
    BeforeFirst(i64),
    /// TensorBoard looks at the first value of such a tag only.
    #[error("tag `{0}` has been written already, expected it once a run")]
    Again(String),
    /// One step holds two values of one tag.
    #[error("tag `{0}` has two values, expected one per step; use two tags")]
    TagTwice(String),
    /// A tag's first value decides which plugin shows it.
    #[error("tag `{tag}` has {expected}, found {found}; choose another tag")]
    KindChanged {
        /// The tag.
        tag: String,
        /// The plugin of the tag's first value.
        expected: String,
        /// The plugin of this value.
        found: String,
    },
    /// The summary is longer than a record may be: it holds too many or too large pictures.
    #[error("tag `{tag}` has {bytes} bytes, expected at most {MESSAGE_LIMIT}")]
    TooLarge {
        /// The tag.
        tag: String,
        /// The length of the summary.
        bytes: u64,
    },
    /// The system did not write it.
    #[error("the file ends with the step before, and takes no more")]
    Write(#[source] io::Error),
    /// The system did not write it, and a part of it may be in the file.
    #[error(
        "the file cannot be truncated to its {whole} valid bytes ({truncate}), and takes no more"
    )]
    WriteAndTruncate {
        /// Where the last whole step ends. Units: bytes.
        whole: u64,
        /// Why the file could not be truncated.
        truncate: io::Error,
        /// Why the step could not be written.
        source: io::Error,
    },
    /// An earlier step could not be written, so that no later one may follow it.
    #[error("an earlier write to the file failed")]
    Refused,
}

#[derive(Debug)]
pub(crate) struct SeriesBook {
    series: HashMap<String, Series>,
    first_step: i64,
}

#[derive(Debug)]
struct Series {
    last_step: i64,
    plugin: String,
}

impl SeriesBook {
    pub(crate) fn from_step(first_step: i64) -> Self {
        Self {
            series: HashMap::new(),
            first_step,
        }
    }

    pub(crate) fn check(&self, step: i64, summaries: &[Summary]) -> Result<(), StepError> {
        if step < self.first_step {
            return Err(StepError::BeforeFirst(self.first_step));
        }
        let mut tags = HashSet::with_capacity(summaries.len());
        for summary in summaries {
            let (tag, found) = (summary.tag.clone(), summary.value.plugin());
            let bytes = summary.size_hint();
            return Err(match self.series.get(&tag) {
                _ if bytes > MESSAGE_LIMIT => StepError::TooLarge { tag, bytes },
                _ if !tags.insert(&summary.tag) => StepError::TagTwice(tag),
                Some(_) if matches!(summary.value, Value::Hparams(_) | Value::Layout(_)) => {
                    StepError::Again(tag)
                }
                Some(&Series { last_step, .. }) if step <= last_step => StepError::NotAfter {
                    tag,
                    last: last_step,
                },
                Some(Series { plugin, .. }) if plugin != found => StepError::KindChanged {
                    tag,
                    expected: plugin.clone(),
                    found: found.to_owned(),
                },
                _ => continue,
            });
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, step: i64, summary: &Summary) -> bool {
        let series = Series {
            last_step: step,
            plugin: summary.value.plugin().to_owned(),
        };
        self.series.insert(summary.tag.clone(), series).is_none()
    }
}
