//! `vggscope inspect`: what is in event files, and what TensorBoard makes of it.

use std::collections::BTreeMap;

use indicatif::HumanBytes;
use serde::Serialize;

use super::error::RunError;
use super::event_runs::{EventRun, event_runs};
use super::table::aligned;
use super::tensorboard::{command, shown_by_default};
use crate::one_line::one_line;
use crate::settings::InspectSettings;
use tensorboard_events::{Inventory, TagInventory};

/// A run. The field names are the keys of `--json`.
#[derive(Debug, Serialize)]
struct Run {
    path: String,
    files: Vec<File>,
    tags: Vec<Tag>,
    /// What `--samples_per_plugin` has to say for TensorBoard to show every step.
    samples_per_plugin: BTreeMap<String, usize>,
    tensorboard: String,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    bytes: u64,
    /// Where the last whole record ends.
    whole_bytes: u64,
    damage: Option<String>,
}

#[derive(Debug, Serialize)]
struct Tag {
    name: String,
    plugin: String,
    values: usize,
    bytes: u64,
    first_step: Option<i64>,
    last_step: Option<i64>,
    fast: Loader,
    slow: Loader,
    /// Why the loaders have not the same, or not all of it.
    #[serde(skip)]
    cause: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Loader {
    /// With room for all.
    steps: usize,
    /// As it comes.
    by_default: usize,
}

pub(crate) fn inspect(settings: &InspectSettings) -> Result<(String, bool), RunError> {
    let mut found = Vec::new();
    for path in &settings.runs {
        found.extend(event_runs(path)?);
    }
    let runs: Vec<Run> = found.iter().map(Run::of).collect();
    let damage = runs.iter().flat_map(|run| &run.files);
    let is_whole = damage.clone().all(|file| file.damage.is_none());
    let text = if settings.json {
        serde_json::to_string_pretty(&runs)? + "\n"
    } else {
        let texts: Vec<String> = runs.iter().map(Run::text).collect();
        texts.join("\n")
    };
    Ok((text, is_whole))
}

impl Run {
    fn of(run: &EventRun) -> Self {
        let Inventory { files, tags, .. } = Inventory::of(&run.files);
        let files = files.into_iter().map(|file| File {
            path: file.path.display().to_string(),
            bytes: file.bytes,
            whole_bytes: file.whole,
            damage: file.damage.as_ref().map(|damage| one_line(damage)),
        });
        let samples = samples(&tags);
        let tensorboard = samples
            .iter()
            .map(|(plugin, count)| (plugin.as_str(), *count));
        Self {
            path: run.path.display().to_string(),
            files: files.collect(),
            tensorboard: command(&run.path, tensorboard),
            tags: (tags.into_iter())
                .map(|(name, inventory)| Tag::of(name, inventory))
                .collect(),
            samples_per_plugin: samples,
        }
    }

    fn text(&self) -> String {
        let values: usize = self.tags.iter().map(|tag| tag.values).sum();
        let bytes: u64 = self.files.iter().map(|file| file.bytes).sum();
        let mut text = format!(
            "{}: {} tags, {values} values, {}\n",
            self.path,
            self.tags.len(),
            HumanBytes(bytes)
        );
        text.extend(self.files.iter().map(|file| {
            let damage = file.damage.as_deref().unwrap_or("whole");
            format!("  {}  {}  {damage}\n", file.path, HumanBytes(file.bytes))
        }));
        if self.tags.is_empty() {
            return text;
        }
        let head = [
            "",
            "tag",
            "plugin",
            "steps",
            "first",
            "last",
            "size",
            "TensorBoard",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        let step = |step: Option<i64>| step.map_or_else(|| "-".to_owned(), |step| step.to_string());
        for tag in &self.tags {
            let plugin = match &*tag.plugin {
                "" => "-",
                plugin => plugin,
            };
            rows.push(vec![
                String::new(),
                tag.name.clone(),
                plugin.to_owned(),
                tag.fast.steps.to_string(),
                step(tag.first_step),
                step(tag.last_step),
                HumanBytes(tag.bytes).to_string(),
                tag.shown(),
            ]);
        }
        text += &aligned(&rows, &[1, 2, 7]);
        text + "  to see every step:  " + &self.tensorboard + "\n"
    }
}

/// What `--samples_per_plugin` has to say to show every step: nothing of plugins that show all by default.
fn samples(tags: &BTreeMap<String, TagInventory>) -> BTreeMap<String, usize> {
    let mut samples = BTreeMap::new();
    for TagInventory {
        plugin, fast, slow, ..
    } in tags.values()
    {
        let steps = fast.len().max(slow.len());
        // A run has one graph, and what figures are drawn from TensorBoard does not show.
        let is_shown = !["", "graphs", "vggscope"].contains(&plugin.as_str());
        let [by_default, by_slow] = shown_by_default(plugin);
        if is_shown && steps > by_default.min(by_slow) {
            let most = samples.entry(plugin.clone()).or_insert(0);
            *most = steps.max(*most);
        }
    }
    samples
}

impl Tag {
    fn of(name: String, inventory: TagInventory) -> Self {
        let [fast, slow] = shown_by_default(&inventory.plugin);
        let loader = |steps: usize, most: usize| Loader {
            steps,
            by_default: steps.min(most),
        };
        Self {
            name,
            values: inventory.values,
            bytes: inventory.bytes,
            first_step: inventory.fast.first().map(|place| place.step),
            last_step: inventory.fast.last().map(|place| place.step),
            fast: loader(inventory.fast.len(), fast),
            slow: loader(inventory.slow.len(), slow),
            cause: cause(&inventory),
            plugin: inventory.plugin,
        }
    }

    /// What TensorBoard shows, where that is not all.
    fn shown(&self) -> String {
        if self.plugin.is_empty() {
            return "shows it nowhere: no plugin is named".to_owned();
        }
        let Self {
            fast, slow, cause, ..
        } = self;
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        if fast.steps != slow.steps {
            format!(
                "has {} steps, with --load_fast=false {}{cause}",
                fast.steps, slow.steps
            )
        } else if fast.by_default != slow.by_default {
            format!(
                "shows {} of them by default, with --load_fast=false {}",
                fast.by_default, slow.by_default
            )
        } else if fast.by_default != fast.steps {
            format!("shows {} of them by default", fast.by_default)
        } else if fast.steps < self.values {
            format!("shows {} of {} values{cause}", fast.steps, self.values)
        } else {
            "shows all".to_owned()
        }
    }
}

/// Why a loader of TensorBoard has not all values of a tag, or not those of the other loader.
fn cause(tag: &TagInventory) -> Option<&'static str> {
    let out_of_order = tag.values - tag.at_same_step > tag.fast.len();
    if tag.behind_damage > 0 {
        Some("a file is damaged")
    } else if tag.at_same_step > 0 && !out_of_order {
        Some("several values at one step")
    } else {
        out_of_order.then_some("a step came again")
    }
}
