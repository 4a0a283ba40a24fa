//! The graph of an exported program, as its JSON has it. Keys that are not needed are not read.
//!
//! Source: `torch/_export/serde/schema.py` of `PyTorch` 2.9, schema 8.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::value::Value;

#[derive(Deserialize)]
pub(super) struct Program {
    pub(super) graph_module: Module,
    pub(super) torch_version: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) major: u64,
}

#[derive(Deserialize)]
pub(super) struct Module {
    pub(super) graph: Graph,
    pub(super) signature: Signature,
}

#[derive(Deserialize)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) tensor_values: HashMap<String, Meta>,
}

#[derive(Deserialize)]
pub(super) struct Node {
    /// `torch.ops.aten.conv2d.default`
    pub(super) target: String,
    pub(super) inputs: Vec<NamedArgument>,
    pub(super) outputs: Vec<Argument>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    /// `key,path,class`, joined by semicolons, the innermost last.
    #[serde(default)]
    pub(super) nn_module_stack: String,
    #[serde(default)]
    pub(super) torch_fn: String,
}

#[derive(Deserialize)]
pub(super) struct NamedArgument {
    pub(super) name: String,
    pub(super) arg: Argument,
}

/// An argument, with those that are read alike together.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "as the schema has them")]
pub(super) enum Argument {
    /// No operation that is known takes graphs and objects; one that is not is never run.
    #[serde(
        alias = "as_memory_format",
        alias = "as_layout",
        alias = "as_device",
        alias = "as_graph",
        alias = "as_custom_obj",
        alias = "as_operator",
        alias = "as_complex"
    )]
    AsNone(IgnoredAny),
    AsTensor(Name),
    AsTensors(Vec<Name>),
    /// The name of a number that the sizes of the input decide.
    AsName(String),
    #[serde(
        alias = "as_float",
        alias = "as_bool",
        alias = "as_string",
        alias = "as_scalar_type"
    )]
    AsInt(Value),
    #[serde(alias = "as_floats", alias = "as_bools", alias = "as_strings")]
    AsInts(Vec<Value>),
    #[serde(
        alias = "as_sym_float",
        alias = "as_sym_bool",
        alias = "as_optional_tensor"
    )]
    AsSymInt(Box<Argument>),
    #[serde(
        alias = "as_sym_floats",
        alias = "as_sym_bools",
        alias = "as_optional_tensors"
    )]
    AsSymInts(Vec<Argument>),
}

impl Argument {
    /// The values that it names.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::AsTensor(Name { name }) | Self::AsName(name) => vec![name],
            Self::AsTensors(all) => all.iter().map(|one| one.name.as_str()).collect(),
            Self::AsSymInt(one) => one.names(),
            Self::AsSymInts(all) => all.iter().flat_map(Self::names).collect(),
            Self::AsNone(_) | Self::AsInt(_) | Self::AsInts(_) => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Name {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Meta {
    pub(super) dtype: u32,
    pub(super) sizes: Vec<Size>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Size {
    AsInt(i64),
    AsExpr(Expression),
}

/// A size that the input's sizes decide, and what it was for the example.
#[derive(Deserialize)]
pub(super) struct Expression {
    pub(super) expr_str: String,
    pub(super) hint: Option<Hint>,
}

#[derive(Deserialize)]
pub(super) struct Hint {
    pub(super) as_int: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Signature {
    pub(super) input_specs: Vec<Input>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Input {
    UserInput(UserInput),
    Parameter(Stored),
    Buffer(Stored),
    TensorConstant(Stored),
    #[serde(alias = "token", alias = "constant_input")]
    CustomObj(IgnoredAny),
}

#[derive(Deserialize)]
pub(super) struct UserInput {
    pub(super) arg: Argument,
}

/// A tensor that is not made by the graph.
#[derive(Deserialize)]
pub(super) struct Stored {
    pub(super) arg: Name,
    #[serde(
        alias = "parameter_name",
        alias = "buffer_name",
        alias = "tensor_constant_name"
    )]
    pub(super) name: String,
    /// Whether a state dict has it; of buffers only.
    #[serde(default)]
    pub(super) persistent: bool,
}
