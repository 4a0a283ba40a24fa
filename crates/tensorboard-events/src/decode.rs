//! The bytes of an event, as what this crate writes.

use protobuf::wire_format::WireType::{WireTypeFixed64, WireTypeVarint};
use protobuf::{CodedInputStream, ProtobufError};
use tensorboard_proto::event::Event;
use tensorboard_proto::summary::{HistogramProto, Summary_Value_oneof_value as Content};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType::{DT_DOUBLE, DT_FLOAT, DT_STRING};

use crate::histogram::Histogram;
use crate::hparams::Hparams;
use crate::layout::Layout;
use crate::lengths;
use crate::summary::{CUSTOM_SCALARS, HISTOGRAMS, HPARAMS, IMAGES, KNOWN, SCALARS, TEXT, Value};

/// Source: `tensorboard/compat/proto/event.proto`, `Event`.
pub(crate) fn event(data: &[u8]) -> Result<Event, ProtobufError> {
    lengths::parse(data, &lengths::EVENT)
}

/// How much of an event [`beginning`] looks at: wall time, the longest step, and what comes next. Units: bytes.
pub(crate) const BEGINNING: u64 = 9 + 11 + 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Graph,
    SessionLog,
    Other,
}

/// Step and content of an event by its first bytes. `None` when they are not wall time and step, as every writer puts
/// them that goes by the order of fields; a step of 0 is left out by most.
///
/// Source: `event.proto`, `Event`.
pub(crate) fn beginning(data: &[u8]) -> Option<(i64, What)> {
    let mut stream = CodedInputStream::from_bytes(data);
    if stream.read_tag_unpack().ok()? != (1, WireTypeFixed64) {
        return None;
    }
    stream.read_double().ok()?;
    if stream.read_tag_unpack().ok()? != (2, WireTypeVarint) {
        return None;
    }
    let step = stream.read_int64().ok()?;
    let what = match stream.read_tag_unpack().ok()? {
        (4, _) => What::Graph,
        (7, _) => What::SessionLog,
        _ => What::Other,
    };
    Some((step, what))
}

/// The value of a summary as the `plugin` would read it; `None` when it is not as this crate writes it. `metadata` is
/// the content of the plugin's metadata.
pub(crate) fn value(tag: &str, plugin: &str, content: Content, metadata: &[u8]) -> Option<Value> {
    let tensor = match content {
        Content::simple_value(value) if plugin == SCALARS => return Some(Value::Scalar(value)),
        Content::histo(message) if plugin == HISTOGRAMS => return histogram(message),
        Content::image(image) if plugin == IMAGES => {
            return Some(Value::Image {
                width: u32::try_from(image.width).ok()?,
                height: u32::try_from(image.height).ok()?,
                pngs: vec![image.encoded_image_string],
            });
        }
        Content::tensor(tensor) => tensor,
        _ => return None,
    };
    let dims = tensor.get_tensor_shape().dim.iter();
    let shape: Vec<_> = dims.map(|dim| dim.size).collect();
    match (plugin, tensor.dtype, shape.as_slice()) {
        (IMAGES, DT_STRING, &[length]) => image(length, tensor),
        (TEXT, DT_STRING, []) => text(tensor),
        (CUSTOM_SCALARS, DT_STRING, []) => {
            Layout::read(tensor.string_val.first()?).map(Value::Layout)
        }
        (SCALARS, DT_FLOAT, []) => scalar(&tensor),
        (HISTOGRAMS, DT_DOUBLE, &[buckets, 3]) => buckets_tensor(buckets, tensor),
        // The value itself says nothing: `NULL_TENSOR` in `tensorboard/plugins/hparams/metadata.py`.
        (HPARAMS, DT_FLOAT, [0]) => Hparams::read(tag, metadata).map(Value::Hparams),
        (_, DT_STRING, &[length]) if !KNOWN.contains(&plugin) && !plugin.is_empty() => {
            let strings = tensor.string_val.into_vec();
            let plugin = plugin.to_owned();
            let is_whole = i64::try_from(strings.len()) == Ok(length);
            is_whole.then_some(Value::Data { plugin, strings })
        }
        _ => None,
    }
}

fn histogram(message: HistogramProto) -> Option<Value> {
    let is_whole = message.bucket_limit.len() == message.bucket.len();
    is_whole.then_some(Value::Histogram(Histogram {
        min: message.min,
        max: message.max,
        num: message.num,
        sum: message.sum,
        sum_squares: message.sum_squares,
        bucket_limits: message.bucket_limit,
        bucket_counts: message.bucket,
        non_finite: 0,
    }))
}

/// Shape `[2 + k]`: width, height, and k pictures.
fn image(length: i64, tensor: TensorProto) -> Option<Value> {
    let decimal = |digits: Vec<u8>| str::from_utf8(&digits).ok()?.parse().ok();
    let mut strings = tensor.string_val.into_iter();
    if i64::try_from(strings.len()) != Ok(length) {
        return None;
    }
    Some(Value::Image {
        width: decimal(strings.next()?)?,
        height: decimal(strings.next()?)?,
        pngs: strings.collect(),
    })
}

/// Shape `[]`.
fn text(tensor: TensorProto) -> Option<Value> {
    let [markdown] = <[_; 1]>::try_from(tensor.string_val.into_vec()).ok()?;
    String::from_utf8(markdown).ok().map(Value::Text)
}

/// Shape `[]`, in either of the two fields that writers use.
fn scalar(tensor: &TensorProto) -> Option<Value> {
    let value = match (&tensor.float_val[..], &tensor.tensor_content[..]) {
        (&[value], []) => value,
        ([], content) => f32::from_le_bytes(content.try_into().ok()?),
        _ => return None,
    };
    Some(Value::Scalar(value))
}

/// Shape `[k, 3]`: a left edge, right edge and count a row, in either of the two fields that writers use.
fn buckets_tensor(rows: i64, tensor: TensorProto) -> Option<Value> {
    let numbers = match (tensor.double_val, tensor.tensor_content.as_chunks()) {
        (doubles, ([], [])) => doubles,
        (doubles, (content, [])) if doubles.is_empty() => {
            content.iter().copied().map(f64::from_le_bytes).collect()
        }
        _ => return None,
    };
    let (buckets, []) = numbers.as_chunks::<3>() else {
        return None;
    };
    if i64::try_from(buckets.len()) != Ok(rows) {
        return None;
    }
    let mut histogram = Histogram::default();
    if let (Some(&[left, ..]), Some(&[_, right, _])) = (buckets.first(), buckets.last()) {
        (histogram.min, histogram.max) = (left, right);
    }
    for &[_, right, count] in buckets {
        histogram.num += count;
        histogram.bucket_limits.push(right);
        histogram.bucket_counts.push(count);
    }
    Some(Value::Histogram(histogram))
}
