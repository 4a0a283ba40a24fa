//! What TensorBoard's Custom Scalars tab shows: charts of many scalars each.
//!
//! Source: `tensorboard/plugins/custom_scalar/{summary.py,layout.proto}`.

use protobuf::{Message, RepeatedField};
use tensorboard_proto::layout::{
    Category, Chart as ChartMessage, Layout as LayoutMessage, MarginChartContent,
    MarginChartContent_Series, MultilineChartContent,
};

/// The charts of a run, in categories. TensorBoard shows those of all runs together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout(LayoutMessage);

/// A chart of several scalars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// A line for each scalar whose whole tag one of these regular expressions matches.
    Lines(Vec<String>),
    /// A line for each series, in a band.
    Bands(Vec<Band>),
}

/// A scalar, and those that bound it, by their tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// The line.
    pub value: String,
    /// Where the band begins.
    pub lower: String,
    /// Where it ends.
    pub upper: String,
}

impl Layout {
    /// The tag under which TensorBoard looks for it.
    pub(crate) const TAG: &str = "custom_scalars__config__";

    /// Adds a category of charts, each with its title.
    pub fn add(&mut self, title: &str, charts: impl IntoIterator<Item = (&'static str, Chart)>) {
        let message = |(title, chart): (&str, Chart)| {
            let mut message = ChartMessage {
                title: title.to_owned(),
                ..ChartMessage::default()
            };
            match chart {
                Chart::Lines(tags) => message.set_multiline(MultilineChartContent {
                    tag: RepeatedField::from_vec(tags),
                    ..MultilineChartContent::default()
                }),
                Chart::Bands(bands) => message.set_margin(MarginChartContent {
                    series: bands.into_iter().map(Band::message).collect(),
                    ..MarginChartContent::default()
                }),
            }
            message
        };
        let charts: RepeatedField<_> = charts.into_iter().map(message).collect();
        if !charts.is_empty() {
            self.0.category.push(Category {
                title: title.to_owned(),
                chart: charts,
                ..Category::default()
            });
        }
    }

    pub(crate) fn to_bytes(&self) -> protobuf::ProtobufResult<Vec<u8>> {
        self.0.write_to_bytes()
    }

    pub(crate) fn size_hint(&self) -> u64 {
        self.0.compute_size().into()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        LayoutMessage::parse_from_bytes(bytes).ok().map(Self)
    }
}

impl Band {
    fn message(self) -> MarginChartContent_Series {
        MarginChartContent_Series {
            value: self.value,
            lower: self.lower,
            upper: self.upper,
            ..MarginChartContent_Series::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From TensorBoard 2.21.0: `plugins.custom_scalar.layout_pb2.Layout` of the same charts, `SerializeToString()`.
    #[test]
    fn charts_are_the_bytes_of_tensorboards() {
        let text = str::to_owned;
        let band = Band {
            value: text("v"),
            lower: text("w"),
            upper: text("x"),
        };
        let lines = Chart::Lines(vec![text("a.*"), text("b")]);
        let mut layout = Layout::default();
        layout.add(
            "all",
            [("lines", lines), ("bands", Chart::Bands(vec![band]))],
        );
        layout.add("none", []);
        let expected = b"\x12.\n\x03all\x12\x11\n\x05lines\x12\x08\n\x03a.*\n\x01b\
                         \x12\x14\n\x05bands\x1a\x0b\n\t\n\x01v\x12\x01w\x1a\x01x";
        let bytes = layout.to_bytes().unwrap();
        assert_eq!(bytes, expected);
        assert_eq!(layout.size_hint(), bytes.len() as u64);
        assert_eq!(Layout::read(&bytes), Some(layout));
    }
}
