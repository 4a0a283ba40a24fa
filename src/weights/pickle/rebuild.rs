//! The few calls and persistent ids that make storages and tensors.

use super::super::dtype::{DType, META, SPARSE};
use super::super::error::WeightsErrorKind;
use super::super::tensor::{Tensor, elements, extent};
use super::danger::{is_getattr, runs_code};
use super::heap::{Heap, Id, Node, Object, StorageView, malformed};

/// What `callable(*arguments)` would give, for the calls that are known; else an inert object.
pub(super) fn call(heap: &mut Heap, callable: Id, arguments: Id) -> Result<Id, WeightsErrorKind> {
    let Node::Class(class) = heap.get(callable) else {
        return inert(heap, callable);
    };
    let arguments = first_items(heap, arguments);
    match (class[0].as_str(), class[1].as_str()) {
        _ if is_getattr(class) => attribute(heap, callable, &arguments),
        ("collections", "OrderedDict") => ordered_dict(heap, &arguments),
        // `Parameter(tensor)`, as PyTorch pickled it until 0.4.
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
        | (_, "Parameter" | "Variable")
            if let Some(&tensor) = arguments.first()
                && class[0].starts_with("torch.")
                && matches!(heap.get(tensor), Node::Tensor(_)) =>
        {
            Ok(tensor)
        }
        // What `torch.compile` makes of a module: `OptimizedModule(module, how)`.
        ("torch._dynamo.eval_frame", "OptimizedModule")
            if let Some(&module) = arguments.first() =>
        {
            Ok(module)
        }
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
            let tensor = rebuild(heap, &arguments, None)?;
            heap.add(tensor)
        }
        ("torch._utils", "_rebuild_tensor_v3") => {
            let dtype = arguments.get(6).map(|&dtype| class_name(heap, dtype));
            let dtype = dtype.map(|dtype| DType::named(dtype.trim_start_matches("torch.")));
            let tensor = rebuild(heap, &arguments, dtype)?;
            heap.add(tensor)
        }
        // `_rebuild_from_type_v2(function, type, arguments, state)`, for tensor subclasses.
        ("torch._tensor" | "torch.tensor", "_rebuild_from_type" | "_rebuild_from_type_v2")
            if let [function, _, inner, ..] = *arguments.as_slice()
                // Not of itself: a list that holds itself would have no end.
                && !class_name(heap, function).contains("._rebuild_from_type") =>
        {
            call(heap, function, inner)
        }
        // Sparse, quantized, nested: listed, never read.
        ("torch._utils", other) if let Some(kind) = other.strip_prefix("_rebuild_") => {
            let nested = |at: usize| Some(*heap.seq(*arguments.get(1)?)?.get(at)?);
            let (kind, shape) = match kind {
                "qtensor" => ("quantized integers", arguments.get(2).copied()),
                "sparse_tensor" => (SPARSE, nested(2)),
                "sparse_csr_tensor" => (SPARSE, nested(3)),
                "meta_tensor_no_storage" => (META, arguments.get(1).copied()),
                other => (other, arguments.get(2).copied()),
            };
            let dtype = DType::Other(kind.to_owned());
            let shape = shape.and_then(|shape| heap.counts(shape));
            heap.add(unreadable(dtype, shape.unwrap_or_default()))
        }
        _ => inert(heap, callable),
    }
}

/// As many items of a list or tuple as any call has.
fn first_items(heap: &Heap, id: Id) -> Vec<Id> {
    let items = heap.seq(id).unwrap_or_default();
    items.iter().take(8).copied().collect()
}

