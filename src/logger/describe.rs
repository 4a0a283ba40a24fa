//! The text beside an image in TensorBoard: what it shows and how to read it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::one_line;

use super::grid_style::{GridStyle, Job, Tiles};
use feature_grid::Range;

const LISTED: usize = 64;

/// Text that is worked out when it is first needed.
pub(super) type LazyText = LazyLock<String, Box<dyn FnOnce() -> String + Send>>;

/// Descriptions for a run. Only a tag's first value carries one.
pub(super) struct Describer {
    pub(super) headings: Mutex<HashMap<String, String>>,
    pub(super) about: LazyText,
}

impl Describer {
    pub(super) fn set_heading(&self, tag: String, heading: String) {
        self.lock().insert(tag, heading);
    }

    pub(super) fn grid(&self, job: &Job) -> String {
        let Job { count, grid, .. } = job;
        let (one, range) = (grid.one(), grid.style.range);
        let shown = grid.style.max_maps.map_or(*count, |most| most.min(*count));
        let first = || grid.chosen.iter().flatten().copied().eq(0..shown);
        let which = match &grid.chosen {
            Some(chosen) if !first() => format!(": {}", one_line::listed(chosen, ", ", LISTED)),
            _ if shown < 2 || shown == *count => String::new(),
            _ => format!(": 0 to {}", shown - 1),
        };
        let how = if grid.tiles == Tiles::Changes {
            change_text(range)
        } else {
            let range = range_text(range, one, &job.layer);
            let framed = grid.framed.as_ref();
            let framed = framed.map_or_else(String::new, |of| format!("\n* framed: {}", of.what));
            format!("\n\n* range: {range}; NaN and infinite values are painted in color{framed}")
        };
        let (heading, about) = (self.heading(&job.tag), &*self.about);
        format!("{heading}{shown} of {count} {one}s{which}{how}\n{about}")
    }

    pub(super) fn image(&self, tag: &str) -> String {
        let heading = self.heading(tag);
        format!("{}\n\n{}", heading.trim_end_matches(": "), *self.about)
    }

    fn heading(&self, tag: &str) -> String {
        let headings = self.lock();
        let heading = headings.get(tag);
        heading.map_or_else(String::new, |heading| format!("{heading}: "))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.headings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GridStyle {
    fn one(&self) -> &'static str {
        match self.tiles {
            Tiles::Maps | Tiles::Changes => "feature map",
            Tiles::Kernels => "kernel",
        }
    }
}

fn change_text(range: Range) -> String {
    let range = match range {
        Range::Fixed(_, high) => format!("from {:.4} to {high:.4} at every step", -high),
        Range::Map | Range::Layer => "by step".to_owned(),
    };
    format!(
        ": this step minus an earlier one\n\n* 0 is near white; red above, blue below; range: {range}"
    )
}

/// No number that changes from step to step: TensorBoard shows the text of the first step at all of them.
fn range_text(range: Range, one: &str, layer: &str) -> String {
    match range {
        Range::Map => format!("each {one} from its own minimum to its own maximum"),
        Range::Layer => {
            format!(
                "the same for every {one} of a step, its minimum to its maximum (range/{layer})"
            )
        }
        Range::Fixed(lo, hi) => format!(
            "{lo} to {hi} for every {one} at every step (range/{layer}/clipped: the fraction outside)"
        ),
    }
}
