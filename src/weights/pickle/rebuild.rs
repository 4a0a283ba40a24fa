//! The few calls and persistent ids that make storages and tensors.

use super::super::dtype::DType;
use super::super::tensor::{elements, extent};
use super::{Heap, Id, Node, Object, PickleError, StorageView, TensorView, malformed};

/// What `callable(*arguments)` would give, for the calls that are known; else an inert object.
pub(super) fn call(heap: &mut Heap, callable: Id, arguments: Id) -> Result<Id, PickleError> {
    let Node::Class { module, name } = heap.get(callable) else {
        return inert(heap, callable);
    };
    let arguments = heap.seq(arguments).unwrap_or_default().to_vec();
    match (module.as_str(), name.as_str()) {
        ("collections", "OrderedDict") => ordered_dict(heap, &arguments),
        ("collections", "defaultdict" | "Counter") => heap.add(Node::Dict(Vec::new())),
        ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") => {
            match arguments.first() {
                Some(&items) => Ok(items),
                None => heap.add(Node::Seq(Vec::new())),
            }
        }
        // How protocols below 2 make an object: `_reconstructor(class, base, state)`.
        ("copy_reg" | "copyreg", "_reconstructor" | "__newobj__") => match arguments.first() {
            Some(&class) => inert(heap, class),
            None => inert(heap, callable),
        },
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
            rebuild(heap, &arguments, None)
        }
        ("torch._utils", "_rebuild_tensor_v3") => {
            let dtype = arguments.get(6).map(|&dtype| class_name(heap, dtype));
            let dtype = dtype.map(|dtype| DType::named(dtype.trim_start_matches("torch.")));
            rebuild(heap, &arguments, dtype)
        }
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            match arguments.first() {
                Some(&data) => Ok(data),
                None => malformed("a parameter without data"),
            }
        }
        // `_rebuild_from_type_v2(function, type, arguments, state)`, for tensor subclasses.
        ("torch._tensor", "_rebuild_from_type_v2") => match *arguments.as_slice() {
            [function, _, inner, ..] if !is_class(heap, function, "_rebuild_from_type_v2") => {
                call(heap, function, inner)
            }
            _ => malformed("a tensor subclass without data"),
        },
        // Sparse, quantised, nested and the like: there, and of no use.
        ("torch._utils", other) if other.starts_with("_rebuild_") => {
            let kind = match other.trim_start_matches("_rebuild_") {
                "qtensor" => "quantised integers",
                "sparse_tensor" | "sparse_csr_tensor" => "a sparse tensor",
                other => other,
            };
            let dtype = DType::Other(kind.to_owned());
            let shape = arguments.get(2).and_then(|&shape| counts(heap, shape));
            heap.add(Node::Tensor(TensorView {
                dtype,
                shape: shape.unwrap_or_default(),
                data: None,
            }))
        }
        _ => inert(heap, callable),
    }
}

/// The class of an object, as a person would name it.
pub(super) fn class_name(heap: &Heap, id: Id) -> String {
    match heap.get(id) {
        Node::Class { module, name } => format!("{module}.{name}"),
        Node::Object(object) => object.class.clone(),
        _ => "object".to_owned(),
    }
}

fn is_class(heap: &Heap, id: Id, wanted: &str) -> bool {
    matches!(heap.get(id), Node::Class { name, .. } if name == wanted)
}

fn inert(heap: &mut Heap, class: Id) -> Result<Id, PickleError> {
    let class = class_name(heap, class);
    heap.add(Node::Object(Object {
        class,
        items: Vec::new(),
        state: None,
    }))
}

/// `OrderedDict()`, or `OrderedDict([[key, value], ...])` as Python 2 wrote it.
fn ordered_dict(heap: &mut Heap, arguments: &[Id]) -> Result<Id, PickleError> {
    let items = arguments.first().and_then(|&items| heap.seq(items));
    let pairs = items
        .unwrap_or_default()
        .iter()
        .filter_map(|&pair| match heap.seq(pair)? {
            [key, value] => Some((*key, *value)),
            _ => None,
        });
    let pairs = pairs.collect();
    heap.add(Node::Dict(pairs))
}

/// `(storage, offset, size, stride, ...)`, with the type given or the storage's own.
fn rebuild(heap: &mut Heap, arguments: &[Id], dtype: Option<DType>) -> Result<Id, PickleError> {
    let [storage, offset, size, stride, ..] = *arguments else {
        return malformed("a tensor without storage, offset, size and stride");
    };
    let (Some(offset), Some(shape), Some(stride)) =
        (heap.count(offset), counts(heap, size), counts(heap, stride))
    else {
        return malformed("a tensor whose offset, size or stride is no number");
    };
    let Node::Storage(storage) = heap.get(storage) else {
        // `pickle.dump` keeps the storage as an opaque value instead.
        return heap.add(Node::Tensor(TensorView {
            dtype: DType::Other("data outside of torch.save's format".to_owned()),
            shape,
            data: None,
        }));
    };
    let storage = storage.clone();
    let Some(dtype) = dtype.or_else(|| storage.dtype.clone()) else {
        return malformed(format!("storage {} has no type", storage.key));
    };
    let view = view(&storage, dtype, offset, shape, stride)?;
    heap.add(Node::Tensor(view))
}

