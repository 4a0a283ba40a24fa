//! `vggscope doctor`: which devices this build can use on this machine, and why not the others.

use std::fmt::Write as _;
use std::process::Command;

use crate::device::{Libtorch, Survey, survey, why_no_cuda};

/// The report, a line a fact.
pub(crate) fn report() -> String {
    let survey = survey();
    let gpus = nvidia_gpus();
    let mut text = format!("vggscope   {}\n", env!("CARGO_PKG_VERSION"));
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "libtorch   {}",
        libtorch_line(survey.libtorch.as_ref())
    );
    let _ = writeln!(text, "CUDA       {}", cuda_line(&survey, &gpus));
    let names: Vec<String> = survey.devices.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "devices    {}", names.join(", "));
    let _ = writeln!(
        text,
        "auto       {}",
        names.first().map_or("none", String::as_str)
    );
    let _ = writeln!(
        text,
        "CPU        {} cores, libtorch computes on {}",
        std::thread::available_parallelism().map_or(1, usize::from),
        survey
            .libtorch
            .as_ref()
            .map_or_else(|| "none".to_owned(), |found| found.threads.to_string()),
    );
    text
}

fn libtorch_line(libtorch: Option<&Libtorch>) -> String {
    libtorch.map_or_else(
        || "not in this build (--no-default-features); only flex is available".to_owned(),
        |found| {
            format!(
                "{} ({}) from {}",
                found.version,
                if found.built_with_cuda {
                    "CUDA"
                } else {
                    "CPU only"
                },
                found.dir
            )
        },
    )
}

fn cuda_line(survey: &Survey, gpus: &[String]) -> String {
    let Some(libtorch) = &survey.libtorch else {
        return "not usable: this build has no libtorch".to_owned();
    };
    let seen = if gpus.is_empty() {
        "nvidia-smi lists no GPU".to_owned()
    } else {
        format!("nvidia-smi lists {}", gpus.join(", "))
    };
    match why_no_cuda(libtorch, 0) {
        Some(why) => format!("not usable: {why} ({seen})"),
        None => format!(
            "usable: {} device(s), cuDNN {} ({seen})",
            libtorch.cuda_devices,
            if libtorch.has_cudnn {
                "found"
            } else {
                "not found"
            }
        ),
    }
}

/// The GPUs that NVIDIA's driver knows; none where there is no driver.
fn nvidia_gpus() -> Vec<String> {
    let Ok(output) = Command::new("nvidia-smi").arg("-L").output() else {
        return Vec::new();
    };
    if !output.status.success() {
        return Vec::new();
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line.split(" (UUID").next().unwrap_or(line).to_owned())
        .collect()
}
