//! The header of the file: from a layout to JSON, and back.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Map, Value, json};

use super::{GramsAbout, GramsLayout};

/// The version of what the tensors mean.
pub(super) const VERSION: &str = "1";

/// The key of the version; other files do not have it.
pub(super) const VERSION_KEY: &str = "vggscope-grams";

const STEPS: &str = "steps";
const WRITTEN: &str = "written";

/// The field before the header: how long that is.
pub(super) const LENGTH_FIELD: u64 = 8;

/// Where in the file everything stands. Units: bytes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: u64,
    pub(super) layers: HashMap<String, u64>,
    pub(super) written: u64,
    /// The size of a layer's values at one checkpoint.
    pub(super) row: u64,
}

impl Plan {
    /// Where a layer's values at a checkpoint stand.
    pub(super) fn place(&self, layer: &str, checkpoint: usize) -> Option<u64> {
        let start = self.layers.get(layer)?;
        Some(start + checkpoint as u64 * self.row)
    }
}

/// Values of a layer at one checkpoint.
pub(super) fn values(sizes: &[usize]) -> usize {
    let squares = sizes.iter().map(|size| size.saturating_mul(*size));
    squares.fold(0, usize::saturating_add)
}

/// A header with the field of its length, where everything stands behind it, and the length of the whole file.
/// Sizes that no file has room for saturate, and no file becomes so long.
pub(super) fn compose(layout: &GramsLayout) -> (Vec<u8>, Plan, u64) {
    let checkpoints = layout.steps.len();
    let values = values(&layout.sizes);
    let row = (values as u64).saturating_mul(4);
    let (mut end, mut tensors, mut starts) = (0_u64, Map::new(), Vec::new());
    let mut add = |name: &str, dtype, shape: &[usize], bytes: u64| {
        let start = end;
        end = end.saturating_add(bytes);
        let info = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
        tensors.insert(name.to_owned(), info);
        starts.push(start);
    };
    add(STEPS, "I64", &[checkpoints], checkpoints as u64 * 8);
    for layer in &layout.layers {
        let bytes = row.saturating_mul(checkpoints as u64);
        add(layer, "F32", &[checkpoints, values], bytes);
    }
    add(WRITTEN, "U8", &[checkpoints], checkpoints as u64);
    tensors.insert("__metadata__".to_owned(), metadata(layout));

    let mut json = Value::Object(tensors).to_string().into_bytes();
    // Tensors begin at a multiple of eight, as in files of the crate.
    json.resize(json.len().next_multiple_of(8), b' ');
    let data = LENGTH_FIELD + json.len() as u64;
    let mut starts = starts.into_iter().map(|start| data.saturating_add(start));
    let plan = Plan {
        steps: starts.next().unwrap_or(data),
        layers: layout.layers.iter().cloned().zip(&mut starts).collect(),
        written: starts.next().unwrap_or(data),
        row,
    };
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json);
    (header, plan, data.saturating_add(end))
}

fn metadata(layout: &GramsLayout) -> Value {
    let sizes: Vec<String> = layout.sizes.iter().map(ToString::to_string).collect();
    let GramsAbout {
        images,
        preprocess,
        features,
        arch,
    } = &layout.about;
    json!({
        VERSION_KEY: VERSION,
        "minibatches": sizes.join(","),
        "images": images,
        "image-count": layout.sizes.iter().sum::<usize>().to_string(),
        "preprocess": preprocess,
        "features": features,
        "arch": arch,
    })
}

/// Why a layout has no file: names that would stand for two tensors, or steps that do not rise.
pub(super) fn check(layout: &GramsLayout) -> Result<(), String> {
    let mut names: Vec<&str> = layout.layers.iter().map(String::as_str).collect();
    names.extend([STEPS, WRITTEN, "__metadata__"]);
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
        return Err(format!("two tensors would be called `{name}`"));
    }
    rising(&layout.steps)
}

fn rising(steps: &[i64]) -> Result<(), String> {
    match steps.array_windows().find(|[one, next]| one >= next) {
        Some([one, next]) => Err(format!("its steps must rise, found {next} after {one}")),
        None => Ok(()),
    }
}

/// The layout of a file, but for its steps, and where everything stands; what is wrong where it has none.
pub(super) fn parse(metadata: &Metadata, data: u64) -> Result<(GramsLayout, Plan), String> {
    let text = |key: &str| {
        let texts = metadata.metadata().as_ref();
        let found = texts.and_then(|texts| texts.get(key));
        found
            .cloned()
            .ok_or_else(|| format!("its metadata have no `{key}`"))
    };
    let sizes = text("minibatches")?;
    let sizes: Result<Vec<usize>, _> = sizes.split(',').map(str::parse).collect();
    let sizes = sizes.map_err(|_| "`minibatches` must be numbers".to_owned())?;
    let images = sizes.iter().copied().fold(0, usize::saturating_add);
    let count = text("image-count")?;
    if count != images.to_string() {
        return Err(format!("its minibatches have {images} images, not {count}"));
    }
    let checkpoints = metadata.info(STEPS).and_then(|info| info.shape.first());
    let checkpoints = *checkpoints.ok_or_else(|| format!("it has no `{STEPS}`"))?;
    let start = |name: &str, dtype: Dtype, shape: &[usize]| {
        let info = metadata.info(name);
        let info = info.ok_or_else(|| format!("it has no `{name}`"))?;
        fits(name, info, dtype, shape).map(|()| data + info.data_offsets.0 as u64)
    };
    let values = values(&sizes);
    let mut layers = metadata.offset_keys();
    layers.retain(|name| ![STEPS, WRITTEN].contains(&name.as_str()));
    let place = |name: &String| {
        let start = start(name, Dtype::F32, &[checkpoints, values])?;
        Ok((name.clone(), start))
    };
    let plan = Plan {
        steps: start(STEPS, Dtype::I64, &[checkpoints])?,
        layers: layers.iter().map(place).collect::<Result<_, String>>()?,
        written: start(WRITTEN, Dtype::U8, &[checkpoints])?,
        row: (values as u64).saturating_mul(4),
    };
    let layout = GramsLayout {
        steps: vec![0; checkpoints],
        layers,
        sizes,
        about: GramsAbout {
            images: text("images")?,
            preprocess: text("preprocess")?,
            features: text("features")?,
            arch: text("arch")?,
        },
    };
    Ok((layout, plan))
}

fn fits(name: &str, info: &TensorInfo, dtype: Dtype, shape: &[usize]) -> Result<(), String> {
    if info.dtype == dtype && info.shape == shape {
        return Ok(());
    }
    Err(format!(
        "`{name}` is {:?} {:?}, expected {dtype:?} {shape:?}",
        info.dtype, info.shape
    ))
}

/// Steps as they were read.
pub(super) fn checked_steps(steps: Vec<i64>) -> Result<Vec<i64>, String> {
    rising(&steps).map(|()| steps)
}