/// Checks a view against its storage, as far as types that are read go.
pub(in super::super) fn view(
    storage: &StorageView,
    dtype: DType,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
) -> Result<TensorView, PickleError> {
    let Some(size) = dtype.size() else {
        return Ok(TensorView {
            dtype,
            shape,
            data: None,
        });
    };
    // An untyped storage counts bytes.
    let end = match storage.dtype {
        Some(_) => storage.end,
        None => storage.end / size,
    };
    let start = storage.offset.checked_add(offset);
    let reach = elements(&shape)
        .and_then(|_| extent(&shape, &stride))
        .and_then(|extent| start?.checked_add(extent));
    match (start, reach) {
        (Some(start), Some(reach)) if reach <= end => Ok(TensorView {
            dtype,
            shape,
            data: Some((storage.key.clone(), start, stride)),
        }),
        _ => malformed(format!(
            "a tensor of shape {shape:?} does not fit into storage {} of {end} elements",
            storage.key
        )),
    }
}

/// What a persistent id stands for: a storage, the class of a module, a tensor of a tar archive.
pub(super) fn persistent(heap: &mut Heap, id: Id) -> Result<Id, PickleError> {
    let fields = heap.seq(id).unwrap_or_default().to_vec();
    match *fields.as_slice() {
        // ("module", class, source file, source), in legacy files.
        [tag, class, ..] if heap.text(tag).as_deref() == Some("module") => Ok(class),
        [tag, class, key, _location, count, ref view @ ..]
            if heap.text(tag).as_deref() == Some("storage") =>
        {
            let storage = storage(heap, class, key, count, view.first().copied())?;
            heap.add(Node::Storage(storage))
        }
        // (class, source file, source), in tar archives.
        [class, ..] => Ok(class),
        [] => match heap.text(id).and_then(|key| heap.tensors.get(&key)) {
            Some(tensor) => {
                let tensor = tensor.clone();
                heap.add(Node::Tensor(tensor))
            }
            None => malformed("a persistent id of no known form"),
        },
    }
}

fn storage(
    heap: &mut Heap,
    class: Id,
    key: Id,
    count: Id,
    view: Option<Id>,
) -> Result<StorageView, PickleError> {
    let (Some(key), Some(count)) = (heap.text(key), heap.count(count)) else {
        return malformed("a storage without key and size");
    };
    let class = class_name(heap, class);
    let class = class.rsplit('.').next().unwrap_or_default();
    let (dtype, size) = storage_type(class)?;
    let Some(bytes) = count.checked_mul(size) else {
        return malformed(format!("storage {key} is too large"));
    };
    heap.storages.insert(key.clone(), (bytes, size));

    // (key of the view, offset, size), in early legacy files.
    let view = view
        .and_then(|view| heap.seq(view))
        .and_then(|view| match *view {
            [_, offset, size] => Some((heap.count(offset)?, heap.count(size)?)),
            _ => None,
        });
    let (offset, end) = match view {
        None => (0, count),
        Some((offset, size)) => match offset.checked_add(size) {
            Some(end) if end <= count => (offset, end),
            _ => return malformed(format!("a view reaches past storage {key}")),
        },
    };
    Ok(StorageView {
        key,
        dtype,
        offset,
        end,
    })
}

/// The element type of a storage class, and its size in bytes.
pub(in super::super) fn storage_type(class: &str) -> Result<(Option<DType>, usize), PickleError> {
    let other = |name: &str| Some(DType::Other(name.to_owned()));
    Ok(match class {
        "FloatStorage" => (Some(DType::F32), 4),
        "HalfStorage" => (Some(DType::F16), 2),
        "BFloat16Storage" => (Some(DType::BF16), 2),
        "DoubleStorage" => (Some(DType::F64), 8),
        "UntypedStorage" => (None, 1),
        "LongStorage" => (other("int64"), 8),
        "IntStorage" => (other("int32"), 4),
        "ShortStorage" => (other("int16"), 2),
        "CharStorage" => (other("int8"), 1),
        "ByteStorage" => (other("uint8"), 1),
        "BoolStorage" => (other("bool"), 1),
        "ComplexFloatStorage" => (other("complex64"), 8),
        "ComplexDoubleStorage" => (other("complex128"), 16),
        "QInt8Storage" => (other("qint8"), 1),
        "QUInt8Storage" => (other("quint8"), 1),
        "QUInt4x2Storage" => (other("quint4x2"), 1),
        "QUInt2x4Storage" => (other("quint2x4"), 1),
        "QInt32Storage" => (other("qint32"), 4),
        other => return malformed(format!("torch.{other} is a storage of no known type")),
    })
}

/// A tuple of sizes.
fn counts(heap: &Heap, id: Id) -> Option<Vec<usize>> {
    heap.seq(id)?.iter().map(|&id| heap.count(id)).collect()
}
