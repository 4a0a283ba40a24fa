//! From one layer's feature maps to summaries and PNG files: the work of the rendering threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use thiserror::Error;

use super::describe::Describer;
use super::floats::MapFloats;
use super::timings::{Laps, Stage};
use crate::events::Summary;
use crate::png;
use crate::render::{self, Layout, Maps, Picture, Rendered, Style};
use crate::vgg::Layer;

/// A picture that could not be made.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The device did not hand over the feature maps.
    #[error("{name}: the feature maps could not be copied from the device: {why}")]
    Copy {
        /// The layer.
        name: String,
        /// What the backend says.
        why: String,
    },
    /// The maps do not make a grid.
    #[error("{name}")]
    Render {
        /// The layer.
        name: String,
        /// Why.
        source: render::RenderError,
    },
    /// The grid does not make a PNG.
    #[error("{name}")]
    Encode {
        /// The layer.
        name: String,
        /// Why.
        source: png::PngError,
    },
    /// The thread that made it panicked.
    #[error("internal error while making a picture: {0}")]
    Crashed(String),
    /// A PNG file could not be written.
    #[error("cannot write {path}: free some space or choose another folder with --png")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// One finished piece of a step.
pub(super) struct Done {
    /// Its place among the step's pieces.
    pub(super) slot: usize,
    /// The layer, for messages.
    pub(super) name: String,
    pub(super) summaries: Vec<Summary>,
    /// Values that were NaN or infinite.
    pub(super) non_finite: usize,
    pub(super) laps: Laps,
}

/// How pictures are made; the same for the whole run.
pub(super) struct Studio {
    pub(super) maps: Style,
    pub(super) kernels: Style,
    /// Whether the network takes blue first, so that its kernels' channels must be turned round.
    pub(super) bgr: bool,
    /// How the device hands over feature maps.
    pub(super) layout: Layout,
    pub(super) describer: Describer,
    /// Where PNG files go, if anywhere.
    pub(super) png: Option<PathBuf>,
}

/// The feature maps of one layer for one image.
pub(super) struct MapsJob {
    pub(super) layer: Layer,
    /// `[1, channels, height, width]`.
    pub(super) maps: Tensor<4>,
    /// What stands before the layer in the tag: `feature_maps`, or the image's name.
    pub(super) group: Arc<str>,
    /// The folder of this step and image for PNG files, below [`Studio::png`].
    pub(super) folder: Arc<str>,
    /// Whether the tag's description is needed; only its first value carries one.
    pub(super) describe: bool,
}

impl Studio {
    /// Renders and encodes one layer's grid.
    pub(super) fn feature_maps(&self, slot: usize, job: MapsJob) -> Result<Done, PictureError> {
        let mut laps = Laps::default();
        let name = job.layer.name();
        let [_, channels, height, width] = job.maps.dims();
        let rendered = self.render(job.maps, &name, &mut laps)?;
        let tag = format!("{}/{}", job.group, job.layer.tag());
        let description = if job.describe {
            self.describer
                .feature_maps(job.layer, [channels, height, width], &self.maps, &rendered)
        } else {
            String::new()
        };
        let png = laps.time(Stage::Encode, || encode(&name, &rendered.picture))?;
        if let Some(root) = &self.png {
            let folder = root.join(&*job.folder);
            laps.time(Stage::Write, || {
                write_files(&folder, &job.layer.tag(), &name, &png, &rendered)
            })?;
        }
        Ok(done(slot, name, tag, description, &rendered, png, laps))
    }

    /// Renders and encodes the grid of first-layer kernels, `[kernels, channels, height, width]`.
    pub(super) fn kernels(
        &self,
        slot: usize,
        layer: Layer,
        kernels: Tensor<4>,
        folder: &str,
        describe: bool,
    ) -> Result<Done, PictureError> {
        let mut laps = Laps::default();
        let name = format!("kernels of {}", layer.name());
        let shape = kernels.dims();
        let data = laps.time(Stage::Copy, || read(kernels, &name))?;
        let rendered = laps
            .time(Stage::Render, || {
                let floats = data.as_slice::<f32>().unwrap_or_default();
                render::kernels(floats, shape, self.bgr, &self.kernels)
            })
            .map_err(|source| PictureError::Render {
                name: name.clone(),
                source,
            })?;
        let tag = format!("kernels/{}", layer.tag());
        let description = if describe {
            self.describer.kernels(shape, &self.kernels, &rendered)
        } else {
            String::new()
        };
        let png = laps.time(Stage::Encode, || encode(&name, &rendered.picture))?;
        if let Some(root) = &self.png {
            let file = format!("kernels_{}.png", layer.tag());
            laps.time(Stage::Write, || write_file(&root.join(folder), &file, &png))?;
        }
        Ok(done(slot, name, tag, description, &rendered, png, laps))
    }

