//! Events, each appended to a buffer as one framed record.
//!
//! Values take the "new style": a tensor, and on the first value of a tag the metadata that names
//! the plugin. TensorBoard's own `summary_v2` writes no `data_class`; both of its loaders derive
//! it from the plugin name, so it is left out here too.
//!
//! Source: `tensorboard/plugins/{image,text,scalar,histogram,hparams}/summary_v2.py` and
//! `data_compat.py`.

use std::io;

use protobuf::{Message, RepeatedField};
use tensorboard_proto::event as proto;
use tensorboard_proto::summary as values;
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;

use super::graph::Graph;
use super::histogram::Histogram;
use super::record;
use super::summary::{Summary, Value};

/// What the first record of an event file says.
pub(super) const FILE_VERSION: &str = "brain.Event:2";

/// The first record of every event file.
pub(super) fn append_file_version(buffer: &mut Vec<u8>, wall_time: f64) -> io::Result<()> {
    let mut event = proto::Event::new();
    event.set_wall_time(wall_time);
    event.set_file_version(FILE_VERSION.to_owned());
    append(buffer, &event)
}

/// Tells the slow loader that this file begins a new attempt at the run: what earlier files hold at
/// `step` and later is void.
pub(super) fn append_session_start(
    buffer: &mut Vec<u8>,
    wall_time: f64,
    step: i64,
) -> io::Result<()> {
    let mut session = proto::SessionLog::new();
    session.set_status(proto::SessionLog_SessionStatus::START);
    let mut event = proto::Event::new();
    event.set_wall_time(wall_time);
    event.set_step(step);
    event.set_session_log(session);
    append(buffer, &event)
}

/// One summary at one step. A tag's first value in a file must come with `metadata`, or the tag
/// stays invisible.
pub(super) fn append_summary(
    buffer: &mut Vec<u8>,
    wall_time: f64,
    step: i64,
    summary: Summary,
    metadata: bool,
) -> io::Result<()> {
    let mut value = values::Summary_Value::new();
    if metadata {
        value.set_metadata(plugin_metadata(&summary.value, summary.description)?);
    }
    value.set_tag(summary.tag);
    value.set_tensor(tensor(summary.value));
    let mut message = values::Summary::new();
    message.set_value(RepeatedField::from_vec(vec![value]));
    let mut event = proto::Event::new();
    event.set_wall_time(wall_time);
    event.set_step(step);
    event.set_summary(message);
    append(buffer, &event)
}

/// The model's graph, at step 0.
pub(super) fn append_graph(buffer: &mut Vec<u8>, wall_time: f64, graph: &Graph) -> io::Result<()> {
    let mut event = proto::Event::new();
    event.set_wall_time(wall_time);
    event.set_graph_def(graph.bytes()?);
    append(buffer, &event)
}

fn append(buffer: &mut Vec<u8>, event: &proto::Event) -> io::Result<()> {
    record::append(buffer, |buffer| {
        event.write_to_vec(buffer).map_err(io::Error::from)
    })
}

fn plugin_metadata(value: &Value, description: String) -> io::Result<values::SummaryMetadata> {
    let mut data = values::SummaryMetadata_PluginData::new();
    data.set_plugin_name(value.plugin().to_owned());
    if let Value::Hparams(hparams) = value {
        data.set_content(hparams.content()?);
    }
    let mut metadata = values::SummaryMetadata::new();
    metadata.set_plugin_data(data);
    metadata.set_summary_description(description);
    Ok(metadata)
}

fn tensor(value: Value) -> TensorProto {
    match value {
        Value::Image {
            width,
            height,
            pngs,
        } => {
            let mut strings = Vec::with_capacity(2 + pngs.len());
            strings.push(width.to_string().into_bytes());
            strings.push(height.to_string().into_bytes());
            strings.extend(pngs);
            string_tensor(shape([strings.len()]), strings)
        }
        Value::Text(markdown) => string_tensor(shape([]), vec![markdown.into_bytes()]),
        Value::Scalar(value) => {
            let mut tensor = TensorProto::new();
            tensor.set_dtype(DataType::DT_FLOAT);
            tensor.set_tensor_shape(shape([]));
            tensor.set_float_val(vec![value]);
            tensor
        }
        Value::Histogram(histogram) => histogram_tensor(&histogram),
        // All of it is in the metadata.
        Value::Hparams(_) => null_tensor(),
    }
}

/// One row a bucket: left edge, right edge, count.
fn histogram_tensor(histogram: &Histogram) -> TensorProto {
    let rows = histogram.buckets.iter();
    let numbers = rows.flat_map(|bucket| [bucket.left, bucket.right, bucket.count]);
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_DOUBLE);
    tensor.set_tensor_shape(shape([histogram.buckets.len(), 3]));
    tensor.set_tensor_content(numbers.flat_map(f64::to_le_bytes).collect());
    tensor
}

/// Source: `tensorboard/plugins/hparams/metadata.py`, `NULL_TENSOR`.
fn null_tensor() -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_FLOAT);
    tensor.set_tensor_shape(shape([0]));
    tensor
}

fn string_tensor(shape: TensorShapeProto, strings: Vec<Vec<u8>>) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(shape);
    tensor.set_string_val(RepeatedField::from_vec(strings));
    tensor
}

fn shape<const N: usize>(lengths: [usize; N]) -> TensorShapeProto {
    let dims = lengths.into_iter().map(|length| {
        let mut dim = TensorShapeProto_Dim::new();
        // No vector holds more than `isize::MAX` elements.
        dim.set_size(i64::try_from(length).unwrap_or(i64::MAX));
        dim
    });
    let mut shape = TensorShapeProto::new();
    shape.set_dim(dims.collect());
    shape
}
