//! What TensorBoard's `HParams` tab shows: with what settings a run was trained, and which of its scalars are
//! results.
//!
//! All of it stands in the metadata of three tags, whose values say nothing. TensorBoard looks at the first metadata
//! of a tag in a run only, so each of them is written once.
//!
//! Source: `tensorboard/plugins/hparams/{metadata,summary_v2}.py`, `plugin_data.proto` and `api.proto`. The messages
//! have no packed fields, so the generated code reads them safely.

use std::collections::BTreeMap;
use std::io;

use protobuf::Message;
use protobuf::well_known_types::{Value as AnyValue, Value_oneof_kind as Kind};
use tensorboard_proto::api::{self, DataType, Status};
use tensorboard_proto::plugin_hparams::{
    HParamsPluginData, HParamsPluginData_oneof_data as Data, SessionEndInfo, SessionStartInfo,
};

/// What a run says to TensorBoard's `HParams` tab.
#[derive(Debug, Clone, PartialEq)]
pub enum Hparams {
    /// What there is to compare.
    Experiment(Experiment),
    /// A training begins.
    Start {
        /// Its settings by name.
        hparams: BTreeMap<String, HparamValue>,
        /// Runs of one group are one row of the tab, with the mean of their results; empty for a row of its own.
        group: String,
        /// Units: seconds since 1970.
        started: f64,
    },
    /// A training has ended. TensorBoard stays with the first end that a run says, so that a training that may be
    /// continued had better say nothing.
    End {
        /// Whether it has gone to its end.
        success: bool,
        /// Units: seconds since 1970.
        ended: f64,
    },
}

/// Which settings and which results the runs of a log directory have.
///
/// TensorBoard takes the first that it finds in any run and shows these columns for all of them. Where no run has
/// one, it shows every setting of every [`Hparams::Start`], and every scalar of those runs as a result.
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
    /// Its name, as in [`Hparams::Start`].
    pub name: String,
    /// What the tab calls it; empty for its name.
    pub title: String,
    /// Markdown about it.
    pub description: String,
    /// Which values it has.
    pub kind: HparamKind,
}

/// A result of an [`Experiment`].
#[derive(Debug, Clone, Default, PartialEq)]
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

impl Hparams {
    /// The tag under which TensorBoard looks for it.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Experiment(_) => "_hparams_/experiment",
            Self::Start { .. } => "_hparams_/session_start_info",
            Self::End { .. } => "_hparams_/session_end_info",
        }
    }

    /// The content of the tag's metadata.
    pub(crate) fn content(&self) -> io::Result<Vec<u8>> {
        self.message().write_to_bytes().map_err(io::Error::from)
    }

    /// Its version is 0, which is also what a message without one has.
    pub(crate) fn message(&self) -> HParamsPluginData {
        let data = match self {
            Self::Experiment(experiment) => Data::experiment(experiment.message()),
            Self::Start {
                hparams,
                group,
                started,
            } => {
                let values = hparams.iter().map(|(k, v)| (k.clone(), v.message()));
                Data::session_start_info(SessionStartInfo {
                    hparams: values.collect(),
                    group_name: group.clone(),
                    start_time_secs: *started,
                    ..SessionStartInfo::default()
                })
            }
            Self::End { success, ended } => Data::session_end_info(SessionEndInfo {
                status: if *success {
                    Status::STATUS_SUCCESS
                } else {
                    Status::STATUS_FAILURE
                },
                end_time_secs: *ended,
                ..SessionEndInfo::default()
            }),
        };
        HParamsPluginData {
            data: Some(data),
            ..HParamsPluginData::default()
        }
    }

    /// `None` when the content is not as this crate writes it.
    pub(crate) fn read(content: &[u8]) -> Option<Self> {
        let message = HParamsPluginData::parse_from_bytes(content).ok()?;
        if message.version != 0 {
            return None;
        }
        match message.data? {
            Data::experiment(message) => Experiment::read(message).map(Self::Experiment),
            Data::session_start_info(message) => {
                let values = message.hparams.into_iter();
                let values = values.map(|(name, value)| Some((name, HparamValue::read(value)?)));
                Some(Self::Start {
                    hparams: values.collect::<Option<_>>()?,
                    group: message.group_name,
                    started: message.start_time_secs,
                })
            }
            Data::session_end_info(message) => Some(Self::End {
                success: match message.status {
                    Status::STATUS_SUCCESS => true,
                    Status::STATUS_FAILURE => false,
                    _ => return None,
                },
                ended: message.end_time_secs,
            }),
        }
    }
}

