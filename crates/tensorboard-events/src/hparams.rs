//! What TensorBoard's `HParams` tab shows: with what settings a run was trained, and which of its
//! scalars are results.
//!
//! All of it stands in the metadata of three tags, whose values say nothing. TensorBoard looks at
//! the first metadata of a tag in a run only, so each of them is written once.
//!
//! Source: `tensorboard/plugins/hparams/{metadata,summary_v2}.py`, `plugin_data.proto` and
//! `api.proto`.

use std::collections::BTreeMap;
use std::io;

use protobuf::Message;
use protobuf::well_known_types::Value as AnyValue;
use tensorboard_proto::api;
use tensorboard_proto::plugin_hparams as proto;

/// What a run says to TensorBoard's `HParams` tab.
#[derive(Debug, Clone, PartialEq)]
pub enum Hparams {
    /// What there is to compare.
    Experiment(Experiment),
    /// The training has begun, with these settings.
    Start(SessionStart),
    /// The training has ended.
    End(SessionEnd),
}

/// Which settings and which results the runs of a log directory have.
///
/// TensorBoard takes the first that it finds in any run and shows these columns for all of them.
/// Where no run has one, it shows every setting of every [`SessionStart`], and every scalar of
/// those runs as a result.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Experiment {
    /// Markdown about it.
    pub description: String,
    /// Units: seconds since 1970.
    pub created: f64,
    /// The settings.
    pub hparams: Vec<HparamInfo>,
    /// The results.
    pub metrics: Vec<MetricInfo>,
}

/// A setting of an [`Experiment`].
#[derive(Debug, Clone, PartialEq)]
pub struct HparamInfo {
    /// Its name, as in [`SessionStart::hparams`].
    pub name: String,
    /// What the tab calls it; empty for its name.
    pub title: String,
    /// Markdown about it.
    pub description: String,
    /// Which values it has.
    pub kind: HparamKind,
}

/// A result of an [`Experiment`].
#[derive(Debug, Clone, PartialEq)]
pub struct MetricInfo {
    /// The tag of the scalar whose last value is the result.
    pub tag: String,
    /// What the tab calls it; empty for its tag.
    pub title: String,
    /// Markdown about it.
    pub description: String,
}

/// Which values a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HparamKind {
    /// Yes or no.
    Flag,
    /// Numbers.
    Number,
    /// Anything else.
    Text,
}

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

/// A training begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionStart {
    /// Its settings by name.
    pub hparams: BTreeMap<String, HparamValue>,
    /// Runs of one group are one row of the tab, with the mean of their results; empty for a row
    /// of its own.
    pub group: String,
    /// Units: seconds since 1970.
    pub started: f64,
}

/// A training has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionEnd {
    /// How.
    pub status: SessionStatus,
    /// Units: seconds since 1970.
    pub ended: f64,
}

/// How a training has ended. TensorBoard stays with the first that a run says, so that a training
/// that may be continued had better say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// It has gone to its end.
    Success,
    /// It has not.
    Failure,
}

pub(super) const EXPERIMENT_TAG: &str = "_hparams_/experiment";
pub(super) const START_TAG: &str = "_hparams_/session_start_info";
pub(super) const END_TAG: &str = "_hparams_/session_end_info";

impl Experiment {
    /// The settings of `start`, each by its name, and the scalars `metrics` as results.
    #[must_use]
    pub fn of(start: &SessionStart, metrics: Vec<MetricInfo>) -> Self {
        let info = |(name, value): (&String, &HparamValue)| HparamInfo {
            name: name.clone(),
            title: String::new(),
            description: String::new(),
            kind: value.kind(),
        };
        Self {
            description: String::new(),
            created: start.started,
            hparams: start.hparams.iter().map(info).collect(),
            metrics,
        }
    }
}

impl HparamValue {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> HparamKind {
        match self {
            Self::Flag(_) => HparamKind::Flag,
            Self::Number(_) => HparamKind::Number,
            Self::Text(_) => HparamKind::Text,
        }
    }
}

impl MetricInfo {
    /// The scalar `tag`, by that name.
    #[must_use]
    pub fn new(tag: impl Into<String>) -> Self {
        Self {
            tag: tag.into(),
            title: String::new(),
            description: String::new(),
        }
    }
}

impl Hparams {
    /// The tag under which TensorBoard looks for it.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            Self::Experiment(_) => EXPERIMENT_TAG,
            Self::Start(_) => START_TAG,
            Self::End(_) => END_TAG,
        }
    }

    /// How long [`content`](Self::content) gets. Units: bytes.
    pub(super) fn size(&self) -> u64 {
        self.message().compute_size().into()
    }

    /// The content of the tag's metadata.
    pub(super) fn content(&self) -> io::Result<Vec<u8>> {
        self.message().write_to_bytes().map_err(io::Error::from)
    }

    /// Its version is 0, which is also what a message without one has.
    fn message(&self) -> proto::HParamsPluginData {
        let mut data = proto::HParamsPluginData::new();
        match self {
            Self::Experiment(experiment) => data.set_experiment(experiment.message()),
            Self::Start(start) => data.set_session_start_info(start.message()),
            Self::End(end) => data.set_session_end_info(end.message()),
        }
        data
    }
}

impl Experiment {
    fn message(&self) -> api::Experiment {
        let mut message = api::Experiment::new();
        message.set_description(self.description.clone());
        message.set_time_created_secs(self.created);
        let hparams = self.hparams.iter().map(HparamInfo::message);
        message.set_hparam_infos(hparams.collect());
        let metrics = self.metrics.iter().map(MetricInfo::message);
        message.set_metric_infos(metrics.collect());
        message
    }
}

impl HparamInfo {
    fn message(&self) -> api::HParamInfo {
        let mut message = api::HParamInfo::new();
        message.set_name(self.name.clone());
        message.set_display_name(self.title.clone());
        message.set_description(self.description.clone());
        message.set_field_type(match self.kind {
            HparamKind::Flag => api::DataType::DATA_TYPE_BOOL,
            HparamKind::Number => api::DataType::DATA_TYPE_FLOAT64,
            HparamKind::Text => api::DataType::DATA_TYPE_STRING,
        });
        message
    }
}

impl MetricInfo {
    fn message(&self) -> api::MetricInfo {
        let mut name = api::MetricName::new();
        name.set_tag(self.tag.clone());
        let mut message = api::MetricInfo::new();
        message.set_name(name);
        message.set_display_name(self.title.clone());
        message.set_description(self.description.clone());
        message
    }
}

impl SessionStart {
    fn message(&self) -> proto::SessionStartInfo {
        let mut message = proto::SessionStartInfo::new();
        let hparams = self.hparams.iter();
        message.set_hparams(
            hparams
                .map(|(name, value)| (name.clone(), value.message()))
                .collect(),
        );
        message.set_group_name(self.group.clone());
        message.set_start_time_secs(self.started);
        message
    }
}

impl HparamValue {
    fn message(&self) -> AnyValue {
        let mut message = AnyValue::new();
        match self {
            Self::Flag(flag) => message.set_bool_value(*flag),
            Self::Number(number) => message.set_number_value(*number),
            Self::Text(text) => message.set_string_value(text.clone()),
        }
        message
    }
}

impl SessionEnd {
    fn message(&self) -> proto::SessionEndInfo {
        let mut message = proto::SessionEndInfo::new();
        message.set_status(match self.status {
            SessionStatus::Success => api::Status::STATUS_SUCCESS,
            SessionStatus::Failure => api::Status::STATUS_FAILURE,
        });
        message.set_end_time_secs(self.ended);
        message
    }
}
