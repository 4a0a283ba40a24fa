//! `vggscope compare`: runs with each other, a step at a time, without a forward pass.

use std::collections::BTreeSet;

use serde_json::json;

use super::context::{Context, Steps, as_markdown, conclude, report_steps, reserve};
use super::error::RunError;
use super::report::Report;
use crate::analysis::compare::{CompareError, ComparedRun, Pair};
use crate::logger::FeatureLogger;
use crate::settings::CompareSettings;
use crate::state::RunFolder;

const LINES: usize = 8;

pub(crate) fn run(settings: &mut CompareSettings, context: &Context) -> Result<Report, RunError> {
    let runs = ComparedRun::open_all(&settings.runs)?;
    let is_named = runs.len() > 2;
    let others = runs.iter().skip(1);
    let pairs = others.map(|other| Pair::new(&runs[0], other, is_named));
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    let folder = reserve(&mut settings.folder, "compare", context)?;
    let config = settings.resolved()?;

    let steps: BTreeSet<i64> = pairs
        .iter()
        .flat_map(|pair| pair.steps.iter().copied())
        .collect();
    let due = Steps::all(steps.len() as u64, "steps");
    let mut logger = logger(&runs, &folder, &due, context)?;
    folder.write_config(&config)?;
    let is_on = |_: &&i64| !context.interrupt.is_requested();
    let mut ended = steps
        .iter()
        .take_while(is_on)
        .try_for_each(|step| log_step(&pairs, *step, &mut logger));
    let (mut summary, mut layers) = (Vec::new(), Vec::new());
    if ended.is_ok() && !context.interrupt.is_requested() {
        match finish(&pairs, &config, &mut logger) {
            Ok(lines) => summary = lines,
            Err(error) => ended = Err(error),
        }
        for pair in &pairs {
            layers.extend(pair.json().map_err(CompareError::from)?);
        }
    }
    let report = conclude(logger, ended, &settings.folder, &due, Vec::new(), context)?;
    let json = json!({"version": 1, "lines": summary, "layers": layers});
    report.sum_up(summary, &json, &settings.summary)
}

fn logger(
    runs: &[ComparedRun],
    folder: &RunFolder,
    steps: &Steps,
    context: &Context,
) -> Result<FeatureLogger, RunError> {
    let about = runs.first().map_or_else(String::new, |run| {
        let about = run.about();
        format!(
            "* over {} images, {}\n* input: {}\n",
            about.count(),
            about.features,
            about.preprocess
        )
    });
    let on_written = report_steps(folder, steps, context);
    let builder = FeatureLogger::builder(folder.path()).about(move || about);
    let builder = builder.on_written(on_written);
    Ok(builder.create()?)
}

fn log_step(pairs: &[Pair<'_>], number: i64, logger: &mut FeatureLogger) -> Result<(), RunError> {
    let mut step = logger.step(number)?;
    step.set_title(format!("step {number}"));
    for pair in pairs {
        for scalar in pair.scalars(number).map_err(CompareError::from)? {
            step.summary(scalar);
        }
    }
    step.finish();
    Ok(())
}

/// Logs what is over all steps, and sums it up, a line each.
fn finish(
    pairs: &[Pair<'_>],
    config: &str,
    logger: &mut FeatureLogger,
) -> Result<Vec<String>, RunError> {
    let last = pairs.iter().map(Pair::last_step).max().unwrap_or_default();
    let mut step = logger.after_step(last)?;
    let mut lines = Vec::new();
    for pair in pairs {
        for tagged in pair.heat_maps().map_err(CompareError::from)? {
            tagged.map.log(&mut step, tagged.tag, tagged.heading);
        }
        lines.push(pair.line().map_err(CompareError::from)?);
        lines.extend(pair.difference());
    }
    if lines.len() > LINES {
        let more = lines.split_off(LINES - 1).len();
        lines.push(format!(
            "and {more} more pairs: see the curves of `compare`"
        ));
    }
    let items = lines
        .iter()
        .fold(String::new(), |text, line| text + "* " + line + "\n");
    step.text("Overview/summary", items);
    step.text("config", as_markdown(config));
    step.finish();
    Ok(lines)
}
