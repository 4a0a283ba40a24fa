//! How alike two networks represent images.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::grams::Grams;
use crate::analysis::probe::{ImageLoader, ProbeActivations, ProbeImages};
use crate::analysis::similarity::{Estimate, Similarity};
use crate::analysis::{ComparisonImages, Features, GramCollector, ObservedNetwork};
use crate::commands::context::placement;
use crate::commands::error::{CommandError, RunError};
use crate::commands::remedy::explain;
use crate::commands::terminal::{Terminal, Unit};
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::device::OpenDevice;
use crate::network::vgg::{Arch, Variant};
use crate::network::{ForwardPass, Layer, LayerKind, Model};
use crate::settings::DiffSettings;
use crate::weights::WeightsFile;

/// Debiased linear CKA of what each layer with weights makes of the images, by the layer's name, and how many
/// images there are. A layer is not among them where one of the files does not reach it, or where it says
/// nothing: dead, or not finite.
pub(super) fn similarities(
    settings: &DiffSettings,
    arch: Arch,
    [old, new]: [&WeightsFile; 2],
    terminal: &Terminal,
) -> Result<(BTreeMap<String, Estimate>, usize), RunError> {
    let of_old = Variant::of(old, Some(arch))?;
    let of_new = Variant::of(new, Some(arch))?;
    if of_old.is_gray() != of_new.is_gray() {
        let (old, new) = (old.path().display(), new.path().display());
        return Err(CommandError::failed(format!(
            "{old} takes color images and {new} gray ones, or the reverse: they cannot see the same ones; leave --images out"
        ))
        .into());
    }
    // As far as both files go.
    let layers = arch.layers().into_iter();
    let layers = layers.take(of_old.depth.min(of_new.depth));
    let has_weights =
        |layer: &Layer| matches!(layer.kind, LayerKind::Convolution | LayerKind::BatchNorm);
    let pass = ForwardPass {
        devices: vec![OpenDevice::open(settings.device)?],
        architecture: Arc::new(of_old.clone()),
        wanted: layers.filter(has_weights).collect(),
        kernels: false,
        batch: 1,
    };
    let (input, mut skipped) = (InputNotes::default(), Vec::new());
    let mut loader = ImageLoader {
        preprocess: settings.input.preprocess().for_network(pass.is_gray()),
        on_error: OnError::Stop,
        pass: &pass,
        notes: &input,
        skipped: &mut skipped,
        explain,
    };
    let set = ComparisonImages::load(
        list_images(&settings.images, &input)?,
        Features::Flattened,
        &ProbeImages::default(),
        &mut loader,
    )?;
    terminal.notes(&input.lines());
    terminal.begin(0, 2, Unit::Steps);
    let [old, new] = [(1, old, of_old), (2, new, of_new)].map(|(number, file, variant)| {
        let grams = run(&pass, &variant, file, &set)?;
        terminal.reached(number, &file.path().display().to_string());
        Ok::<_, RunError>(grams)
    });
    let (old, new) = (old?, new?);
    terminal.end();
    let of_layer = |layer: &Layer| {
        let tag = layer.tag();
        let similarity = Similarity::between(old.get(&tag)?, new.get(&tag)?);
        Some((layer.name().to_owned(), similarity.cka?))
    };
    let similar = pass.wanted.iter().filter_map(of_layer).collect();
    Ok((similar, set.count()))
}

fn run(
    pass: &ForwardPass,
    variant: &Variant,
    file: &WeightsFile,
    set: &ComparisonImages,
) -> Result<Grams, RunError> {
    let model = Model::Vgg(Some(variant.arch));
    let built = model.build(file, &pass.wanted, placement(pass, set.count()))?;
    let network = ObservedNetwork {
        pass,
        network: &*built,
        probes: ProbeActivations::default(),
        name: &file.path().display().to_string(),
    };
    let mut grams = GramCollector::new(set);
    set.run(&network, |layer, maps| grams.add(&layer.tag(), maps))?;
    Ok(grams.finish()?)
}
