//! The few calls and persistent ids that make storages and tensors.

use super::super::dtype::DType;
use super::super::error::WeightsErrorKind;
use super::super::view::{elements, extent};
use super::danger::runs_code;
use super::heap::{Heap, Id, Node, Object, StorageView, TensorView, ViewedData, malformed};
use super::latin1::latin1;
use super::numpy;

/// What `callable(*arguments)` would give, for the calls that are known; else an inert object.
pub(super) fn call(heap: &mut Heap, callable: Id, arguments: Id) -> Result<Id, WeightsErrorKind> {
    let Node::Class { module, name } = heap.get(callable) else {
        return inert(heap, callable);
    };
    let arguments = heap.seq(arguments).unwrap_or_default().to_vec();
    match (module.as_str(), name.as_str()) {
        ("collections", "OrderedDict") => ordered_dict(heap, &arguments),
        ("collections", "defaultdict" | "Counter") => heap.add(Node::Dict(Vec::new())),
        ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") => {
            let items = arguments.first();
            items.map_or_else(|| heap.add(Node::Seq(Vec::new())), |&items| Ok(items))
        }
        ("builtins" | "__builtin__", "getattr") => attribute(heap, callable, &arguments),
        // What protocols before 2 call for any class.
        ("copyreg" | "copy_reg", "_reconstructor") => {
            inert(heap, arguments.first().copied().unwrap_or(callable))
        }
        ("_codecs", "encode") => match arguments.first().map(|&text| (text, heap.get(text))) {
            Some((_, Node::Text(text))) => {
                let bytes = latin1(text).map_or(Node::Plain, Node::Bytes);
                heap.add(bytes)
            }
            Some((bytes, _)) => Ok(bytes),
            None => inert(heap, callable),
        },
        ("numpy", "dtype") => match arguments.first().and_then(|&code| heap.text(code)) {
            Some(code) => heap.add(Node::ArrayType(code)),
            None => inert(heap, callable),
        },
        (_, "_frombuffer") if module.starts_with("numpy.") => {
            match numpy::from_buffer(heap, &arguments)? {
                Some(array) => heap.add(Node::Tensor(array)),
                None => inert(heap, callable),
            }
        }
        // `Parameter(tensor)`, as PyTorch pickled it until 0.4.
        (_, "Parameter" | "Variable") if module.starts_with("torch.") => {
            let data = arguments.first().copied();
            let is_tensor = |id: &Id| matches!(heap.get(*id), Node::Tensor(_));
            data.filter(is_tensor)
                .map_or_else(|| inert(heap, callable), Ok)
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
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            let data = arguments.first();
            data.map_or_else(|| malformed("a parameter without data"), |&data| Ok(data))
        }
        // `_rebuild_from_type_v2(function, type, arguments, state)`, for tensor subclasses.
        ("torch._tensor" | "torch.tensor", "_rebuild_from_type" | "_rebuild_from_type_v2") => {
            match *arguments.as_slice() {
                // Not of itself: a list that holds itself would have no end.
                [function, _, inner, ..]
                    if !class_name(heap, function).contains("._rebuild_from_type") =>
                {
                    call(heap, function, inner)
                }
                _ => malformed("a tensor subclass without data"),
            }
        }
        // Sparse, quantized, nested: listed, never read.
        ("torch._utils", other) if other.starts_with("_rebuild_") => {
            let kind = match other.trim_start_matches("_rebuild_") {
                "qtensor" => "quantized integers",
                "sparse_tensor" | "sparse_csr_tensor" => "a sparse tensor",
                other => other,
            };
            let dtype = DType::Other(kind.to_owned());
            let shape = arguments.get(2).and_then(|&shape| heap.counts(shape));
            heap.add(unreadable(dtype, shape.unwrap_or_default()))
        }
        _ => inert(heap, callable),
    }
}

/// What `getattr(class, name)` reaches: nested classes, static and bound methods. Of anything else
/// than a class or an object, no checkpoint needs an attribute.
fn attribute(heap: &mut Heap, getattr: Id, arguments: &[Id]) -> Result<Id, WeightsErrorKind> {
    let name = arguments.get(1).and_then(|&name| heap.text(name));
    let reached = match (arguments.first().map(|&owner| heap.get(owner)), name) {
        (
            Some(Node::Class {
                module,
                name: owner,
            }),
            Some(name),
        ) => Some((module.clone(), format!("{owner}.{name}"))),
        (Some(Node::Object(object)), Some(name)) => Some((object.class.clone(), name)),
        _ => None,
    };
    match reached {
        Some((module, name)) if !runs_code(&module, &name) => {
            heap.add(Node::Class { module, name })
        }
        Some((module, name)) => Err(WeightsErrorKind::RunsCode {
            callable: format!("{module}.{name}"),
        }),
        None => Err(WeightsErrorKind::RunsCode {
            callable: class_name(heap, getattr),
        }),
    }
}

