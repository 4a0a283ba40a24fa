//! TensorBoard's command line, and how many steps it shows.

use std::path::Path;

use crate::one_line::shell_quoted;

/// Steps of a plugin's tags that the fast and the slow loader show unless another number is given.
///
/// Source: TensorBoard's `backend/event_processing/data_ingester.py`; the fast loader's were seen (2.21.0 with
/// data server 0.7.2, `tests/fixtures/read_back/counts.json`).
pub(super) fn shown_by_default(plugin: &str) -> [usize; 2] {
    match plugin {
        "scalars" => [1000, 1000],
        "images" | "audio" => [10, 10],
        "histograms" => [100, 500],
        "pr_curves" => [100, 100],
        _ => [100, 10],
    }
}

/// Samples that no run has so many of: TensorBoard shows every step, and nobody has to count them. Of 0, which is to mean
/// the same, its cards show none.
pub(super) const ALL_SAMPLES: usize = 1_000_000;

pub(super) fn command<'a>(
    logdir: &Path,
    samples: impl IntoIterator<Item = (&'a str, usize)>,
) -> String {
    let logdir = shell_quoted(logdir);
    match samples_flag(samples) {
        samples if samples.is_empty() => format!("tensorboard --logdir {logdir}"),
        samples => format!("tensorboard --logdir {logdir} --samples_per_plugin {samples}"),
    }
}

pub(super) fn samples_flag<'a>(samples: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    let samples = samples.into_iter();
    let samples = samples.map(|(plugin, count)| format!("{plugin}={count}"));
    samples.collect::<Vec<_>>().join(",")
}
