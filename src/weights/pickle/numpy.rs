//! `NumPy` arrays in a pickle: the type, the shape and the bytes stand in it.
//!
//! Source: `array_reduce` and `array_setstate` in `NumPy`'s `multiarray/methods.c`.

use super::super::dtype::DType;
use super::super::error::WeightsErrorKind;
use super::super::view::elements;
use super::heap::{Heap, Id, Node, TensorView, ViewedData, malformed};

/// A `dtype` with the byte order of its state: `<`, `>`, or `|` where there is none.
pub(super) fn ordered(heap: &Heap, code: &str, order: Id) -> Node {
    let is_big = heap.text(order).as_deref() == Some(">");
    Node::ArrayType(if is_big {
        format!(">{code}")
    } else {
        code.to_owned()
    })
}

/// The array of `numpy.core.numeric._frombuffer(buffer, dtype, shape, order)`, of protocol 5.
pub(super) fn from_buffer(
    heap: &Heap,
    arguments: &[Id],
) -> Result<Option<TensorView>, WeightsErrorKind> {
    match *arguments {
        [data, dtype, shape, order] => {
            let is_fortran = heap.text(order).as_deref() == Some("F");
            view(heap, shape, dtype, is_fortran, data)
        }
        _ => Ok(None),
    }
}

/// The array of `ndarray.__setstate__((version, shape, dtype, is_fortran, data))`.
pub(super) fn array(
    heap: &Heap,
    shape: Id,
    dtype: Id,
    is_fortran: Id,
    data: Id,
) -> Result<Option<TensorView>, WeightsErrorKind> {
    view(heap, shape, dtype, heap.count(is_fortran) == Some(1), data)
}

/// `None` for an array of Python objects, whose elements are a list.
fn view(
    heap: &Heap,
    shape: Id,
    dtype: Id,
    is_fortran: bool,
    data: Id,
) -> Result<Option<TensorView>, WeightsErrorKind> {
    let (Some(shape), Node::ArrayType(code), Node::Bytes(bytes)) =
        (heap.counts(shape), heap.get(dtype), heap.get(data))
    else {
        return Ok(None);
    };
    let little = code.trim_start_matches('>');
    let dtype = match little {
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        other => DType::Other(format!("NumPy's {other}")),
    };
    if let Some(size) = dtype.size()
        && elements(&shape).and_then(|count| count.checked_mul(size)) != Some(bytes.len())
    {
        return malformed(format!(
            "an array of shape {shape:?} has {} bytes",
            bytes.len()
        ));
    }
    let bytes = match dtype.size() {
        Some(size) if little != code => bytes
            .chunks(size)
            .flat_map(|number| number.iter().rev().copied())
            .collect(),
        _ => bytes.clone(),
    };
    let mut stride = vec![1; shape.len()];
    let mut step = 1;
    let mut lay = |axis: usize| {
        stride[axis] = step;
        step *= shape[axis].max(1);
    };
    if is_fortran {
        (0..shape.len()).for_each(&mut lay);
    } else {
        (0..shape.len()).rev().for_each(&mut lay);
    }
    Ok(Some(TensorView {
        dtype,
        shape,
        stride,
        data: ViewedData::Pickle(bytes),
    }))
}
