//! Links the program so that it finds libtorch by itself, without `LD_LIBRARY_PATH`, and tells it
//! which libtorch that was.
//!
//! Set for the crate, when the feature `libtorch` is on:
//!
//! - `VGGSCOPE_LIBTORCH_DIR`: the folder of the libraries, absolute
//! - `VGGSCOPE_LIBTORCH_FLAVOR`: `cuda`, or `cpu` (on macOS this one has MPS in it)
//! - `VGGSCOPE_LIBTORCH_VERSION`: as libtorch gives it, `2.9.0+cu128` for example, or `unknown`

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where `make install` puts the libraries, seen from the installed program.
const INSTALLED_LIBRARIES: &str = "../lib/vggscope/torch/lib";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }
    // torch-sys (`links = "tch"`) hands on the folder that it links against, on Linux and macOS.
    let Some(libraries) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!(
            "cargo::error=libtorch is known to work on Linux and macOS only; elsewhere build with --no-default-features"
        );
        return;
    };
    let libraries = fs::canonicalize(&libraries).unwrap_or(libraries);
    println!("cargo::rerun-if-changed={}", libraries.display());

    let has_cuda = libraries.join("libtorch_cuda.so").exists();
    add_library_paths(&libraries);
    if has_cuda {
        require_cuda();
    }

    println!(
        "cargo::rustc-env=VGGSCOPE_LIBTORCH_DIR={}",
        libraries.display()
    );
    println!(
        "cargo::rustc-env=VGGSCOPE_LIBTORCH_FLAVOR={}",
        if has_cuda { "cuda" } else { "cpu" }
    );
    println!(
        "cargo::rustc-env=VGGSCOPE_LIBTORCH_VERSION={}",
        version(&libraries).as_deref().unwrap_or("unknown")
    );
}

/// The installed libraries come first, so that an installed program does not depend on the clone.
fn add_library_paths(libraries: &Path) {
    let program_folder = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "@executable_path",
        Ok("linux") => "$ORIGIN",
        _ => return,
    };
    for path in [
        format!("{program_folder}/{INSTALLED_LIBRARIES}"),
        libraries.display().to_string(),
    ] {
        // Four arguments and not `-Wl,-rpath,PATH`, which a comma in PATH would split.
        for argument in ["-Xlinker", "-rpath", "-Xlinker", &path] {
            println!("cargo::rustc-link-arg={argument}");
        }
    }
}

/// libtorch finds CUDA only when `libtorch_cuda.so` is loaded, and nothing in the program calls
/// into it, so the linker would leave it out (rustc passes `--as-needed`).
fn require_cuda() {
    for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"] {
        println!("cargo::rustc-link-arg={argument}");
    }
}

/// `build-version` is in the archives of pytorch.org and in what `make libtorch` lays out,
/// `version.py` in an installed Python package.
fn version(libraries: &Path) -> Option<String> {
    let torch = libraries.parent()?;
    if let Ok(text) = fs::read_to_string(torch.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = fs::read_to_string(torch.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}
