//! `torch.save` before `PyTorch` 0.1.10 (March 2017): a tar archive of `storages`, `tensors` and
//! `pickle`. torchvision's first VGG files, which people still have, are this.
//!
//! Source: `legacy_load` in `_legacy_load` of `torch/serialization.py`.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::super::dtype::DType;
use super::super::pickle::{Heap, Id, StorageView, TensorView, load, storage_type, view};
use super::super::problem::{Problem, cut_or_io};
use super::super::source::{Part, Source};
use super::Storage;

/// More axes than this are a broken file.
const MAX_RANK: usize = 64;

pub(super) fn open(
    source: &Source,
    heap: &mut Heap,
) -> Result<(Id, HashMap<String, Storage>), Problem> {
    let parts = members(source)?;
    let member = |name: &str| {
        parts
            .get(name)
            .cloned()
            .ok_or_else(|| Problem::Truncated(format!("`{name}` is not in the tar archive")))
    };
    let (views, storages) = read_storages(&member("storages")?, heap)?;
    let tensors = read_tensors(&member("tensors")?, heap, &views)?;
    heap.tensors = tensors;
    let mut pickle = BufReader::new(member("pickle")?);
    Ok((load(&mut pickle, heap)?, storages))
}

/// The byte range of each member.
fn members(source: &Source) -> Result<HashMap<String, Part>, Problem> {
    let mut archive = tar::Archive::new(BufReader::new(source.whole()));
    let mut members = HashMap::new();
    let cut = |error: io::Error| match error.raw_os_error() {
        Some(_) => Problem::Io(error),
        None => Problem::Truncated(format!("in the tar archive: {error}")),
    };
    for entry in archive.entries_with_seek().map_err(cut)? {
        let entry = entry.map_err(cut)?;
        let path = entry.path().map_err(cut)?;
        let name = path.to_string_lossy().trim_start_matches("./").to_owned();
        let (start, len) = (entry.raw_file_position(), entry.size());
        if start.checked_add(len).is_none_or(|end| end > source.len()) {
            return Err(Problem::Truncated(format!(
                "`{name}` of {len} bytes starts at {start}, the file has {}",
                source.len()
            )));
        }
        members.insert(name, source.part(start, len));
    }
    Ok(members)
}

type Storages = (HashMap<String, StorageView>, HashMap<String, Storage>);

/// `storages`: a count; for each a pickled `(key, location, class)`, an `i64` count and the
/// bytes; then a pickled list of views `(key, key of the whole, offset, size)`.
fn read_storages(member: &Part, heap: &mut Heap) -> Result<Storages, Problem> {
    let mut input = BufReader::new(member.clone());
    let mut views = HashMap::new();
    let mut storages = HashMap::new();
    for _ in 0..load_count(&mut input, heap)? {
        let about = load(&mut input, heap)?;
        let Some(&[key, _location, class]) = heap.seq(about) else {
            return Err(broken("a storage is not described by three values"));
        };
        let key = heap.text(key).unwrap_or_default();
        let class = heap.describe(class);
        let class = class.rsplit('.').next().unwrap_or_default();
        let (dtype, size) = storage_type(class)?;
        let end = read_u64(&mut input)?;
        let bytes = end.checked_mul(size as u64);
        let start = input.stream_position()?;
        let (Some(bytes), Ok(end)) = (bytes, usize::try_from(end)) else {
            return Err(broken("a storage is too large"));
        };
        if start
            .checked_add(bytes)
            .is_none_or(|end| end > member.len())
        {
            return Err(Problem::Truncated(format!(
                "storage {key} of the tar archive"
            )));
        }
        let part = member.sub(start, bytes);
        storages.insert(key.clone(), Storage::Plain { part, crc32: None });
        let whole = StorageView {
            key: key.clone(),
            dtype,
            offset: 0,
            end,
        };
        views.insert(key, whole);
        input.seek(SeekFrom::Start(start + bytes))?;
    }
    let list = load(&mut input, heap)?;
    for &parts in heap.seq(list).unwrap_or_default() {
        let view = view_of(heap, parts, &views);
        let (key, view) = view.ok_or_else(|| broken("a view of a storage is malformed"))?;
        views.insert(key, view);
    }
    Ok((views, storages))
}

fn view_of(
    heap: &Heap,
    parts: Id,
    views: &HashMap<String, StorageView>,
) -> Option<(String, StorageView)> {
    let &[key, whole, offset, size] = heap.seq(parts)? else {
        return None;
    };
    let whole = views.get(&heap.text(whole)?)?;
    let offset = whole.offset.checked_add(heap.count(offset)?)?;
    let end = offset.checked_add(heap.count(size)?)?;
    let view = StorageView {
        offset,
        end,
        ..whole.clone()
    };
    (end <= whole.end).then_some((heap.text(key)?, view))
}

/// `tensors`: a count; for each a pickled `(key, storage's key, class)`, an `i32` rank, four
/// unused bytes, the sizes, the strides and the offset as `i64`.
fn read_tensors(
    member: &Part,
    heap: &mut Heap,
    views: &HashMap<String, StorageView>,
) -> Result<HashMap<String, TensorView>, Problem> {
    let mut input = BufReader::new(member.clone());
    let mut tensors = HashMap::new();
    for _ in 0..load_count(&mut input, heap)? {
        let about = load(&mut input, heap)?;
        let Some(&[key, storage, _class]) = heap.seq(about) else {
            return Err(broken("a tensor is not described by three values"));
        };
        let key = heap.text(key).unwrap_or_default();
        let storage = heap.text(storage).and_then(|key| views.get(&key));
        let storage = storage.ok_or_else(|| broken("a tensor has no storage"))?;

        let mut rank = [0; 8];
        fill(&mut input, &mut rank)?;
        let [a, b, c, d, ..] = rank;
        let rank = u32::from_le_bytes([a, b, c, d]) as usize;
        if rank > MAX_RANK {
            return Err(broken("a tensor has too many axes"));
        }
        let shape = read_sizes(&mut input, rank)?;
        let stride = read_sizes(&mut input, rank)?;
        let offset = read_sizes(&mut input, 1)?.first().copied().unwrap_or(0);
        let dtype = storage.dtype.clone();
        let dtype = dtype.unwrap_or_else(|| DType::Other("bytes".into()));
        tensors.insert(key, view(storage, dtype, offset, shape, stride)?);
    }
    Ok(tensors)
}

fn load_count(input: &mut dyn BufRead, heap: &mut Heap) -> Result<usize, Problem> {
    let count = load(input, heap)?;
    heap.count(count)
        .ok_or_else(|| broken("a list does not start with its length"))
}

fn read_sizes(input: &mut dyn Read, count: usize) -> Result<Vec<usize>, Problem> {
    (0..count)
        .map(|_| usize::try_from(read_u64(input)?).map_err(|_| broken("a size is too large")))
        .collect()
}

fn read_u64(input: &mut dyn Read) -> Result<u64, Problem> {
    let mut bytes = [0; 8];
    fill(input, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(input: &mut dyn Read, bytes: &mut [u8]) -> Result<(), Problem> {
    input
        .read_exact(bytes)
        .map_err(|error: io::Error| cut_or_io(error, "the tar archive"))
}

fn broken(what: &str) -> Problem {
    Problem::Damaged(format!("in the tar archive, {what}"))
}
