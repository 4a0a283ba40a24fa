//! How alike two networks represent images.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::DiffError;
use crate::analysis::grams::Grams;
use crate::analysis::probe::{ImageLoader, ProbeActivations, ProbeImages};
use crate::analysis::similarity::{Estimate, Similarity};
use crate::analysis::{ComparisonImages, Features, GramCollector, ObservedNetwork};
use crate::commands::context::kernel_layout;
use crate::commands::error::RunError;
use crate::commands::terminal::{Terminal, Unit};
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::device::OpenDevice;
use crate::network::ForwardPass;
use crate::network::vgg::{self, Arch, Extent, Placement, Variant};
use crate::network::{Layer, LayerKind};
use crate::settings::DiffSettings;
use crate::weights::WeightsFile;

/// Debiased linear CKA of what each layer with weights makes of the images, by the layer's name, and how many
/// images there are. A layer is not among them where one of the files does not reach it, or where it says
/// nothing: dead, or not finite.
pub(super) fn similarities(
    settings: &DiffSettings,
    arch: Arch,
    files: [&WeightsFile; 2],
    terminal: &Terminal,
) -> Result<(BTreeMap<String, Estimate>, usize), RunError> {
    let pass = ForwardPass {
        devices: vec![OpenDevice::open(settings.device)?],
        architecture: Arc::new(Variant::of(files[0], Some(arch))?),
        wanted: with_weights(arch, files)?,
        kernels: false,
    };
    let (input, mut skipped) = (InputNotes::default(), Vec::new());
    let mut loader = ImageLoader {
        preprocess: settings.input.preprocess().for_network(pass.is_gray()),
        on_error: OnError::Stop,
        pass: &pass,
        notes: &input,
        skipped: &mut skipped,
    };
    let set = ComparisonImages::load(
        list_images(&settings.images, &input)?,
        Features::Flattened,
        &ProbeImages::default(),
        &mut loader,
    )?;
    for line in input.lines() {
        terminal.note(&line);
    }
    terminal.begin(0, files.len() as u64, Unit::Networks);
    let look = |(number, file): (u64, &WeightsFile)| {
        let grams = look(&pass, arch, file, &set)?;
        terminal.reached(number, &file.path().display().to_string());
        Ok::<_, RunError>(grams)
    };
    let [old, new] = files;
    let (old, new) = (look((1, old))?, look((2, new))?);
    terminal.end();
    let of_layer = |layer: &Layer| {
        let tag = layer.tag();
        let similarity = Similarity::between(old.get(&tag)?, new.get(&tag)?);
        Some((layer.name().to_owned(), similarity.cka?))
    };
    let similar = pass.wanted.iter().filter_map(of_layer).collect();
    Ok((similar, set.count()))
}

/// The layers with weights, as far as both files go.
fn with_weights(arch: Arch, [old, new]: [&WeightsFile; 2]) -> Result<Vec<Layer>, RunError> {
    let of_old = Variant::of(old, Some(arch))?;
    let of_new = Variant::of(new, Some(arch))?;
    if of_old.is_gray() != of_new.is_gray() {
        return Err(DiffError::OtherColors(old.path().to_owned(), new.path().to_owned()).into());
    }
    let kinds = [LayerKind::Convolution, LayerKind::BatchNorm];
    let layers = arch.layers().into_iter();
    Ok(layers
        .take(of_old.depth.min(of_new.depth))
        .filter(|layer| kinds.contains(&layer.kind))
        .collect())
}

fn look(
    pass: &ForwardPass,
    arch: Arch,
    file: &WeightsFile,
    set: &ComparisonImages,
) -> Result<Grams, RunError> {
    let place = Placement {
        device: &pass.device().device,
        kernels: kernel_layout(pass.device(), set.count()),
    };
    let deepest = pass.deepest();
    let extent = Extent::Features { deepest };
    let variant = Variant::of(file, Some(arch))?;
    let vgg = vgg::build_from(file, file.path(), &variant, extent, place)?;
    let network = ObservedNetwork {
        pass,
        network: &vgg,
        probes: &ProbeActivations::default(),
        name: &file.path().display().to_string(),
    };
    let mut grams = GramCollector::new(set.features);
    set.run(&network, |layer, maps| grams.add(&layer.tag(), maps))?;
    Ok(grams.finish()?)
}
