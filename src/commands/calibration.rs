//! What is fixed before the first step of a run over several networks: one range a layer, the channels that are
//! shown, and what the steps are compared with.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::context::RunContext;
use super::error::{CommandError, RunError};
use super::run_style::{CHANNELS, RANGES, ReferenceMaps, RunStyle, references};
use crate::analysis::probe::{ProbeActivations, ProbeImages};
use crate::analysis::{BASES, Bases, Calibration, ComparisonImages, ObservedNetwork, Observers};
use crate::logger::{Against, Channels, Ranges};
use crate::network::ForwardPass;
use crate::settings::{
    ChangeChoice, ComparisonSettings, MapsChoice, PictureSettings, RangeChoice, settings_text,
};

/// The bases of a run that is resumed, or those next to the ranges of another run. `None` where they are to be made,
/// since there are none or those are of another network.
pub(super) fn known_bases(
    run: &RunContext<'_>,
    pictures: &PictureSettings,
    is_resumed: bool,
) -> Result<Option<Bases>, RunError> {
    if pictures.no_pca {
        return Ok(None);
    }
    let own = is_resumed.then(|| run.folder.path().join(BASES));
    let given = match &pictures.range {
        Some(RangeChoice::File(ranges)) => Some(ranges.with_file_name(BASES)),
        _ => None,
    };
    let mut known = own.into_iter().chain(given);
    let Some(file) = known.find(|file| file.exists()) else {
        return Ok(None);
    };
    let bytes = fs::read(&file).map_err(|source| unreadable(&file, source))?;
    let bases = Bases::from_bytes(&bytes).map_err(|error| other_file(&file, &error.to_string()))?;
    let pass = &run.pass;
    // Larger than the smallest input of any VGG.
    let size = pass.architecture.input_size().unwrap_or([1 << 10; 2]);
    let shapes = pass.architecture.output_shapes(&pass.wanted, size)?;
    let channels = shapes.into_iter().map(|[channels, ..]| channels);
    if bases.fit(pass.wanted.iter().zip(channels)) {
        return Ok(Some(bases));
    }
    run.context.terminal.note(&format!(
        "{} is of another network or of other layers: PCA pictures have colors of their own",
        file.display()
    ));
    Ok(None)
}

/// What is found out of a few networks before the first step of a run.
pub(super) struct Calibrator<'a> {
    run: &'a RunContext<'a>,
    probes: &'a ProbeImages,
    comparison: &'a ComparisonSettings,
    pictures: PictureSettings,
    is_resumed: bool,
    calibration: Calibration,
    references: Vec<ReferenceMaps>,
    bases: Option<Bases>,
    pub(super) observers: Option<Observers>,
}

impl<'a> Calibrator<'a> {
    /// Of a run that is resumed, takes the bases, ranges and channels that it has, unless others are asked for. Its
    /// observers compare `images`, and draw `total` steps if so many are known to come.
    pub(super) fn new(
        run: &'a RunContext<'a>,
        probes: &'a ProbeImages,
        comparison: &'a ComparisonSettings,
        mut pictures: PictureSettings,
        is_resumed: bool,
        images: Option<ComparisonImages>,
        total: Option<usize>,
    ) -> Result<Self, RunError> {
        let is_bgr = run.preprocess.is_bgr();
        let observers = || Observers::new(images, total, is_bgr, probes);
        let bases = known_bases(run, &pictures, is_resumed)?;
        let folder = run.folder.path();
        let ranges = folder.join(RANGES);
        if is_resumed && pictures.range == Some(RangeChoice::Run) && ranges.exists() {
            pictures.range = Some(RangeChoice::File(ranges));
        }
        let has_own = matches!(pictures.maps, MapsChoice::Of(_));
        if is_resumed && !has_own && folder.join(CHANNELS).exists() {
            pictures.maps = MapsChoice::Of(folder.to_owned());
        }
        Ok(Self {
            run,
            probes,
            comparison,
            pictures,
            is_resumed,
            calibration: Calibration::default(),
            references: Vec::new(),
            bases,
            observers: comparison.is_on().then(observers),
        })
    }

    fn wants_bases(&self) -> bool {
        self.bases.is_none() && !self.pictures.no_pca
    }

    /// Whether anything is to be known of the probe images before the first step.
    pub(super) fn is_needed(&self) -> bool {
        self.wants_bases()
            || self.comparison.is_on()
            || self.comparison.change.is_shown()
            || self.pictures.range == Some(RangeChoice::Run)
            || matches!(
                self.pictures.maps,
                MapsChoice::Top(_) | MapsChoice::Changed(_)
            )
    }

    /// Takes the network that changes are shown against.
    pub(super) fn set_base(&mut self, network: &ObservedNetwork<'_>) {
        self.references = references(network, self.probes, Against::Given);
        self.calibration.set_base(network);
    }

    /// Adds a network; `with_change` says whether the range of changes comes from it.
    pub(super) fn add(
        &mut self,
        network: &ObservedNetwork<'_>,
        with_change: bool,
    ) -> Result<(), RunError> {
        Ok(self.calibration.add(network, with_change)?)
    }

