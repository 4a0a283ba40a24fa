//! Links the program with an rpath to libtorch, so that it starts without `LD_LIBRARY_PATH`.
//!
//! With the feature `libtorch` it sets `VGGSCOPE_LIBTORCH_DIR` for the crate: the absolute path of the libraries.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where `make install` puts the libraries, relative to the installed program.
const INSTALLED_LIBRARIES: &str = "../lib/vggscope/torch/lib";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let has = |feature| env::var_os(feature).is_some();
    if !has("CARGO_FEATURE_LIBTORCH") {
        if !has("CARGO_FEATURE_FLEX") {
            println!(
                "cargo::error=vggscope needs a backend: build with --features flex (the default) or --features libtorch"
            );
        }
        return;
    }
    // torch-sys (`links = "tch"`) exports the folder that it links against, on Linux and macOS.
    let Some(libraries) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!(
            "cargo::error=libtorch is supported on Linux and macOS only; elsewhere build with flex, the default"
        );
        return;
    };
    let libraries = fs::canonicalize(&libraries).unwrap_or(libraries);
    println!("cargo::rerun-if-changed={}", libraries.display());

    add_library_paths(&libraries);
    if libraries.join("libtorch_cuda.so").exists() {
        require_cuda();
    }

    println!(
        "cargo::rustc-env=VGGSCOPE_LIBTORCH_DIR={}",
        libraries.display()
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

/// libtorch finds CUDA only if `libtorch_cuda.so` is loaded. Nothing in the program calls it, so the
/// linker would drop it (rustc passes `--as-needed`).
fn require_cuda() {
    for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"] {
        println!("cargo::rustc-link-arg={argument}");
    }
}
