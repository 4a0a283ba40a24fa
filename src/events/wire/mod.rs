//! An event's bytes, read field by field.
//!
//! The generated messages are not used to read: for a packed field they reserve the memory that
//! the bytes ask for before looking how many bytes there are, so that a few bytes of a foreign
//! file could end the program. Here fields that this tool does not write are stepped over.

use protobuf::wire_format::WireType::{
    self, WireTypeFixed32, WireTypeFixed64, WireTypeLengthDelimited, WireTypeVarint,
};
use protobuf::{CodedInputStream, ProtobufError};
use tensorboard_proto::event::SessionLog_SessionStatus;
use tensorboard_proto::types::DataType;

use super::histogram::{Bucket, Histogram};
use super::summary::{HISTOGRAMS, HPARAMS, IMAGES, SCALARS, TEXT, Value};

mod graph;
mod hparams;

pub(super) use graph::graph;

/// The fields of an event that this tool knows.
#[derive(Debug, Default)]
pub(super) struct WireEvent {
    pub(super) wall_time: f64,
    pub(super) step: i64,
    pub(super) file_version: Option<String>,
    pub(super) session_start: bool,
    pub(super) graph_def: Option<Vec<u8>>,
    pub(super) values: Vec<WireValue>,
}

/// The fields of one value of a summary.
#[derive(Debug, Default)]
pub(super) struct WireValue {
    pub(super) tag: String,
    pub(super) plugin: Option<String>,
    pub(super) description: String,
    plugin_content: Vec<u8>,
    tensor: Option<WireTensor>,
}

#[derive(Debug, Default)]
struct WireTensor {
    data_type: i32,
    shape: Vec<i64>,
    content: Vec<u8>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    strings: Vec<Vec<u8>>,
}

type Stream<'a> = CodedInputStream<'a>;
type Parsed<T> = Result<T, ProtobufError>;

/// Source: `tensorboard/compat/proto/event.proto`, `Event`.
pub(super) fn event(data: &[u8]) -> Parsed<WireEvent> {
    let mut event = WireEvent::default();
    let mut stream = Stream::from_bytes(data);
    // Without it, a message inside may claim to be longer than the data.
    stream.push_limit(data.len() as u64)?;
    fields(&mut stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeFixed64) => event.wall_time = stream.read_double()?,
            (2, WireTypeVarint) => event.step = stream.read_int64()?,
            (3, WireTypeLengthDelimited) => event.file_version = Some(stream.read_string()?),
            (4, WireTypeLengthDelimited) => event.graph_def = Some(stream.read_bytes()?),
            (5, WireTypeLengthDelimited) => summary(stream, &mut event.values)?,
            (7, WireTypeLengthDelimited) => event.session_start = session_start(stream)?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(event)
}

/// How much of an event [`beginning`] looks at: wall time, the longest step, and what comes next.
/// Units: bytes.
pub(super) const BEGINNING: u64 = 9 + 11 + 1;

/// What the first bytes of an event tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) step: i64,
    pub(super) what: What,
}

/// What an event is, by the number of the field that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Graph,
    SessionLog,
    Other,
}

/// `None` when `data`, the first bytes of an event, does not begin with wall time and step, as
/// every writer puts them that goes by the order of fields; a step of 0 is left out by most.
///
/// Source: `event.proto`, `Event`.
pub(super) fn beginning(data: &[u8]) -> Option<Beginning> {
    let mut stream = Stream::from_bytes(data);
    if stream.read_tag_unpack().ok()? != (1, WireTypeFixed64) {
        return None;
    }
    stream.read_double().ok()?;
    if stream.read_tag_unpack().ok()? != (2, WireTypeVarint) {
        return None;
    }
    let step = stream.read_int64().ok()?;
    let (field, _) = stream.read_tag_unpack().ok()?;
    let what = match field {
        4 => What::Graph,
        7 => What::SessionLog,
        _ => What::Other,
    };
    Some(Beginning { step, what })
}

