//! The text beside an image in TensorBoard: what it shows and how to read it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::render::{Range, Rendered, Style};

/// Text that is worked out when it is first needed.
pub(super) type LazyText = LazyLock<String, Box<dyn FnOnce() -> String + Send>>;

/// Descriptions for a run. Only a tag's first value carries one.
pub(super) struct Describer {
    /// What a tag's description begins with.
    headings: Mutex<HashMap<String, String>>,
    /// What is said of every image.
    about: LazyText,
}

impl Describer {
    pub(super) fn new(about: LazyText) -> Self {
        Self {
            headings: Mutex::default(),
            about,
        }
    }

    /// Sets what the description of `tag` begins with.
    pub(super) fn set_heading(&self, tag: String, heading: String) {
        self.lock().insert(tag, heading);
    }

    /// A grid of `count` tiles, each a `one` of `size`.
    pub(super) fn grid(
        &self,
        tag: &str,
        [count, height, width]: [usize; 3],
        one: &str,
        style: &Style,
        rendered: &Rendered,
    ) -> String {
        let shown = style.max_maps.map_or(count, |most| most.min(count));
        format!(
            "{}{shown} of {count} {one}s, {width} x {height} pixels each\n\n* range: {}\n{}",
            self.heading(tag),
            range_text(style, rendered, one),
            *self.about,
        )
    }

    /// An image that is shown as it is.
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

/// What black and white stand for.
fn range_text(style: &Style, rendered: &Rendered, one: &str) -> String {
    let (lo, hi) = rendered.range;
    let non_finite = match rendered.non_finite {
        0 => String::new(),
        count => format!("; {count} values are NaN or infinite, painted in color"),
    };
    match style.range {
        Range::Map => format!(
            "each {one} from its own minimum to its own maximum (over all: {lo} to {hi}){non_finite}"
        ),
        Range::Layer => format!("{lo} to {hi}, the same for every {one}{non_finite}"),
        Range::Fixed(lo, hi) => format!("fixed={lo},{hi} for every {one}{non_finite}"),
    }
}
