//! How checkpoints become networks.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::open::{NextCheckpoint, OpenCheckpoint, ShownNetwork};
use super::setup::CheckpointRun;
use crate::commands::context::kernel_layout;
use crate::commands::error::{CommandError, RunError};
use crate::commands::parameters::hashed_label;
use crate::data::checkpoints::Checkpoint;
use crate::data::on_error::OnError;
use crate::device::{OpenDevice, caught};
use crate::logger::{Stage, StageTimings};
use crate::network::{Kernels, Layer, Network, Placement};
use crate::state::Entry;
use crate::weights::WeightsFile;

/// A checkpoint whose network is on the device.
pub(super) struct LoadedCheckpoint {
    pub(super) path: PathBuf,
    pub(super) network: Box<dyn Network>,
    pub(super) timings: StageTimings,
    pub(super) entry: Entry,
}

pub(super) struct FailedCheckpoint {
    pub(super) file: Checkpoint,
    pub(super) why: RunError,
}

pub(super) struct LoadedNetwork<'a> {
    pub(super) file: &'a Checkpoint,
    pub(super) network: Box<dyn Network>,
}

/// Loads the networks of a run.
pub(super) struct Loader {
    key: Option<String>,
    shown: ShownNetwork,
    wanted: Vec<Layer>,
    device: OpenDevice,
    kernels: Kernels,
}

impl CheckpointRun<'_> {
    pub(super) fn loader(&self) -> Loader {
        let pass = &self.context.pass;
        Loader {
            key: self.settings.run.network.weights_key.clone(),
            shown: self.network.clone(),
            wanted: pass.wanted.clone(),
            device: pass.device().clone(),
            kernels: kernel_layout(pass.device(), self.images),
        }
    }

    /// What the weights are called in descriptions: the first checkpoint that is shown stands for all.
    pub(super) fn label(
        &self,
        loader: &Loader,
    ) -> Result<impl FnOnce() -> String + Send + 'static, RunError> {
        let file = &self.sequence[self.network.first];
        let first = loader.open(file)?;
        let (count, name) = (self.sequence.len(), &file.name);
        let label = format!("the first of {count} checkpoints is {name}");
        let network = &self.settings.run.network;
        Ok(hashed_label(label, network, move || first.weights.sha256()))
    }
}

impl Loader {
    fn build(&self, weights: &WeightsFile) -> Result<Box<dyn Network>, RunError> {
        let model = &self.shown.model;
        let held = model.architecture(weights)?;
        if held.input_channels() != self.shown.held.input_channels() {
            return Err(CommandError::failed(format!(
                "{}: the first checkpoint takes color images and this one gray ones, or the reverse: show them in runs of their own",
                weights.path().display()
            ))
            .into());
        }
        self.shown.network.check(weights)?;
        let place = Placement {
            device: &self.device.device,
            kernels: self.kernels,
        };
        Ok(model.build(weights, &self.wanted, place)?)
    }

    pub(super) fn open(&self, file: &Checkpoint) -> Result<OpenCheckpoint, RunError> {
        OpenCheckpoint::open(file, &self.shown.model, self.key.as_deref())
    }

    pub(super) fn network(&self, file: &Checkpoint) -> Result<Box<dyn Network>, RunError> {
        self.build(&self.open(file)?.weights)
    }

    /// The checkpoint at a place, or where checkpoints that cannot be read are skipped, before it.
    pub(super) fn nearest<'a>(
        &self,
        sequence: &'a [Checkpoint],
        place: usize,
        on_error: OnError,
    ) -> Result<Option<LoadedNetwork<'a>>, RunError> {
        for file in sequence.iter().take(place + 1).rev() {
            match self.network(file) {
                Ok(network) => return Ok(Some(LoadedNetwork { file, network })),
                Err(error) if on_error == OnError::Stop => return Err(error),
                // It is skipped, and said so, when its step comes.
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn load(&self, next: NextCheckpoint) -> Result<LoadedCheckpoint, Box<FailedCheckpoint>> {
        let NextCheckpoint { file, opened } = next;
        let mut timings = StageTimings::default();
        let load = || {
            let load = || {
                let open = match opened.transpose()? {
                    Some(open) if open.is_current() => open,
                    _ => self.open(&file)?,
                };
                let network = self.build(&open.weights)?;
                Ok::<_, RunError>((open, network))
            };
            let (open, network) = timings.time(Stage::Load, load)?;
            Ok((network, open.entry(&file)?))
        };
        let loaded = caught(load).unwrap_or_else(|source| {
            let text = format!("{}: loading it failed", file.path.display());
            Err(CommandError::failed(text).because(source).into())
        });
        match loaded {
            Ok((network, entry)) => Ok(LoadedCheckpoint {
                path: file.path,
                network,
                timings,
                entry,
            }),
            Err(why) => Err(Box::new(FailedCheckpoint { file, why })),
        }
    }

    /// Loads checkpoints in order on a thread of its own, one ahead of the receiver.
    pub(super) fn load_ahead(
        self,
        sequence: impl Iterator<Item = NextCheckpoint> + Send + 'static,
    ) -> Receiver<Result<LoadedCheckpoint, Box<FailedCheckpoint>>> {
        ahead(sequence.map(move |next| self.load(next)))
    }
}

/// Runs what gives checkpoints on a thread of its own. Where it panics, that is the last that comes.
fn ahead<T: Send + 'static>(
    mut loaded: impl Iterator<Item = Result<T, Box<FailedCheckpoint>>> + Send + 'static,
) -> Receiver<Result<T, Box<FailedCheckpoint>>> {
    // No place to wait in: the thread itself holds the next network.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        // Until the receiver stops early.
        let sent = caught(|| loaded.try_for_each(|next| sender.send(next)));
        if let Err(panic) = sent {
            let why = CommandError::failed("looking for further checkpoints failed");
            let why = why.because(panic).into();
            let file = Checkpoint::default();
            let _ = sender.send(Err(Box::new(FailedCheckpoint { file, why })));
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::remedy::explain;

    #[test]
    fn a_panic_between_checkpoints_is_an_error() {
        let sequence = (0..3).map(|step| {
            assert!(step < 2, "no third one");
            Ok(step)
        });
        let mut came = ahead(sequence).into_iter();
        assert!(
            came.next()
                .is_some_and(|first| first.is_ok_and(|step| step == 0))
        );
        assert!(came.next().is_some_and(|second| second.is_ok()));
        let failed = came.next().unwrap().unwrap_err();
        assert_eq!(
            explain(&*failed.why),
            "looking for further checkpoints failed: no third one"
        );
        assert!(came.next().is_none());
    }
}
