//! What an earlier process logged of a training that is resumed.

use std::collections::HashMap;
use std::path::Path;

use burn::train::metric::store::Split;
use tensorboard_events::{Content, EventReader, ReadError, Value, event_files};

use super::{EPOCH, LearnerError, Whole};

#[derive(Debug, Default)]
pub(super) struct Earlier {
    pub(super) step: i64,
    pub(super) epochs: HashMap<Whole, f64>,
}

struct Point {
    tag: String,
    step: i64,
    value: f64,
}

impl Earlier {
    pub(super) fn read(folder: &Path, checkpoint: usize) -> Result<Self, LearnerError> {
        let points = points(folder)?;
        let ends = points.iter().filter(|point| point.tag == EPOCH);
        // From the last one back: a run that was resumed may have a number twice until it is cut.
        let steps: HashMap<usize, i64> = ends.map(|end| (number(end.value), end.step)).collect();
        let Some(&step) = steps.get(&checkpoint) else {
            return Err(LearnerError::NoEpoch {
                folder: folder.to_owned(),
                expected: checkpoint,
                last: steps.keys().copied().max().unwrap_or_default(),
            });
        };
        let epoch_at: HashMap<i64, usize> =
            steps.into_iter().map(|(epoch, at)| (at, epoch)).collect();
        let mut epochs = HashMap::new();
        for point in points.into_iter().filter(|point| point.step <= step) {
            if let Some(&epoch) = epoch_at.get(&point.step)
                && let Some((split, name)) = of_epoch(&point.tag)
            {
                let name = name.to_owned();
                epochs.insert(Whole { split, name, epoch }, point.value);
            }
        }
        Ok(Self { step, epochs })
    }
}

/// Whose value of a whole epoch a tag has.
fn of_epoch(tag: &str) -> Option<(Split, &str)> {
    let trained = tag
        .strip_prefix("train/")
        .and_then(|tag| tag.strip_suffix("/epoch"));
    let trained = trained.map(|name| (Split::Train, name));
    trained.or_else(|| Some((Split::Valid, tag.strip_prefix("valid/")?)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number of an epoch, which was written as such"
)]
fn number(value: f64) -> usize {
    value as usize
}

/// Values of batches are not: there may be millions.
fn is_needed(tag: &str) -> bool {
    tag == EPOCH || of_epoch(tag).is_some()
}

fn points(folder: &Path) -> Result<Vec<Point>, LearnerError> {
    let files =
        event_files(folder).map_err(|error| LearnerError::Folder(folder.to_owned(), error))?;
    let mut points = Vec::new();
    for file in files {
        for event in EventReader::open(&file)? {
            let event = match event {
                Ok(event) => event,
                // The end of a killed process, which resuming cuts off.
                Err(ReadError::Record { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            if let Content::Summaries(values) = event.content {
                points.extend(
                    values
                        .into_iter()
                        .filter_map(|summary| match summary.value {
                            Some(Value::Scalar(value)) if is_needed(&summary.tag) => Some(Point {
                                tag: summary.tag,
                                step: event.step,
                                value: value.into(),
                            }),
                            _ => None,
                        }),
                );
            }
        }
    }
    Ok(points)
}
