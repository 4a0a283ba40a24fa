//! The graph of an exported program, as its JSON has it. Keys that are not needed are not read.
//!
//! Source: `torch/_export/serde/schema.py` of `PyTorch` 2.9, schema 8.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

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

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "as the schema has them")]
pub(super) enum Argument {
    AsNone(IgnoredAny),
    AsTensor(Name),
    AsTensors(Vec<Name>),
    AsOptionalTensor(Optional),
    AsOptionalTensors(Vec<Optional>),
    AsInt(i64),
    AsInts(Vec<i64>),
    AsFloat(Float),
    AsFloats(Vec<Float>),
    AsBool(bool),
    AsBools(Vec<bool>),
    AsString(String),
    AsStrings(Vec<String>),
    AsSymInt(Symbol<i64>),
    AsSymInts(Vec<Symbol<i64>>),
    AsSymFloat(Symbol<f64>),
    AsSymFloats(Vec<Symbol<f64>>),
    AsSymBool(Symbol<bool>),
    AsSymBools(Vec<Symbol<bool>>),
    AsScalarType(u32),
    AsMemoryFormat(IgnoredAny),
    AsLayout(IgnoredAny),
    AsDevice(IgnoredAny),
    AsGraph(IgnoredAny),
    AsCustomObj(IgnoredAny),
    AsOperator(IgnoredAny),
    AsComplex(IgnoredAny),
}

#[derive(Deserialize)]
pub(super) struct Name {
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Optional {
    AsTensor(Name),
    AsNone(IgnoredAny),
}

/// JSON has no infinite numbers: they are strings.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Float {
    Finite(f64),
    Named(String),
}

/// A number that is known, or the name of one that the sizes of the input decide.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Symbol<T> {
    AsName(String),
    #[serde(alias = "as_float", alias = "as_bool")]
    AsInt(T),
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
#[expect(clippy::enum_variant_names, reason = "as the schema has them")]
pub(super) enum Input {
    UserInput(UserInput),
    Parameter {
        arg: Name,
        parameter_name: String,
    },
    Buffer {
        arg: Name,
        buffer_name: String,
        persistent: bool,
    },
    TensorConstant {
        arg: Name,
        tensor_constant_name: String,
    },
    CustomObj(IgnoredAny),
    Token(IgnoredAny),
    ConstantInput(IgnoredAny),
}

#[derive(Deserialize)]
pub(super) struct UserInput {
    pub(super) arg: Argument,
}
