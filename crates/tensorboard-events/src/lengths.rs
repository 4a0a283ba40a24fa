//! Whether the lengths in a message stay within its bytes.
//!
//! For a packed field the generated messages reserve the memory that the bytes ask for before looking how many bytes
//! there are, so that a few bytes of a foreign file could end the program.

use protobuf::wire_format::WireType::WireTypeLengthDelimited;
use protobuf::{CodedInputStream, Message, ProtobufError, error::WireError};

/// As many messages inside one another as the generated messages take.
const MAX_DEPTH: usize = 100;

/// A message with packed fields, or with messages inside that have some: those by their number.
pub(crate) struct Packed(&'static [(u32, &'static Packed)]);

/// A `HistogramProto`, a `TensorProto` or a `VersionDef`.
static NUMBERS: Packed = Packed(&[]);
static VALUE: Packed = Packed(&[(5, &NUMBERS), (8, &NUMBERS)]);
static SUMMARY: Packed = Packed(&[(1, &VALUE)]);
pub(crate) static EVENT: Packed = Packed(&[(5, &SUMMARY)]);

static LIST: Packed = Packed(&[(8, &NUMBERS), (9, &FUNCTION)]);
static ATTRIBUTE: Packed = Packed(&[(1, &LIST), (8, &NUMBERS), (10, &FUNCTION)]);
static ENTRY: Packed = Packed(&[(2, &ATTRIBUTE)]);
static FUNCTION: Packed = Packed(&[(2, &ENTRY)]);
static NODE: Packed = Packed(&[(5, &ENTRY)]);
pub(crate) static GRAPH: Packed = Packed(&[(1, &NODE), (4, &NUMBERS)]);

pub(crate) fn parse<M: Message>(bytes: &[u8], packed: &Packed) -> Result<M, ProtobufError> {
    let mut stream = CodedInputStream::from_bytes(bytes);
    // Without it, a message inside may claim to be longer than the data.
    stream.push_limit(bytes.len() as u64)?;
    check(&mut stream, packed, MAX_DEPTH)?;
    M::parse_from_bytes(bytes)
}

fn check(
    stream: &mut CodedInputStream<'_>,
    packed: &Packed,
    depth: usize,
) -> Result<(), ProtobufError> {
    let depth = depth.checked_sub(1);
    let depth = depth.ok_or(ProtobufError::WireError(WireError::OverRecursionLimit))?;
    while !stream.eof()? {
        let (field, wire) = stream.read_tag_unpack()?;
        let inside = packed.0.iter().find(|(number, _)| *number == field);
        if wire != WireTypeLengthDelimited {
            stream.skip_field(wire)?;
            continue;
        }
        let length = stream.read_raw_varint64()?;
        match inside {
            Some((_, inside)) => {
                let outer = stream.push_limit(length)?;
                check(stream, inside, depth)?;
                stream.pop_limit(outer);
            }
            None => stream.skip_raw_bytes(u32::try_from(length).unwrap_or(u32::MAX))?,
        }
    }
    Ok(())
}