/// What an object becomes by its state, where that makes it a tensor or a `NumPy` type; else `None`.
pub(super) fn build(
    heap: &mut Heap,
    object: Id,
    state: Id,
) -> Result<Option<Node>, WeightsErrorKind> {
    let fields = heap.seq(state).unwrap_or_default().to_vec();
    match (heap.get(object), fields.as_slice()) {
        (Node::ArrayType(code), &[_, order, ..]) => Ok(Some(numpy::ordered(heap, code, order))),
        (Node::Object(made), fields) => match fields {
            // `Tensor.__setstate__` of PyTorch 0.1 to 0.3: storage, offset, size, stride.
            [_, _, _, _] if is_torch(made, "Tensor") => rebuild(heap, fields, None).map(Some),
            // `Variable.__setstate__`: the data comes first.
            &[data, _, _, _, _] if is_torch(made, "Parameter") || is_torch(made, "Variable") => {
                Ok(match heap.get(data) {
                    Node::Tensor(tensor) => Some(Node::Tensor(tensor.clone())),
                    _ => None,
                })
            }
            &[_, shape, dtype, is_fortran, data]
                if made.class.ends_with("core.multiarray._reconstruct") =>
            {
                let array = numpy::array(heap, shape, dtype, is_fortran, data)?;
                Ok(array.map(Node::Tensor))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Whether an object's class is one of `torch` whose name ends so.
fn is_torch(object: &Object, ending: &str) -> bool {
    object.class.starts_with("torch.") && object.class.ends_with(ending)
}

/// The class of an object, as `module.name`.
fn class_name(heap: &Heap, id: Id) -> String {
    match heap.get(id) {
        Node::Class { module, name } => format!("{module}.{name}"),
        Node::Object(object) => object.class.clone(),
        _ => "object".to_owned(),
    }
}

/// An object without contents.
pub(super) fn inert(heap: &mut Heap, class: Id) -> Result<Id, WeightsErrorKind> {
    let class = class_name(heap, class);
    heap.add(Node::Object(Object {
        class,
        items: Vec::new(),
        state: None,
    }))
}

/// `OrderedDict()`, or `OrderedDict([[key, value], ...])` as Python 2 wrote it.
fn ordered_dict(heap: &mut Heap, arguments: &[Id]) -> Result<Id, WeightsErrorKind> {
    let items = arguments.first().and_then(|&items| heap.seq(items));
    let pairs = items.unwrap_or_default().iter();
    let pairs = pairs.filter_map(|&pair| <[Id; 2]>::try_from(heap.seq(pair)?).ok());
    heap.add(Node::Dict(pairs.map(|[key, value]| (key, value)).collect()))
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
    let Some(dtype) = dtype.or_else(|| storage.dtype.clone()) else {
        return malformed(format!("storage {} has no type", storage.key));
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
    let start = storage.offset.checked_add(offset);
    let reach = elements(&shape)
        .and_then(|_| extent(&shape, &stride))
        .and_then(|extent| start?.checked_add(extent));
    match (start, reach) {
        (Some(first), Some(reach)) if reach <= end => Ok(Node::Tensor(TensorView {
            dtype,
            shape,
            stride,
            data: ViewedData::Storage {
                key: storage.key.clone(),
                first,
            },
        })),
        _ => malformed(format!(
            "a tensor of shape {shape:?} does not fit into storage {} of {end} elements",
            storage.key
        )),
    }
}

/// A tensor that is listed, never read.
fn unreadable(dtype: DType, shape: Vec<usize>) -> Node {
    Node::Tensor(TensorView {
        dtype,
        shape,
        stride: Vec::new(),
        data: ViewedData::Unreadable,
    })
}

/// What a persistent id stands for: a storage, or the class of a module.
pub(super) fn persistent(heap: &mut Heap, id: Id) -> Result<Id, WeightsErrorKind> {
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
        _ => malformed("a persistent id of an unknown form"),
    }
}

fn storage(
    heap: &mut Heap,
    class: Id,
    key: Id,
    count: Id,
    view: Option<Id>,
) -> Result<StorageView, WeightsErrorKind> {
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
    let view = match view.and_then(|view| heap.seq(view)) {
        Some(&[_, offset, size]) => heap.count(offset).zip(heap.count(size)),
        _ => None,
    };
    let (offset, len) = view.unwrap_or((0, count));
    match offset.checked_add(len) {
        Some(end) if end <= count => Ok(StorageView {
            key,
            dtype,
            offset,
            end,
        }),
        _ => malformed(format!("a view reaches past storage {key}")),
    }
}

/// The element type of a storage class, and its size in bytes.
fn storage_type(class: &str) -> Result<(Option<DType>, usize), WeightsErrorKind> {
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
        other => return malformed(format!("torch.{other} is a storage of an unknown type")),
    })
}