impl Experiment {
    /// The settings `hparams`, each by its name, and the scalars `metrics` as results.
    #[must_use]
    pub fn of(hparams: &BTreeMap<String, HparamValue>, metrics: Vec<MetricInfo>) -> Self {
        let info = |(name, value): (&String, &HparamValue)| HparamInfo {
            name: name.clone(),
            title: String::new(),
            description: String::new(),
            kind: match value {
                HparamValue::Flag(_) => HparamKind::Flag,
                HparamValue::Number(_) => HparamKind::Number,
                HparamValue::Text(_) => HparamKind::Text,
            },
        };
        Self {
            hparams: hparams.iter().map(info).collect(),
            metrics,
            ..Self::default()
        }
    }

    fn message(&self) -> api::Experiment {
        let metric = |metric: &MetricInfo| api::MetricInfo {
            name: Some(api::MetricName {
                tag: metric.tag.clone(),
                ..api::MetricName::default()
            })
            .into(),
            display_name: metric.title.clone(),
            description: metric.description.clone(),
            ..api::MetricInfo::default()
        };
        api::Experiment {
            description: self.description.clone(),
            time_created_secs: self.created,
            hparam_infos: self.hparams.iter().map(HparamInfo::message).collect(),
            metric_infos: self.metrics.iter().map(metric).collect(),
            ..api::Experiment::default()
        }
    }

    fn read(message: api::Experiment) -> Option<Self> {
        let hparams = message.hparam_infos.into_iter().map(HparamInfo::read);
        let metrics = message.metric_infos.into_iter().map(|info| MetricInfo {
            tag: info.name.into_option().unwrap_or_default().tag,
            title: info.display_name,
            description: info.description,
        });
        Some(Self {
            description: message.description,
            created: message.time_created_secs,
            hparams: hparams.collect::<Option<_>>()?,
            metrics: metrics.collect(),
        })
    }
}

impl HparamInfo {
    fn message(&self) -> api::HParamInfo {
        api::HParamInfo {
            name: self.name.clone(),
            display_name: self.title.clone(),
            description: self.description.clone(),
            field_type: match self.kind {
                HparamKind::Flag => DataType::DATA_TYPE_BOOL,
                HparamKind::Number => DataType::DATA_TYPE_FLOAT64,
                HparamKind::Text => DataType::DATA_TYPE_STRING,
            },
            ..api::HParamInfo::default()
        }
    }

    fn read(message: api::HParamInfo) -> Option<Self> {
        Some(Self {
            name: message.name,
            title: message.display_name,
            description: message.description,
            kind: match message.field_type {
                DataType::DATA_TYPE_BOOL => HparamKind::Flag,
                DataType::DATA_TYPE_FLOAT64 => HparamKind::Number,
                DataType::DATA_TYPE_STRING => HparamKind::Text,
                DataType::DATA_TYPE_UNSET => return None,
            },
        })
    }
}

impl MetricInfo {
    /// The scalar `tag`, by that name.
    #[must_use]
    pub fn new(tag: impl Into<String>) -> Self {
        Self {
            tag: tag.into(),
            ..Self::default()
        }
    }
}

impl HparamValue {
    fn message(&self) -> AnyValue {
        let kind = match self {
            Self::Flag(flag) => Kind::bool_value(*flag),
            Self::Number(number) => Kind::number_value(*number),
            Self::Text(text) => Kind::string_value(text.clone()),
        };
        AnyValue {
            kind: Some(kind),
            ..AnyValue::default()
        }
    }

    fn read(message: AnyValue) -> Option<Self> {
        match message.kind? {
            Kind::number_value(number) => Some(Self::Number(number)),
            Kind::string_value(text) => Some(Self::Text(text)),
            Kind::bool_value(flag) => Some(Self::Flag(flag)),
            _ => None,
        }
    }
}
