//! What the layers of an exported program are called.
//!
//! A layer is a call of a module of `torch.nn`, under its path, or an operation outside one, under the path of the module
//! around it and its own name. A second call gets `_1`, a third `_2`: the names of
//! `torchvision.models.feature_extraction.get_graph_node_names`.

use std::collections::HashMap;

use super::schema::{Argument, Node};

#[derive(Debug, Default)]
pub(super) struct LayerNames {
    /// The path of the innermost module around it.
    pub(super) module: String,
    /// The layer whose output it gives: `None` where a module goes on, or where that is no tensor.
    pub(super) layer: Option<String>,
    /// The class of the module of `torch.nn` that it is of, if any: `Conv2d`.
    pub(super) class: Option<String>,
}

/// A node, as far as its name goes.
struct Call<'a> {
    path: String,
    /// That of the module of `torch.nn` whose path it is, if it is one's.
    class: Option<&'a str>,
    /// The innermost module, and which call of it.
    inner: &'a str,
    is_relu: bool,
    is_tensor: bool,
}

impl<'a> Call<'a> {
    fn of(node: &'a Node) -> Self {
        let stack = &node.metadata.nn_module_stack;
        let leaf = modules(stack).find(|(_, class)| is_leaf(class));
        let inner = modules(stack).last().map_or("", |(path, _)| path);
        let path = if let Some((path, _)) = leaf {
            without_count(path).to_owned()
        } else {
            let parts = [inner, operation(&node.target)];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join(".")
        };
        Self {
            path,
            class: leaf.map(|(_, class)| class),
            inner,
            is_relu: node.metadata.torch_fn.contains("relu"),
            is_tensor: matches!(node.outputs.first(), Some(Argument::AsTensor(_))),
        }
    }

    /// Whether the next node is of the same call of a module.
    fn goes_on_in(&self, next: &Self) -> bool {
        let is_module = self.class.is_some() && next.class.is_some();
        is_module && next.path == self.path && next.inner == self.inner && !self.is_relu
    }
}

impl LayerNames {
    /// Those of all nodes, in their order.
    pub(super) fn of(nodes: &[Node]) -> Vec<Self> {
        let calls: Vec<Call> = nodes.iter().map(Call::of).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let named = calls.iter().enumerate().map(|(at, call)| {
            let goes_on = calls.get(at + 1).is_some_and(|next| call.goes_on_in(next));
            let layer = (call.is_tensor && !goes_on).then(|| {
                let count = counts.entry(&call.path).or_default();
                *count += 1;
                match *count - 1 {
                    0 => call.path.clone(),
                    again => format!("{}_{again}", call.path),
                }
            });
            Self {
                module: without_count(call.inner).to_owned(),
                // `Conv2d` of `torch.nn.modules.conv.Conv2d`.
                class: call
                    .class
                    .and_then(|class| Some(class.rsplit('.').next()?.to_owned())),
                layer,
            }
        });
        named.collect()
    }
}

/// Paths and classes, the outermost first.
fn modules(stack: &str) -> impl Iterator<Item = (&str, &str)> {
    stack.split(';').filter_map(|module| {
        let (rest, class) = module.rsplit_once(',')?;
        let (_, path) = rest.rsplit_once(',')?;
        (!path.starts_with("_empty")).then_some((path, class))
    })
}

fn is_leaf(class: &str) -> bool {
    let is_container = class.ends_with("Sequential") || class.ends_with("ModuleList");
    class.starts_with("torch.nn.modules") && !is_container
}

/// `relu` of `relu@1`, as the second call of a module is called.
fn without_count(path: &str) -> &str {
    match path.rsplit_once('@') {
        Some((path, count)) if count.bytes().all(|byte| byte.is_ascii_digit()) => path,
        _ => path,
    }
}

/// `flatten` of `torch.ops.aten.flatten.using_ints`, `mul` of `_operator.mul`.
fn operation(target: &str) -> &str {
    let place = if target.starts_with("torch.ops") {
        3
    } else {
        1
    };
    target
        .split('.')
        .nth(place)
        .unwrap_or(target)
        .trim_end_matches('_')
}