    /// Encodes the picture that the network saw, normalisation undone.
    pub(super) fn input(
        &self,
        slot: usize,
        tag: String,
        image: &str,
        picture: &Picture,
        describe: bool,
    ) -> Result<Done, PictureError> {
        let mut laps = Laps::default();
        let name = "input".to_owned();
        let png = laps.time(Stage::Encode, || encode(&name, picture))?;
        let description = if describe {
            self.describer.input(image)
        } else {
            String::new()
        };
        let summary = Summary::image(tag, description, picture.width, picture.height, vec![png]);
        Ok(Done {
            slot,
            name,
            summaries: vec![summary],
            non_finite: 0,
            laps,
        })
    }

    /// The grid of `maps`, `[1, channels, height, width]`, whose memory is free afterwards.
    fn render(
        &self,
        maps: Tensor<4>,
        name: &str,
        laps: &mut Laps,
    ) -> Result<Rendered, PictureError> {
        let [_, channels, height, width] = maps.dims();
        let floats = laps
            .time(Stage::Copy, || MapFloats::new(maps, self.layout))
            .map_err(|why| PictureError::Copy {
                name: name.to_owned(),
                why,
            })?;
        laps.time(Stage::Render, || {
            let maps = Maps::of(&floats, channels, height, width, self.layout)?;
            render::feature_maps(&maps, &self.maps)
        })
        .map_err(|source| PictureError::Render {
            name: name.to_owned(),
            source,
        })
    }
}

/// Encodes pictures of one size that stand side by side under one tag.
pub(super) fn side_by_side(
    slot: usize,
    tag: String,
    description: String,
    pictures: &[Picture],
) -> Result<Done, PictureError> {
    let mut laps = Laps::default();
    let pngs = laps.time(Stage::Encode, || {
        pictures
            .iter()
            .map(|picture| encode(&tag, picture))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let (width, height) = pictures
        .first()
        .map_or((0, 0), |picture| (picture.width, picture.height));
    Ok(Done {
        slot,
        name: tag.clone(),
        summaries: vec![Summary::image(tag, description, width, height, pngs)],
        non_finite: 0,
        laps,
    })
}

fn read(tensor: Tensor<4>, name: &str) -> Result<TensorData, PictureError> {
    tensor.try_into_data().map_err(|error| PictureError::Copy {
        name: name.to_owned(),
        why: error.to_string(),
    })
}

fn encode(name: &str, picture: &Picture) -> Result<Vec<u8>, PictureError> {
    png::encode(picture).map_err(|source| PictureError::Encode {
        name: name.to_owned(),
        source,
    })
}

fn done(
    slot: usize,
    name: String,
    tag: String,
    description: String,
    rendered: &Rendered,
    png: Vec<u8>,
    laps: Laps,
) -> Done {
    let Picture { width, height, .. } = rendered.picture;
    Done {
        slot,
        name,
        summaries: vec![Summary::image(tag, description, width, height, vec![png])],
        non_finite: rendered.non_finite,
        laps,
    }
}

/// `FOLDER/05_conv2_1.png` and `FOLDER/05_conv2_1/000.png …`.
fn write_files(
    folder: &Path,
    tag: &str,
    name: &str,
    grid: &[u8],
    rendered: &Rendered,
) -> Result<(), PictureError> {
    write_file(folder, &format!("{tag}.png"), grid)?;
    let maps = folder.join(tag);
    for (index, picture) in rendered.singles().enumerate() {
        write_file(&maps, &format!("{index:03}.png"), &encode(name, &picture)?)?;
    }
    Ok(())
}

fn write_file(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), PictureError> {
    let path = folder.join(file);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|source| PictureError::Write { path, source })
}
