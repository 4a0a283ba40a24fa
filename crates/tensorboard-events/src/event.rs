//! Events, each appended to a buffer as one framed record.
//!
//! Numbers and histograms take the form that tensorboard-rs builds and PyTorch's `SummaryWriter`
//! writes, which other readers know too. Both of TensorBoard's loaders turn it into tensors.
//!
//! Other values take the "new style": a tensor, and on the first value of a tag the metadata that
//! names the plugin. TensorBoard's own `summary_v2` writes no `data_class`; both of its loaders
//! derive it from the plugin name, so it is left out here too.
//!
//! Source: `tensorboard/plugins/{image,text,hparams}/summary_v2.py` and `data_compat.py`.

use std::io;

use protobuf::{Message, RepeatedField};
use tensorboard_proto::event as proto;
use tensorboard_proto::summary as values;
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType;
use tensorboard_rs::summary;

use super::graph::{Graph, tensor_shape};
use super::record;
use super::summary::{Summary, Value};

/// What the first record of an event file says.
pub(super) const FILE_VERSION: &str = "brain.Event:2";

/// The first record of every event file.
pub(super) fn append_file_version(buffer: &mut Vec<u8>, wall_time: f64) -> io::Result<()> {
    let mut event = at(wall_time, 0);
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
    let mut event = at(wall_time, step);
    event.set_session_log(session);
    append(buffer, &event)
}

/// One summary at one step, the `first` of its tag in this file or a later one.
pub(super) fn append_summary(
    buffer: &mut Vec<u8>,
    wall_time: f64,
    step: i64,
    summary: Summary,
    first: bool,
) -> io::Result<()> {
    let metadata = if first {
        metadata(&summary.value, summary.description)?
    } else {
        None
    };
    let mut message = message(&summary.tag, summary.value);
    if let (Some(metadata), Some(value)) = (metadata, message.value.first_mut()) {
        value.set_metadata(metadata);
    }
    let mut event = at(wall_time, step);
    event.set_summary(message);
    append(buffer, &event)
}

/// The model's graph, at step 0.
pub(super) fn append_graph(buffer: &mut Vec<u8>, wall_time: f64, graph: &Graph) -> io::Result<()> {
    let mut event = at(wall_time, 0);
    event.set_graph_def(graph.bytes()?);
    append(buffer, &event)
}

fn at(wall_time: f64, step: i64) -> proto::Event {
    let mut event = proto::Event::new();
    event.set_wall_time(wall_time);
    event.set_step(step);
    event
}

fn append(buffer: &mut Vec<u8>, event: &proto::Event) -> io::Result<()> {
    record::append(buffer, |buffer| {
        event.write_to_vec(buffer).map_err(io::Error::from)
    })
}

/// A tag whose first value is a tensor without metadata would stay invisible. Other values need
/// none but for the description.
fn metadata(value: &Value, description: String) -> io::Result<Option<values::SummaryMetadata>> {
    let tensor = !matches!(value, Value::Scalar(_) | Value::Histogram(_));
    if !tensor && description.is_empty() {
        return Ok(None);
    }
    let mut data = values::SummaryMetadata_PluginData::new();
    data.set_plugin_name(value.plugin().to_owned());
    if let Value::Hparams(hparams) = value {
        data.set_content(hparams.content()?);
    }
    let mut metadata = values::SummaryMetadata::new();
    metadata.set_plugin_data(data);
    metadata.set_summary_description(description);
    Ok(Some(metadata))
}

fn message(tag: &str, value: Value) -> values::Summary {
    let tensor = match value {
        Value::Scalar(value) => return summary::scalar(tag, value),
        Value::Histogram(of) => {
            let (limits, counts) = (&of.bucket_limits, &of.bucket_counts);
            return summary::histogram_raw(
                tag,
                of.min,
                of.max,
                of.num,
                of.sum,
                of.sum_squares,
                limits,
                counts,
            );
        }
        Value::Image {
            width,
            height,
            pngs,
        } => {
            let mut strings = Vec::with_capacity(2 + pngs.len());
            strings.push(width.to_string().into_bytes());
            strings.push(height.to_string().into_bytes());
            strings.extend(pngs);
            // No vector holds more than `isize::MAX` elements.
            let length = i64::try_from(strings.len()).unwrap_or(i64::MAX);
            string_tensor(&[length], strings)
        }
        Value::Text(markdown) => string_tensor(&[], vec![markdown.into_bytes()]),
        // All of it is in the metadata.
        Value::Hparams(_) => null_tensor(),
    };
    let mut value = values::Summary_Value::new();
    value.set_tag(tag.to_owned());
    value.set_tensor(tensor);
    let mut message = values::Summary::new();
    message.set_value(RepeatedField::from_vec(vec![value]));
    message
}

/// Source: `tensorboard/plugins/hparams/metadata.py`, `NULL_TENSOR`.
fn null_tensor() -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_FLOAT);
    tensor.set_tensor_shape(tensor_shape(&[0]));
    tensor
}

fn string_tensor(shape: &[i64], strings: Vec<Vec<u8>>) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(tensor_shape(shape));
    tensor.set_string_val(RepeatedField::from_vec(strings));
    tensor
}