/// What `getattr(class, name)` reaches: nested classes, static and bound methods. Of anything else
/// than a class or an object, no checkpoint needs an attribute.
fn attribute(heap: &mut Heap, getattr: Id, arguments: &[Id]) -> Result<Id, WeightsErrorKind> {
    let reached = match *arguments {
        [owner, name] => match (heap.get(owner), heap.text(name)) {
            (Node::Class(owner), Some(name)) => {
                Some([owner[0].clone(), format!("{}.{name}", owner[1])])
            }
            (Node::Object(object), Some(name)) if !object.class.is_empty() => {
                Some([object.class.clone(), name])
            }
            _ => None,
        },
        _ => None,
    };
    let Some(reached) = reached else {
        let callable = class_name(heap, getattr);
        return Err(WeightsErrorKind::RunsCode { callable });
    };
    if runs_code(&reached) {
        let callable = reached.join(".");
        return Err(WeightsErrorKind::RunsCode { callable });
    }
    heap.add(Node::Class(Box::new(reached)))
}

/// Gives an object its state, which makes a tensor of some.
pub(super) fn build(heap: &mut Heap, object: Id, state: Id) -> Result<(), WeightsErrorKind> {
    let Node::Object(made) = heap.get(object) else {
        return Ok(());
    };
    let is_torch = |ending| made.class.starts_with("torch.") && made.class.ends_with(ending);
    let tensor = match heap.seq(state) {
        // `Tensor.__setstate__` of PyTorch 0.1 to 0.3: storage, offset, size, stride.
        Some(fields @ &[_, _, _, _]) if is_torch("Tensor") => Some(rebuild(heap, fields, None)?),
        // `Variable.__setstate__`: the data comes first.
        Some(&[data, _, _, _, _]) if is_torch("Parameter") || is_torch("Variable") => {
            match heap.get(data) {
                Node::Tensor(tensor) => Some(Node::Tensor(tensor.clone())),
                _ => None,
            }
        }
        _ => None,
    };
    match (heap.get_mut(object), tensor) {
        (Some(node), Some(tensor)) => *node = tensor,
        // A `dict`'s attributes (`_metadata`) are of no use.
        (Some(Node::Object(object)), None) if !object.class.is_empty() => {
            object.state = Some(state);
        }
        _ => {}
    }
    Ok(())
}

/// The class of an object, as `module.name`.
fn class_name(heap: &Heap, id: Id) -> String {
    match heap.get(id) {
        Node::Class(class) => class.join("."),
        Node::Object(object) if !object.class.is_empty() => object.class.clone(),
        _ => "object".to_owned(),
    }
}

pub(super) fn inert(heap: &mut Heap, class: Id) -> Result<Id, WeightsErrorKind> {
    let class = match class_name(heap, class).as_str() {
        "collections.OrderedDict" => String::new(),
        class => class.to_owned(),
    };
    heap.add(Node::Object(Box::new(Object {
        class,
        ..Object::default()
    })))
}

/// `OrderedDict()`, or `OrderedDict([[key, value], ...])` as Python 2 wrote it.
fn ordered_dict(heap: &mut Heap, arguments: &[Id]) -> Result<Id, WeightsErrorKind> {
    let items = arguments.first().and_then(|&items| heap.seq(items));
    let pairs = items.unwrap_or_default().iter();
    let pairs = pairs.filter_map(|&pair| <[Id; 2]>::try_from(heap.seq(pair)?).ok());
    let items = pairs.map(|[key, value]| (key, value)).collect();
    heap.add(Node::Object(Box::new(Object {
        items,
        ..Object::default()
    })))
}

/// `(storage, offset, size, stride, ...)`, with the type given or the storage's own.
fn rebuild(heap: &Heap, arguments: &[Id], dtype: Option<DType>) -> Result<Node, WeightsErrorKind> {
    let [storage, offset, size, stride, ..] = *arguments else {
        return malformed("a tensor without storage, offset, size and stride");
    };
    let (Some(offset), Some(shape), Some(stride)) =
        (heap.count(offset), heap.counts(size), heap.counts(stride))
    else {
        return malformed("a tensor whose offset, size or stride is not a number");
    };
    let Node::Storage(storage) = heap.get(storage) else {
        // `pickle.dump` keeps the storage as an opaque value instead.
        let dtype = DType::Other("data outside of torch.save's format".to_owned());
        return Ok(unreadable(dtype, shape));
    };
    let key = &storage.key;
    let Some(dtype) = dtype.or_else(|| storage.dtype.clone()) else {
        return malformed(format!("storage {key} has no type"));
    };
    // Types that are never read are not checked against their storage.
    let Some(size) = dtype.size() else {
        return Ok(unreadable(dtype, shape));
    };
    // An untyped storage counts bytes.
    let end = match storage.dtype {
        Some(_) => storage.end,
        None => storage.end / size,
    };
    let first = storage.start.checked_add(offset);
    let reach = elements(&shape)
        .and_then(|_| extent(&shape, &stride))
        .and_then(|extent| first?.checked_add(extent));
    match (first, reach) {
        (Some(first), Some(reach)) if reach <= end => {
            let tensor = Tensor::view(dtype, shape, stride, key.clone(), first);
            Ok(Node::Tensor(Box::new(tensor)))
        }
        _ => malformed(format!(
            "a tensor of shape {shape:?} does not fit into storage {key} of {end} elements"
        )),
    }
}