    /// Makes the bases of the PCA pictures of these activations, which are those `of` something, unless they are known.
    pub(super) fn find_bases<'p>(
        &mut self,
        activations: impl IntoIterator<Item = &'p ProbeActivations>,
        of: &str,
    ) -> Result<(), RunError> {
        if self.wants_bases() {
            let maps = activations.into_iter().flat_map(ProbeActivations::each);
            let maps = maps.map(|(_, layer, maps)| (layer, maps));
            let from = format!("{of}, {} probe images", self.probes.names().count());
            self.bases = Some(Bases::of(maps, from)?);
        }
        Ok(())
    }

    /// How the run is shown; observers get the calibration as well.
    pub(super) fn finish(mut self) -> Result<RunStyle, RunError> {
        let (run, ranges) = (self.run, self.run.folder.path().join(RANGES));
        if self.is_resumed && ranges.exists() {
            self.calibration.ranges.keep_changes(read_toml(&ranges)?);
        }
        if let Some(observers) = &mut self.observers {
            let style = run.settings.pictures.style();
            observers.set_calibration(&self.calibration, &run.pass, style);
        }
        let comparison = Some(self.comparison);
        let style = run_style(&self.calibration, &self.pictures, comparison, &run.pass)?;
        Ok(RunStyle {
            references: self.references,
            bases: self.bases,
            observers: self.observers,
            ..style
        })
    }
}

/// How a run is shown, from what the reference networks make of the probe images.
pub(super) fn run_style(
    calibration: &Calibration,
    pictures: &PictureSettings,
    comparison: Option<&ComparisonSettings>,
    pass: &ForwardPass,
) -> Result<RunStyle, RunError> {
    let mut ranges = match &pictures.range {
        Some(RangeChoice::File(file)) => {
            read_all(file, pass, |ranges: &Ranges, tag| ranges.get(tag).is_some())?
        }
        Some(RangeChoice::Run) => calibration.ranges.clone(),
        Some(RangeChoice::By(_)) | None => Ranges::default(),
    };
    let changes = comparison.and_then(|comparison| match comparison.change {
        ChangeChoice::Off => None,
        ChangeChoice::First => Some(Against::First),
        ChangeChoice::Previous => Some(Against::Previous),
        ChangeChoice::File(_) => Some(Against::Given),
    });
    if changes.is_some() {
        // Pictures of changes have one range for the run, whatever the maps have.
        ranges.take_changes(&calibration.ranges);
    }
    Ok(RunStyle {
        ranges,
        channels: channels(calibration, pictures, pass)?,
        changes,
        compare: comparison.is_some_and(ComparisonSettings::is_on),
        references: Vec::new(),
        bases: None,
        observers: None,
    })
}

/// The channels that are shown of each layer, where they are not the first ones.
fn channels(
    calibration: &Calibration,
    pictures: &PictureSettings,
    pass: &ForwardPass,
) -> Result<Channels, RunError> {
    let mut channels = Channels::default();
    let mut choose = |count: usize, order: &dyn Fn(&str) -> Vec<usize>| {
        for layer in &pass.wanted {
            channels.set(layer.tag(), order(&layer.tag()).into_iter().take(count));
        }
    };
    match &pictures.maps {
        MapsChoice::All | MapsChoice::First(_) => {}
        MapsChoice::Of(run) => {
            let has = |channels: &Channels, tag: &str| channels.get(tag).is_some();
            return read_all(&run.join(CHANNELS), pass, has);
        }
        MapsChoice::Top(count) => choose(*count, &|tag| calibration.by_variance(tag)),
        MapsChoice::Changed(count) => choose(*count, &|tag| calibration.by_change(tag)),
        MapsChoice::Channels(chosen) => choose(usize::MAX, &|_| chosen.clone()),
    }
    Ok(channels)
}

/// What a file has for the layers that are shown, each of which it has to have.
fn read_all<T: DeserializeOwned>(
    file: &Path,
    pass: &ForwardPass,
    has: fn(&T, &str) -> bool,
) -> Result<T, RunError> {
    let all = read_toml(file)?;
    match pass.wanted.iter().find(|layer| !has(&all, &layer.tag())) {
        Some(layer) => Err(CommandError::wrong_use(format!(
            "{} has nothing for {}: take it from a run that shows this layer, or leave the layer out with --layers",
            file.display(),
            layer.name()
        ))
        .into()),
        None => Ok(all),
    }
}

fn read_toml<T: DeserializeOwned>(file: &Path) -> Result<T, CommandError> {
    let text = settings_text(file).map_err(|source| unreadable(file, source))?;
    toml::from_str(&text).map_err(|error| other_file(file, error.message()))
}

fn unreadable(file: &Path, source: io::Error) -> CommandError {
    let file = file.display();
    CommandError::wrong_use(format!(
        "cannot read {file}: a run with --range run leaves ranges.toml in its folder, one with --maps top:N, changed:N or a list channels.toml"
    ))
    .because(source)
}

fn other_file(file: &Path, why: &str) -> CommandError {
    let file = file.display();
    CommandError::wrong_use(format!(
        "{file}: {why}; expected the file that a run left there"
    ))
}
