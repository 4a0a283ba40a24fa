//! Where downloads are kept.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use crate::weights::imagenet::{Locations, PUBLISHER};

/// The folders for these variables and the home folder `/home/me`.
fn locations(vars: &[(&str, &str)]) -> Locations {
    let vars: HashMap<&str, &str> = vars.iter().copied().collect();
    let var = |name: &str| vars.get(name).map(OsString::from);
    Locations::from_vars(&var, Some(Path::new("/home/me")))
}

// `torch.hub.get_dir()` with the same variables.
#[test]
fn torchs_folder_is_where_torch_has_it() {
    for (vars, folder) in [
        (&[][..], "/home/me/.cache/torch/hub/checkpoints"),
        (&[("XDG_CACHE_HOME", "/c")], "/c/torch/hub/checkpoints"),
        (
            &[("TORCH_HOME", "/t"), ("XDG_CACHE_HOME", "/c")],
            "/t/hub/checkpoints",
        ),
        (&[("TORCH_HOME", "~/t")], "/home/me/t/hub/checkpoints"),
    ] {
        assert_eq!(locations(vars).torch.unwrap(), Path::new(folder));
    }
}

#[test]
fn our_folder_and_the_mirror_come_from_the_environment() {
    let set = locations(&[
        ("VGGSCOPE_CACHE", "/v"),
        ("VGGSCOPE_WEIGHTS_URL", "https://mirror.example/models/"),
    ]);
    assert_eq!(set.own.unwrap(), Path::new("/v"));
    assert_eq!(set.url, "https://mirror.example/models");
    assert_eq!(locations(&[]).url, PUBLISHER);
}
