//! The content of the `HParams` tab's metadata.

use protobuf::Message;
use protobuf::well_known_types::{Value, Value_oneof_kind as Kind};
use tensorboard_proto::api::{self, DataType, Status};
use tensorboard_proto::plugin_hparams::{
    HParamsPluginData, HParamsPluginData_oneof_data as Data, SessionEndInfo, SessionStartInfo,
};

use crate::hparams::{
    Experiment, HparamInfo, HparamKind, HparamValue, Hparams, MetricInfo, SessionEnd, SessionStart,
    SessionStatus,
};

/// `None` when it is not as this tool writes it. These messages have no packed fields, so the
/// generated code reads them safely.
///
/// Source: `tensorboard/plugins/hparams/plugin_data.proto`, `HParamsPluginData`, and `api.proto`.
pub(super) fn hparams(content: &[u8]) -> Option<Hparams> {
    let data = HParamsPluginData::parse_from_bytes(content).ok()?;
    if data.version != 0 {
        return None;
    }
    match data.data? {
        Data::experiment(experiment) => self::experiment(experiment).map(Hparams::Experiment),
        Data::session_start_info(start) => self::start(start).map(Hparams::Start),
        Data::session_end_info(end) => self::end(&end).map(Hparams::End),
    }
}

fn experiment(message: api::Experiment) -> Option<Experiment> {
    let hparams = message.hparam_infos.into_iter().map(hparam_info);
    let metrics = message.metric_infos.into_iter().map(|info| MetricInfo {
        tag: info.name.into_option().unwrap_or_default().tag,
        title: info.display_name,
        description: info.description,
    });
    Some(Experiment {
        description: message.description,
        created: message.time_created_secs,
        hparams: hparams.collect::<Option<_>>()?,
        metrics: metrics.collect(),
    })
}

fn hparam_info(message: api::HParamInfo) -> Option<HparamInfo> {
    let kind = match message.field_type {
        DataType::DATA_TYPE_BOOL => HparamKind::Flag,
        DataType::DATA_TYPE_FLOAT64 => HparamKind::Number,
        DataType::DATA_TYPE_STRING => HparamKind::Text,
        DataType::DATA_TYPE_UNSET => return None,
    };
    Some(HparamInfo {
        name: message.name,
        title: message.display_name,
        description: message.description,
        kind,
    })
}

fn start(message: SessionStartInfo) -> Option<SessionStart> {
    let hparams = message.hparams.into_iter();
    let hparams = hparams.map(|(name, value)| Some((name, self::value(value)?)));
    Some(SessionStart {
        hparams: hparams.collect::<Option<_>>()?,
        group: message.group_name,
        started: message.start_time_secs,
    })
}

/// Source: `google/protobuf/struct.proto`, `Value`.
fn value(message: Value) -> Option<HparamValue> {
    match message.kind? {
        Kind::number_value(number) => Some(HparamValue::Number(number)),
        Kind::string_value(text) => Some(HparamValue::Text(text)),
        Kind::bool_value(flag) => Some(HparamValue::Flag(flag)),
        _ => None,
    }
}

fn end(message: &SessionEndInfo) -> Option<SessionEnd> {
    let status = match message.status {
        Status::STATUS_SUCCESS => SessionStatus::Success,
        Status::STATUS_FAILURE => SessionStatus::Failure,
        _ => return None,
    };
    let ended = message.end_time_secs;
    Some(SessionEnd { status, ended })
}