fn unreadable(dtype: DType, shape: Vec<usize>) -> Node {
    Node::Tensor(Box::new(Tensor::unreadable(dtype, shape)))
}

/// What a persistent id stands for: a storage, or the class of a module.
pub(super) fn persistent(heap: &mut Heap, id: Id) -> Result<Id, WeightsErrorKind> {
    match *first_items(heap, id).as_slice() {
        // ("module", class, source file, source), in legacy files.
        [tag, class, ..] if heap.is_text(tag, "module") => Ok(class),
        [tag, class, key, _location, count, ref view @ ..] if heap.is_text(tag, "storage") => {
            let (Some(key), Some(count)) = (heap.text(key), heap.count(count)) else {
                return malformed("a storage without key and size");
            };
            let class = class_name(heap, class);
            let storage = storage(heap, &class, key, count, view.first().copied())?;
            heap.add(Node::Storage(Box::new(storage)))
        }
        _ => malformed("a persistent id of an unknown form"),
    }
}

fn storage(
    heap: &mut Heap,
    class: &str,
    key: String,
    count: usize,
    view: Option<Id>,
) -> Result<StorageView, WeightsErrorKind> {
    let class = class.rsplit('.').next().unwrap_or_default();
    let Some((_, name, element)) = STORAGES.iter().find(|(name, ..)| *name == class) else {
        return malformed(format!("torch.{class} is a storage of an unknown type"));
    };
    if count.checked_mul(*element).is_none() {
        return malformed(format!("storage {key} is too large"));
    }
    heap.storages.insert(key.clone(), [count, *element]);
    // (key of the view, offset, size), in early legacy files.
    let view = view.and_then(|view| match *heap.seq(view)? {
        [_, offset, size] => heap.count(offset).zip(heap.count(size)),
        _ => None,
    });
    let (start, len) = view.unwrap_or((0, count));
    match start.checked_add(len) {
        Some(end) if end <= count => Ok(StorageView {
            key,
            dtype: (!name.is_empty()).then(|| DType::named(name)),
            start,
            end,
        }),
        _ => malformed(format!("a view reaches past storage {key}")),
    }
}

/// Classes of storages, what their elements are, and the bytes of one.
const STORAGES: [(&str, &str, usize); 18] = [
    ("FloatStorage", "float32", 4),
    ("HalfStorage", "float16", 2),
    ("BFloat16Storage", "bfloat16", 2),
    ("DoubleStorage", "float64", 8),
    ("UntypedStorage", "", 1),
    ("LongStorage", "int64", 8),
    ("IntStorage", "int32", 4),
    ("ShortStorage", "int16", 2),
    ("CharStorage", "int8", 1),
    ("ByteStorage", "uint8", 1),
    ("BoolStorage", "bool", 1),
    ("ComplexFloatStorage", "complex64", 8),
    ("ComplexDoubleStorage", "complex128", 16),
    ("QInt8Storage", "qint8", 1),
    ("QUInt8Storage", "quint8", 1),
    ("QUInt4x2Storage", "quint4x2", 1),
    ("QUInt2x4Storage", "quint2x4", 1),
    ("QInt32Storage", "qint32", 4),
];
