//! The content of the `HParams` tab's metadata, read field by field.

use protobuf::wire_format::WireType::{WireTypeFixed64, WireTypeLengthDelimited, WireTypeVarint};
use tensorboard_proto::api::{DataType, Status};

use super::super::hparams::{
    Experiment, HparamInfo, HparamKind, HparamValue, Hparams, MetricInfo, SessionEnd, SessionStart,
    SessionStatus,
};
use super::{Parsed, Stream, fields, nested};

/// `None` when it is not as this tool writes it.
///
/// Source: `tensorboard/plugins/hparams/plugin_data.proto`, `HParamsPluginData`.
pub(super) fn hparams(content: &[u8]) -> Option<Hparams> {
    let mut found = None;
    let mut version = 0;
    let mut stream = Stream::from_bytes(content);
    stream.push_limit(content.len() as u64).ok()?;
    fields(&mut stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeVarint) => version = stream.read_int32()?,
            (2, WireTypeLengthDelimited) => found = experiment(stream)?.map(Hparams::Experiment),
            (3, WireTypeLengthDelimited) => found = start(stream)?.map(Hparams::Start),
            (4, WireTypeLengthDelimited) => found = end(stream)?.map(Hparams::End),
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })
    .ok()?;
    found.filter(|_| version == 0)
}

/// Source: `api.proto`, `Experiment`.
fn experiment(stream: &mut Stream<'_>) -> Parsed<Option<Experiment>> {
    let mut experiment = Experiment::default();
    let mut known = true;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => experiment.description = stream.read_string()?,
            (3, WireTypeFixed64) => experiment.created = stream.read_double()?,
            (4, WireTypeLengthDelimited) => match hparam_info(stream)? {
                Some(info) => experiment.hparams.push(info),
                None => known = false,
            },
            (5, WireTypeLengthDelimited) => experiment.metrics.push(metric_info(stream)?),
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(known.then_some(experiment))
}

/// Source: `api.proto`, `HParamInfo`.
fn hparam_info(stream: &mut Stream<'_>) -> Parsed<Option<HparamInfo>> {
    let (mut name, mut title, mut description) = Default::default();
    let mut data_type = 0;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => name = stream.read_string()?,
            (2, WireTypeLengthDelimited) => title = stream.read_string()?,
            (3, WireTypeLengthDelimited) => description = stream.read_string()?,
            (4, WireTypeVarint) => data_type = stream.read_int32()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(kind(data_type).map(|kind| HparamInfo {
        name,
        title,
        description,
        kind,
    }))
}

fn kind(data_type: i32) -> Option<HparamKind> {
    [
        (DataType::DATA_TYPE_BOOL, HparamKind::Flag),
        (DataType::DATA_TYPE_FLOAT64, HparamKind::Number),
        (DataType::DATA_TYPE_STRING, HparamKind::Text),
    ]
    .into_iter()
    .find_map(|(code, kind)| (code as i32 == data_type).then_some(kind))
}

/// Source: `api.proto`, `MetricInfo`.
fn metric_info(stream: &mut Stream<'_>) -> Parsed<MetricInfo> {
    let mut info = MetricInfo::new("");
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => info.tag = metric_tag(stream)?,
            (3, WireTypeLengthDelimited) => info.title = stream.read_string()?,
            (4, WireTypeLengthDelimited) => info.description = stream.read_string()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(info)
}

/// Source: `api.proto`, `MetricName`.
fn metric_tag(stream: &mut Stream<'_>) -> Parsed<String> {
    let mut tag = String::new();
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (2, WireTypeLengthDelimited) => tag = stream.read_string()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(tag)
}

/// Source: `plugin_data.proto`, `SessionStartInfo`.
fn start(stream: &mut Stream<'_>) -> Parsed<Option<SessionStart>> {
    let mut start = SessionStart::default();
    let mut known = true;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => match hparam(stream)? {
                (name, Some(value)) => drop(start.hparams.insert(name, value)),
                (_, None) => known = false,
            },
            (4, WireTypeLengthDelimited) => start.group = stream.read_string()?,
            (5, WireTypeFixed64) => start.started = stream.read_double()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(known.then_some(start))
}

/// An entry of the map `SessionStartInfo.hparams`.
fn hparam(stream: &mut Stream<'_>) -> Parsed<(String, Option<HparamValue>)> {
    let mut name = String::new();
    let mut found = None;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeLengthDelimited) => name = stream.read_string()?,
            (2, WireTypeLengthDelimited) => found = value(stream)?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok((name, found))
}

/// Source: `google/protobuf/struct.proto`, `Value`.
fn value(stream: &mut Stream<'_>) -> Parsed<Option<HparamValue>> {
    let mut value = None;
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (2, WireTypeFixed64) => value = Some(HparamValue::Number(stream.read_double()?)),
            (3, WireTypeLengthDelimited) => value = Some(HparamValue::Text(stream.read_string()?)),
            (4, WireTypeVarint) => value = Some(HparamValue::Flag(stream.read_bool()?)),
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    Ok(value)
}

/// Source: `plugin_data.proto`, `SessionEndInfo`.
fn end(stream: &mut Stream<'_>) -> Parsed<Option<SessionEnd>> {
    let (mut status, mut ended) = (0, 0.0);
    nested(stream, |stream, field, wire| {
        match (field, wire) {
            (1, WireTypeVarint) => status = stream.read_int32()?,
            (2, WireTypeFixed64) => ended = stream.read_double()?,
            _ => stream.skip_field(wire)?,
        }
        Ok(())
    })?;
    let status = [
        (Status::STATUS_SUCCESS, SessionStatus::Success),
        (Status::STATUS_FAILURE, SessionStatus::Failure),
    ]
    .into_iter()
    .find_map(|(code, known)| (code as i32 == status).then_some(known));
    Ok(status.map(|status| SessionEnd { status, ended }))
}
