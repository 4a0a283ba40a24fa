//! What a run came to.

use std::path::PathBuf;

use super::tensorboard::{ALL_SAMPLES, command};
use crate::logger::Logged;
use crate::one_line::{listed, shell_quoted};

/// What the steps of a run hold, by the plugin that shows it.
const PLUGINS: [&str; 3] = ["images", "text", "scalars"];

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) run_folder: PathBuf,
    pub(crate) logdir: PathBuf,
    pub(crate) logged: Logged,
    pub(crate) earlier_steps: u64,
    /// What was left out under `--on-error skip`, each with its reason.
    pub(crate) skipped: Vec<String>,
    pub(crate) timings: Option<String>,
    pub(crate) notes: Vec<String>,
    /// The conditions under which the command fails, and why each holds.
    pub(crate) failed: Vec<String>,
    pub(crate) interrupted: Option<i32>,
}

impl Report {
    pub(crate) fn with(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }

    fn steps(&self) -> u64 {
        self.earlier_steps + self.logged.steps
    }

    /// The command that shows every step of all runs in the folder, whatever the kind of their values.
    fn tensorboard_command(&self) -> String {
        command(&self.logdir, PLUGINS.map(|plugin| (plugin, ALL_SAMPLES)))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{}: {}, {}, {}",
            self.run_folder.display(),
            counted(self.steps(), "step"),
            counted(self.logged.tags.len() as u64, "tag"),
            indicatif::HumanBytes(self.logged.bytes)
        )];
        lines.extend(self.timings.clone());
        lines.extend(self.notes.clone());
        let non_finite = &self.logged.non_finite;
        for (tag, step, count) in non_finite.iter().take(Logged::MOST_NON_FINITE - 1) {
            let values = counted(*count as u64, "value");
            lines.push(format!("not finite: {tag} at step {step}: {values}"));
        }
        if non_finite.len() == Logged::MOST_NON_FINITE {
            lines.push("not finite: and more after that".to_owned());
        }
        if !self.logged.one_pixel.is_empty() {
            lines.push(format!(
                "one range for all maps of the layer, since each is one pixel: {} (a larger --crop gives larger maps)",
                listed(&self.logged.one_pixel, ", ", usize::MAX)
            ));
        }
        lines.push(format!(
            "see it with:  vggscope view {}",
            shell_quoted(&self.logdir)
        ));
        lines.push(format!("         or:  {}", self.tensorboard_command()));
        lines
    }
}

pub(crate) fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(logdir: &str) -> Report {
        Report {
            logdir: PathBuf::from(logdir),
            ..Report::default()
        }
    }

    #[test]
    fn the_command_shows_every_step() {
        assert_eq!(
            report("runs").tensorboard_command(),
            "tensorboard --logdir runs --samples_per_plugin images=1000000,text=1000000,scalars=1000000"
        );
    }

    #[test]
    fn a_folder_with_spaces_is_quoted() {
        let command = report("my 'runs'").tensorboard_command();
        assert!(
            command.contains(r"--logdir 'my '\''runs'\''' "),
            "{command}"
        );
    }
}