/// Source: `event.proto`, `SessionLog`.
fn session_start(stream: &mut Stream<'_>) -> Parsed<bool> {
    let mut start = false;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeVarint) => {
                start = stream.read_int32()? == SessionLog_SessionStatus::START as i32;
            }
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(start)
}

/// Source: `summary.proto`, `Summary`.
fn summary(stream: &mut Stream<'_>, values: &mut Vec<WireValue>) -> Parsed<()> {
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => values.push(value(stream)?),
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })
}

/// Source: `summary.proto`, `Summary.Value`.
fn value(stream: &mut Stream<'_>) -> Parsed<WireValue> {
    let mut value = WireValue::default();
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => value.tag = stream.read_string()?,
            (8, WireTypeLengthDelimited) => value.tensor = Some(tensor(stream)?),
            (9, WireTypeLengthDelimited) => metadata(stream, &mut value)?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(value)
}

/// Source: `summary.proto`, `SummaryMetadata`.
fn metadata(stream: &mut Stream<'_>, value: &mut WireValue) -> Parsed<()> {
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => plugin_data(stream, value)?,
            (3, WireTypeLengthDelimited) => value.description = stream.read_string()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })
}

/// Source: `summary.proto`, `SummaryMetadata.PluginData`.
fn plugin_data(stream: &mut Stream<'_>, value: &mut WireValue) -> Parsed<()> {
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => value.plugin = Some(stream.read_string()?),
            (2, WireTypeLengthDelimited) => value.plugin_content = stream.read_bytes()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })
}

/// Source: `tensor.proto`, `TensorProto`.
fn tensor(stream: &mut Stream<'_>) -> Parsed<WireTensor> {
    let mut tensor = WireTensor::default();
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeVarint) => tensor.data_type = stream.read_int32()?,
            (2, WireTypeLengthDelimited) => shape(stream, &mut tensor.shape)?,
            (4, WireTypeLengthDelimited) => tensor.content = stream.read_bytes()?,
            (5, WireTypeFixed32) => tensor.floats.push(stream.read_float()?),
            (5, WireTypeLengthDelimited) => {
                packed(stream, &mut tensor.floats, Stream::read_float)?;
            }
            (6, WireTypeFixed64) => tensor.doubles.push(stream.read_double()?),
            (6, WireTypeLengthDelimited) => {
                packed(stream, &mut tensor.doubles, Stream::read_double)?;
            }
            (8, WireTypeLengthDelimited) => tensor.strings.push(stream.read_bytes()?),
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(tensor)
}

/// Source: `tensor_shape.proto`, `TensorShapeProto`.
fn shape(stream: &mut Stream<'_>, shape: &mut Vec<i64>) -> Parsed<()> {
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (2, WireTypeLengthDelimited) => shape.push(dimension(stream)?),
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })
}

/// Source: `tensor_shape.proto`, `TensorShapeProto.Dim`.
fn dimension(stream: &mut Stream<'_>) -> Parsed<i64> {
    let mut size = 0;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeVarint) => size = stream.read_int64()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(size)
}

fn packed<'a, T>(
    stream: &mut Stream<'a>,
    numbers: &mut Vec<T>,
    mut read: impl FnMut(&mut Stream<'a>) -> Parsed<T>,
) -> Parsed<()> {
    within_length(stream, |stream| {
        while !stream.eof()? {
            numbers.push(read(stream)?);
        }
        Ok(())
    })
}

/// Hands each field of a message inside a message to `take`.
fn nested<'a>(
    stream: &mut Stream<'a>,
    take: impl FnMut(&mut Stream<'a>, u32, WireType) -> Parsed<()>,
) -> Parsed<()> {
    within_length(stream, |stream| fields(stream, take))
}

