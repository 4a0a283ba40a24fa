//! What TensorBoard's `HParams` tab shows: with what settings a run was trained, and which of its scalars are
//! results.
//!
//! All of it stands in the metadata of three tags, whose values say nothing. TensorBoard looks at the first metadata
//! of a tag in a run only, so each of them is written once.
//!
//! Source: `tensorboard/plugins/hparams/{metadata,summary_v2}.py`, `plugin_data.proto` and `api.proto`. The messages
//! have no packed fields, so the generated code reads them safely.

use protobuf::Message;
use protobuf::well_known_types::{Value as AnyValue, Value_oneof_kind as Kind};
use tensorboard_proto::api::{DataType, Experiment, HParamInfo, MetricInfo, Status};
use tensorboard_proto::plugin_hparams::{
    HParamsPluginData, HParamsPluginData_oneof_data as Data, SessionEndInfo, SessionStartInfo,
};

/// What a run says to TensorBoard's `HParams` tab: one of the plugin's three messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Hparams(pub(crate) Data);

/// The value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum HparamValue {
    /// Yes or no.
    Flag(bool),
    /// A finite number; TensorBoard leaves out others.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl Hparams {
    /// The columns of the tab: `settings` by their names and kinds, in this order, and the scalars `metrics`, whose last values are
    /// results. `created` is in seconds since 1970.
    ///
    /// TensorBoard takes the first that it finds in any run of a log directory and shows these columns for all of
    /// them. Where no run has one, it shows every setting of every [`start`](Self::start), and every scalar of those
    /// runs as a result.
    pub fn experiment(settings: &[(String, HparamValue)], metrics: &[&str], created: f64) -> Self {
        let info = |(name, value): &(String, HparamValue)| HParamInfo {
            name: name.clone(),
            field_type: match value {
                HparamValue::Flag(_) => DataType::DATA_TYPE_BOOL,
                HparamValue::Number(_) => DataType::DATA_TYPE_FLOAT64,
                HparamValue::Text(_) => DataType::DATA_TYPE_STRING,
            },
            ..HParamInfo::default()
        };
        let metric = |tag: &&str| {
            let mut info = MetricInfo::default();
            info.mut_name().set_tag((*tag).to_owned());
            info
        };
        Self(Data::experiment(Experiment {
            time_created_secs: created,
            hparam_infos: settings.iter().map(info).collect(),
            metric_infos: metrics.iter().map(metric).collect(),
            ..Experiment::default()
        }))
    }

    /// A training begins with these settings, `started` seconds after 1970.
    ///
    /// Runs of one `group` are one row of the tab, with the mean of their results; empty for a row of its own.
    pub fn start(settings: &[(String, HparamValue)], group: &str, started: f64) -> Self {
        let value = |value: &HparamValue| AnyValue {
            kind: Some(match value {
                HparamValue::Flag(flag) => Kind::bool_value(*flag),
                HparamValue::Number(number) => Kind::number_value(*number),
                HparamValue::Text(text) => Kind::string_value(text.clone()),
            }),
            ..AnyValue::default()
        };
        let hparams = settings.iter().map(|(name, of)| (name.clone(), value(of)));
        Self(Data::session_start_info(SessionStartInfo {
            hparams: hparams.collect(),
            group_name: group.to_owned(),
            start_time_secs: started,
            ..SessionStartInfo::default()
        }))
    }

    /// A training has ended, completed or not, `ended` seconds after 1970. TensorBoard stays with the first end that
    /// a run says, so that a training that may be resumed had better say nothing.
    pub fn end(success: bool, ended: f64) -> Self {
        Self(Data::session_end_info(SessionEndInfo {
            status: if success {
                Status::STATUS_SUCCESS
            } else {
                Status::STATUS_FAILURE
            },
            end_time_secs: ended,
            ..SessionEndInfo::default()
        }))
    }

    pub(crate) fn tag(&self) -> &'static str {
        match self.0 {
            Data::experiment(_) => "_hparams_/experiment",
            Data::session_start_info(_) => "_hparams_/session_start_info",
            Data::session_end_info(_) => "_hparams_/session_end_info",
        }
    }

    /// The content of the tag's metadata. Its version is 0, which is also what a message without one has.
    pub(crate) fn message(&self) -> HParamsPluginData {
        HParamsPluginData {
            data: Some(self.0.clone()),
            ..HParamsPluginData::default()
        }
    }

    /// `None` when the content is of another version, or not what belongs under the tag.
    pub(crate) fn read(tag: &str, content: &[u8]) -> Option<Self> {
        let message = HParamsPluginData::parse_from_bytes(content).ok()?;
        let hparams = message.data.map(Self)?;
        (message.version == 0 && hparams.tag() == tag).then_some(hparams)
    }
}
