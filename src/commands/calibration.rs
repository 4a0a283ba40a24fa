//! What is fixed before the first step of a run over several networks: one range a layer, the channels that are
//! shown, and what the steps are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use burn::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::RunContext;
use super::error::{CommandError, RunError};
use super::terminal::Terminal;
use crate::analysis::change::Summary;
use crate::analysis::probe::{ProbeActivations, ProbeImages};
use crate::analysis::{BASES, Bases, Calibration, ObservedNetwork, Observers};
use crate::logger::{Against, Builder, Channels, FeatureLogger, Ranges};
use crate::network::ForwardPass;
use crate::settings::{
    ChangeChoice, ComparisonSettings, MapsChoice, PictureSettings, RangeChoice, settings_text,
};
use crate::state::{RunFolder, StateError, binary};

const RANGES: &str = "ranges.toml";

const CHANNELS: &str = "channels.toml";

/// Maps, or kernels, that those of a tag are compared with.
pub(super) struct ReferenceMaps {
    tag: String,
    maps: Tensor<4>,
    as_what: Against,
}

/// How a run is shown, fixed before its first step.
pub(super) struct RunStyle {
    ranges: Ranges,
    channels: Channels,
    changes: Option<Against>,
    compare: bool,
    /// Maps of networks that are none of this process's steps.
    pub(super) references: Vec<ReferenceMaps>,
    pub(super) bases: Option<Bases>,
}

impl RunStyle {
    pub(super) fn apply(&self, builder: Builder) -> Builder {
        let builder = builder
            .ranges(self.ranges.clone())
            .channels(self.channels.clone())
            .compare(self.compare);
        match self.changes {
            Some(against) => builder.changes(against),
            None => builder,
        }
    }

    /// Hands over maps and bases to what shows the run, and describes its tags.
    pub(super) fn hand_over(
        &mut self,
        logger: &mut FeatureLogger,
        probes: &mut ProbeImages,
        pass: &ForwardPass,
    ) {
        for reference in self.references.drain(..) {
            logger.reference(reference.tag, reference.maps, reference.as_what);
        }
        probes.show_pca(self.bases.take());
        probes.describe(pass, logger);
    }

    /// The files in a run's folder that hold ranges and channels, by name, for its later steps and for other runs.
    pub(super) fn files(&self) -> Result<BTreeMap<String, String>, RunError> {
        let mut files = BTreeMap::new();
        if !self.ranges.is_empty() {
            let about = "The range of each layer at every step: --range THIS_FILE shows another run with the same ones.";
            files.insert(RANGES.to_owned(), toml_text(about, &self.ranges)?);
        }
        if !self.channels.is_empty() {
            let about = "The channels of each layer that are shown: --maps THIS_FOLDER shows the same ones of another run.";
            files.insert(CHANNELS.to_owned(), toml_text(about, &self.channels)?);
        }
        if let Some(bases) = &self.bases {
            files.insert(BASES.to_owned(), binary(&bases.to_bytes()?));
        }
        Ok(files)
    }
}

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

/// Writes those files of a run that is resumed where they are not as it left them: all its steps are shown alike.
pub(super) fn restore(
    folder: &RunFolder,
    files: &BTreeMap<String, String>,
    terminal: &Terminal,
) -> Result<(), StateError> {
    for name in folder.restore(files)? {
        terminal.note(&format!(
            "{} is not as the run left it, and is written again",
            folder.path().join(name).display()
        ));
    }
    Ok(())
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
}

impl<'a> Calibrator<'a> {
    /// Of a run that is resumed, takes the bases, ranges and channels that it has, unless others are asked for.
    pub(super) fn new(
        run: &'a RunContext<'a>,
        probes: &'a ProbeImages,
        comparison: &'a ComparisonSettings,
        mut pictures: PictureSettings,
        is_resumed: bool,
    ) -> Result<Self, RunError> {
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
    pub(super) fn finish(
        mut self,
        observers: Option<&mut Observers>,
    ) -> Result<RunStyle, RunError> {
        let (run, ranges) = (self.run, self.run.folder.path().join(RANGES));
        if self.is_resumed && ranges.exists() {
            self.calibration.ranges.keep_changes(read_toml(&ranges)?);
        }
        if let Some(observers) = observers {
            let style = run.settings.pictures.style();
            observers.set_calibration(&self.calibration, &run.pass, style);
        }
        let comparison = Some(self.comparison);
        let style = run_style(&self.calibration, &self.pictures, comparison, &run.pass)?;
        Ok(RunStyle {
            references: self.references,
            bases: self.bases,
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
        Some(RangeChoice::File(file)) => read_ranges(file, pass)?,
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
    })
}

/// What a network makes of the probe images, as maps that steps are compared with.
pub(super) fn references(
    network: &ObservedNetwork<'_>,
    probes: &ProbeImages,
    as_what: Against,
) -> Vec<ReferenceMaps> {
    let of_probes = network.probes.each();
    let of_probes = of_probes.map(|(image, layer, maps)| (probes.tag(image, layer), maps));
    let reference = |(tag, maps)| ReferenceMaps { tag, maps, as_what };
    of_probes.map(reference).collect()
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
        MapsChoice::Of(run) => return read_channels(&run.join(CHANNELS), pass),
        MapsChoice::Top(count) => choose(*count, &|tag| calibration.by_variance(tag)),
        MapsChoice::Changed(count) => choose(*count, &|tag| calibration.by_change(tag)),
        MapsChoice::Channels(chosen) => choose(usize::MAX, &|_| chosen.clone()),
    }
    Ok(channels)
}

fn read_ranges(file: &Path, pass: &ForwardPass) -> Result<Ranges, RunError> {
    let ranges: Ranges = read_toml(file)?;
    check_all(file, pass, |tag| ranges.get(tag).is_some())?;
    Ok(ranges)
}

fn read_channels(file: &Path, pass: &ForwardPass) -> Result<Channels, RunError> {
    let channels: Channels = read_toml(file)?;
    check_all(file, pass, |tag| channels.get(tag).is_some())?;
    Ok(channels)
}

fn check_all(
    file: &Path,
    pass: &ForwardPass,
    has: impl Fn(&str) -> bool,
) -> Result<(), CommandError> {
    match pass.wanted.iter().find(|layer| !has(&layer.tag())) {
        Some(layer) => Err(CommandError::wrong_use(format!(
            "{} has nothing for {}: take it from a run that shows this layer, or leave the layer out with --layers",
            file.display(),
            layer.name()
        ))),
        None => Ok(()),
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

fn toml_text(about: &str, values: &impl Serialize) -> Result<String, RunError> {
    Ok(format!("# {about}\n{}", toml::to_string(values)?))
}

/// Draws and sums up what is known only after the last step, if there was one. What ended the run early stands
/// before what goes wrong here.
pub(super) fn finish(
    observers: Option<Observers>,
    logger: &mut FeatureLogger,
    last: Option<i64>,
    ended: Result<(), RunError>,
) -> (Summary, Result<(), RunError>) {
    let (Some(observers), Some(last)) = (observers, last) else {
        return (Summary::default(), ended);
    };
    match observers.finish(logger, last) {
        Ok(summary) => (summary, ended),
        Err(error) => (Summary::default(), ended.and(Err(error.into()))),
    }
}
