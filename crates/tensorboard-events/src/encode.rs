//! Events, each appended to a buffer as one framed record.
//!
//! Numbers and histograms take the form that tensorboard-rs builds and PyTorch's `SummaryWriter` writes, which other
//! readers know too. Both of TensorBoard's loaders turn it into tensors.
//!
//! Other values take the "new style": a tensor, and on the first value of a tag the metadata that names the plugin.
//! TensorBoard's own `summary_v2` writes no `data_class`; both of its loaders derive it from the plugin name, so it
//! is left out here too.
//!
//! Source: `tensorboard/plugins/{image,text,hparams}/summary_v2.py`, `custom_scalar/summary.py` and `data_compat.py`.

use std::io;

use protobuf::Message;
use tensorboard_proto::event::{
    Event, Event_oneof_what as What, SessionLog, SessionLog_SessionStatus,
};
use tensorboard_proto::summary::{
    Summary as SummaryMessage, Summary_Value, Summary_Value_oneof_value as Content,
    SummaryMetadata, SummaryMetadata_PluginData,
};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType;

use crate::graph::tensor_shape;
use crate::record;
use crate::summary::{Summary, Value};

/// What the first record of an event file says.
pub(crate) const FILE_VERSION: &str = "brain.Event:2";

pub(crate) fn append(
    buffer: &mut Vec<u8>,
    wall_time: f64,
    step: i64,
    what: What,
) -> io::Result<()> {
    let event = Event {
        wall_time,
        step,
        what: Some(what),
        ..Event::default()
    };
    record::append(buffer, |buffer| Ok(event.write_to_vec(buffer)?))
}

/// What earlier files hold at the event's step and later is void for the slow loader.
pub(crate) fn session_start() -> What {
    What::session_log(SessionLog {
        status: SessionLog_SessionStatus::START,
        ..SessionLog::default()
    })
}

/// A summary; the `first` of its tag in this file or a later one says what shows it.
pub(crate) fn summary(summary: Summary, first: bool) -> io::Result<What> {
    let metadata = if first {
        metadata(&summary.value, summary.description)?
    } else {
        None
    };
    let mut message = message(summary.tag, summary.value)?;
    if let (Some(metadata), Some(value)) = (metadata, message.value.first_mut()) {
        value.set_metadata(metadata);
    }
    Ok(What::summary(message))
}

/// A first value that is a tensor without metadata would stay invisible. Others need it but for the description.
fn metadata(value: &Value, description: String) -> io::Result<Option<SummaryMetadata>> {
    let is_tensor = !matches!(value, Value::Scalar(_) | Value::Histogram(_));
    if !is_tensor && description.is_empty() {
        return Ok(None);
    }
    let content = match value {
        Value::Hparams(hparams) => hparams.message().write_to_bytes()?,
        _ => Vec::new(),
    };
    let data = SummaryMetadata_PluginData {
        plugin_name: value.plugin().to_owned(),
        content,
        ..SummaryMetadata_PluginData::default()
    };
    Ok(Some(SummaryMetadata {
        plugin_data: Some(data).into(),
        summary_description: description,
        ..SummaryMetadata::default()
    }))
}

fn message(tag: String, value: Value) -> io::Result<SummaryMessage> {
    let tensor = match value {
        Value::Scalar(value) => return Ok(tensorboard_rs::summary::scalar(&tag, value)),
        Value::Histogram(of) => {
            return Ok(tensorboard_rs::summary::histogram_raw(
                &tag,
                of.min,
                of.max,
                of.num,
                of.sum,
                of.sum_squares,
                &of.bucket_limits,
                &of.bucket_counts,
            ));
        }
        Value::Image {
            width,
            height,
            pngs,
        } => {
            let sizes = [width, height].map(|size| size.to_string().into_bytes());
            let strings: Vec<_> = sizes.into_iter().chain(pngs).collect();
            // No vector holds more than `isize::MAX` elements.
            let length = i64::try_from(strings.len()).unwrap_or(i64::MAX);
            tensor(DataType::DT_STRING, &[length], strings)
        }
        Value::Data { strings, .. } => {
            let length = i64::try_from(strings.len()).unwrap_or(i64::MAX);
            tensor(DataType::DT_STRING, &[length], strings)
        }
        Value::Text(markdown) => tensor(DataType::DT_STRING, &[], vec![markdown.into_bytes()]),
        Value::Layout(layout) => tensor(DataType::DT_STRING, &[], vec![layout.to_bytes()?]),
        // All of it is in the metadata: `NULL_TENSOR` in `tensorboard/plugins/hparams/metadata.py`.
        Value::Hparams(_) => tensor(DataType::DT_FLOAT, &[0], Vec::new()),
    };
    let value = Summary_Value {
        tag,
        value: Some(Content::tensor(tensor)),
        ..Summary_Value::default()
    };
    Ok(SummaryMessage {
        value: vec![value].into(),
        ..SummaryMessage::default()
    })
}

fn tensor(dtype: DataType, shape: &[i64], strings: Vec<Vec<u8>>) -> TensorProto {
    TensorProto {
        dtype,
        tensor_shape: Some(tensor_shape(shape)).into(),
        string_val: strings.into(),
        ..TensorProto::default()
    }
}
