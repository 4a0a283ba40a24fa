//! TensorBoard's command line, and how many steps it shows.

use std::collections::BTreeMap;
use std::path::Path;

use crate::one_line::shell_quoted;

/// Steps of a tag that each loader shows unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Samples {
    pub(super) fast: usize,
    pub(super) slow: usize,
}

impl Samples {
    /// Those of a plugin.
    ///
    /// Source: TensorBoard's `backend/event_processing/data_ingester.py`; the fast loader's were seen (2.21.0 with
    /// data server 0.7.2, `tests/fixtures/read_back/counts.json`).
    pub(super) fn by_default(plugin: &str) -> Self {
        let (fast, slow) = match plugin {
            "scalars" => (1000, 1000),
            "images" | "audio" => (10, 10),
            "histograms" => (100, 500),
            "pr_curves" => (100, 100),
            _ => (100, 10),
        };
        Self { fast, slow }
    }

    /// What both show.
    pub(super) fn of_both(self) -> usize {
        self.fast.min(self.slow)
    }
}

/// What `--samples_per_plugin` has to say to show every step, from the plugin of each tag and how many steps it has:
/// nothing of plugins that show all by default.
pub(super) fn samples<'a>(
    tags: impl IntoIterator<Item = (&'a str, usize)>,
) -> BTreeMap<String, usize> {
    let mut samples = BTreeMap::new();
    for (plugin, steps) in tags {
        let shown = Samples::by_default(plugin).of_both();
        // A run has one graph.
        if !plugin.is_empty() && plugin != "graphs" && steps > shown {
            let most = samples.entry(plugin.to_owned()).or_insert(0);
            *most = steps.max(*most);
        }
    }
    samples
}

/// The command that shows a log folder.
pub(super) fn command(logdir: &Path, samples: &BTreeMap<String, usize>) -> String {
    let mut command = format!("tensorboard --logdir {}", shell_quoted(logdir));
    if !samples.is_empty() {
        command += " --samples_per_plugin ";
        command += &flag(samples);
    }
    command
}

/// The value of `--samples_per_plugin`.
pub(super) fn flag(samples: &BTreeMap<String, usize>) -> String {
    let samples = samples
        .iter()
        .map(|(plugin, count)| format!("{plugin}={count}"));
    samples.collect::<Vec<_>>().join(",")
}
