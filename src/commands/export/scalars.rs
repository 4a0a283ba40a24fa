//! Scalars as a table: a row a value, as pandas and spreadsheets read it.

use std::fmt::Write as _;
use std::path::Path;

use super::Exported;
use super::series::{Point, Series};
use tensorboard_events::Value;

pub(super) const HEADER: &str = "run,tag,step,wall_time,value\n";

/// Adds the values of a tag. A run is called by its path below the one that is exported, as in TensorBoard.
pub(super) fn add(series: &Series<'_>, root: &Path, exported: &mut Exported) {
    let below = series.run.path.strip_prefix(root).unwrap_or(Path::new(""));
    let run = match below.to_string_lossy() {
        name if name.is_empty() => ".".to_owned(),
        name => name.into_owned(),
    };
    let (run, tag) = (field(&run), field(series.tag));
    for (step, point) in series.read() {
        let point = exported.or_skip(&series.name(step), point);
        if let Some(Point {
            wall_time,
            value: Value::Scalar(value),
        }) = point
        {
            // Writing to a String cannot fail.
            let _ = writeln!(exported.table, "{run},{tag},{step},{wall_time:?},{value:?}");
        }
    }
}

/// A field of a row. Source: RFC 4180, section 2.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}
