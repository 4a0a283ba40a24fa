//! The ImageNet weights that torchvision publishes: found in a cache, or downloaded.
//!
//! A file that is found is used as it is; its hash is checked when it is downloaded. (Hashing
//! 553 MB takes most of a second, and a truncated file does not open anyway.)
//!
//! Source: `torchvision/models/vgg.py` (the URLs), `torch/hub.py` (the folders).

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use thiserror::Error;

use super::download;

pub(crate) use super::download::{DownloadError, ProgressCallback};

const PUBLISHER: &str = "https://download.pytorch.org/models";

/// torchvision's `IMAGENET1K_V1` files. Their names end with the first digits of their SHA-256.
const PUBLISHED: [(&str, &str); 8] = [
    ("vgg11", "vgg11-8a719046.pth"),
    ("vgg13", "vgg13-19584684.pth"),
    ("vgg16", "vgg16-397923af.pth"),
    ("vgg19", "vgg19-dcbb9e9d.pth"),
    ("vgg11_bn", "vgg11_bn-6002323d.pth"),
    ("vgg13_bn", "vgg13_bn-abd245e5.pth"),
    ("vgg16_bn", "vgg16_bn-6c64b313.pth"),
    ("vgg19_bn", "vgg19_bn-c79401a0.pth"),
];

#[derive(Debug, Error)]
pub(crate) enum ImagenetError {
    #[error("torchvision publishes no ImageNet weights for {0}; expected one of {1}")]
    NotPublished(String, String),
    /// It is in no cache, and could not be downloaded.
    #[error(
        "{file} is not in {locations}, and cannot be downloaded from {url}",
        locations = listed(.locations)
    )]
    Unavailable {
        file: String,
        locations: Vec<PathBuf>,
        url: String,
        source: DownloadError,
    },
    #[error("no cache folder is known for {0}")]
    NoCache(String),
    #[error(
        "VGGSCOPE_WEIGHTS_URL is {0:?}, expected an address that begins with https:// or http://"
    )]
    NoAddress(String),
}

fn listed(locations: &[PathBuf]) -> String {
    let folders = locations.iter().map(|folder| folder.display().to_string());
    folders.collect::<Vec<_>>().join(" or ")
}

/// The folders in which published files are looked for, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locations {
    /// `torch.hub`'s folder, which is read and never written.
    torch: Option<PathBuf>,
    /// Our own folder, into which files are downloaded.
    own: Option<PathBuf>,
    url: String,
}

impl Locations {
    /// The locations that the environment names:
    ///
    /// - torch's: `$TORCH_HOME/hub/checkpoints`, else `$XDG_CACHE_HOME/torch/hub/checkpoints`,
    ///   else `~/.cache/torch/hub/checkpoints`, on every system, as `torch.hub` has it;
    /// - our own: `$VGGSCOPE_CACHE`, else `vggscope` in the system's cache folder;
    /// - the URL: `$VGGSCOPE_WEIGHTS_URL` (a mirror), else torchvision's publisher.
    pub(crate) fn from_env() -> Self {
        Self::from_vars(&|name| env::var_os(name), env::home_dir().as_deref())
    }

    fn from_vars(var: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let folder = |name: &str| var(name).and_then(|value| expand_home(value.into(), home));

        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")));
        let torch = folder("TORCH_HOME").or_else(|| Some(cache?.join("torch")));
        let system_cache = || {
            let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
            Some(strategy.cache_dir().join("vggscope"))
        };
        let url = var("VGGSCOPE_WEIGHTS_URL").and_then(|url| url.into_string().ok());
        let url = url.as_deref().unwrap_or(PUBLISHER).trim_end_matches('/');
        Self {
            torch: torch.map(|torch| torch.join("hub").join("checkpoints")),
            own: folder("VGGSCOPE_CACHE").or_else(system_cache),
            url: url.to_owned(),
        }
    }
}

/// `~` and what follows, as `os.path.expanduser` has it.
fn expand_home(path: PathBuf, home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => Some(home?.join(rest)),
        Err(_) => Some(path),
    }
}

/// The file with the ImageNet weights of `arch` (`vgg16`): from torch's cache, from ours, or
/// downloaded into ours.
pub(crate) fn resolve(
    arch: &str,
    locations: &Locations,
    progress: &mut ProgressCallback<'_>,
) -> Result<PathBuf, ImagenetError> {
    if let Some((_, file)) = PUBLISHED.iter().find(|(name, _)| *name == arch) {
        return resolve_file(file, locations, progress);
    }
    let known = PUBLISHED.map(|(name, _)| name).join(", ");
    Err(ImagenetError::NotPublished(arch.to_owned(), known))
}

/// Like [`resolve`], for any file whose name ends with `-` and the first digits of its SHA-256.
fn resolve_file(
    file: &str,
    locations: &Locations,
    progress: &mut ProgressCallback<'_>,
) -> Result<PathBuf, ImagenetError> {
    let folders = [&locations.torch, &locations.own].into_iter().flatten();
    let mut kept = folders.clone().map(|folder| folder.join(file));
    if let Some(found) = kept.find(|path| path.is_file()) {
        return Ok(found);
    }
    let Some(own) = &locations.own else {
        return Err(ImagenetError::NoCache(file.to_owned()));
    };
    if !["https://", "http://"]
        .iter()
        .any(|scheme| locations.url.starts_with(scheme))
    {
        return Err(ImagenetError::NoAddress(locations.url.clone()));
    }
    let url = format!("{}/{file}", locations.url);
    let target = own.join(file);
    let stem = file.split('.').next().unwrap_or_default();
    let digits = stem.rsplit('-').next().unwrap_or_default();
    match download::fetch(&url, &target, digits, progress) {
        Ok(()) => Ok(target),
        Err(source) => Err(ImagenetError::Unavailable {
            file: file.to_owned(),
            locations: folders.cloned().collect(),
            url,
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