/// Hands each field up to the limit of the stream to `take`.
fn fields<'a>(
    stream: &mut Stream<'a>,
    mut take: impl FnMut(&mut Stream<'a>, u32, WireType) -> Parsed<()>,
) -> Parsed<()> {
    while !stream.eof()? {
        let (field, wire) = stream.read_tag_unpack()?;
        take(stream, field, wire)?;
    }
    Ok(())
}

/// Reads a length and lets `read` see no more than so many bytes.
fn within_length<'a>(
    stream: &mut Stream<'a>,
    read: impl FnOnce(&mut Stream<'a>) -> Parsed<()>,
) -> Parsed<()> {
    let length = stream.read_raw_varint64()?;
    let outer = stream.push_limit(length)?;
    read(stream)?;
    stream.pop_limit(outer);
    Ok(())
}

impl WireValue {
    /// The value as the plugin would read it; `None` when it is not as this tool writes it.
    pub(super) fn into_value(self, tag: &str, plugin: &str) -> Option<Value> {
        let tensor = self.tensor?;
        match plugin {
            HISTOGRAMS => tensor.into_histogram(),
            // The value itself says nothing.
            HPARAMS if tensor.is_null() => hparams::hparams(&self.plugin_content)
                .filter(|hparams| hparams.tag() == tag)
                .map(Value::Hparams),
            IMAGES => tensor.into_image(),
            TEXT => tensor.into_text(),
            SCALARS => tensor.into_scalar(),
            _ => None,
        }
    }
}

impl WireTensor {
    /// Shape `[2 + k]`: width, height, and k pictures.
    fn into_image(self) -> Option<Value> {
        let length = i64::try_from(self.strings.len()).ok()?;
        if self.data_type != DataType::DT_STRING as i32 || self.shape != [length] {
            return None;
        }
        let mut strings = self.strings.into_iter();
        let width = decimal(&strings.next()?)?;
        let height = decimal(&strings.next()?)?;
        Some(Value::Image {
            width,
            height,
            pngs: strings.collect(),
        })
    }

    /// Shape `[]`.
    fn into_text(mut self) -> Option<Value> {
        if self.data_type != DataType::DT_STRING as i32 || !self.shape.is_empty() {
            return None;
        }
        let markdown = self.strings.pop().filter(|_| self.strings.is_empty())?;
        String::from_utf8(markdown).ok().map(Value::Text)
    }

    /// Shape `[k, 3]`, in either of the two fields that writers use.
    fn into_histogram(self) -> Option<Value> {
        if self.data_type != DataType::DT_DOUBLE as i32 {
            return None;
        }
        let numbers = match (self.doubles, self.content.as_chunks()) {
            (doubles, ([], [])) => doubles,
            (doubles, (content, [])) if doubles.is_empty() => {
                content.iter().copied().map(f64::from_le_bytes).collect()
            }
            _ => return None,
        };
        let (buckets, []) = numbers.as_chunks::<3>() else {
            return None;
        };
        if self.shape != [i64::try_from(buckets.len()).ok()?, 3] {
            return None;
        }
        let bucket = |&[left, right, count]: &[f64; 3]| Bucket { left, right, count };
        Some(Value::Histogram(Histogram {
            buckets: buckets.iter().map(bucket).collect(),
            non_finite: 0,
        }))
    }

    /// What stands where only the metadata says something.
    ///
    /// Source: `tensorboard/plugins/hparams/metadata.py`, `NULL_TENSOR`.
    fn is_null(&self) -> bool {
        self.data_type == DataType::DT_FLOAT as i32 && self.shape == [0]
    }

    /// Shape `[]`, in either of the two fields that writers use.
    fn into_scalar(self) -> Option<Value> {
        if self.data_type != DataType::DT_FLOAT as i32 || !self.shape.is_empty() {
            return None;
        }
        let value = match (self.floats.as_slice(), self.content.as_slice()) {
            ([value], []) => *value,
            ([], content) => f32::from_le_bytes(content.try_into().ok()?),
            _ => return None,
        };
        Some(Value::Scalar(value))
    }
}

fn decimal(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
