//! `vggscope doctor`: which devices this build can use on this machine, and why not the others.

use indicatif::HumanBytes;

use super::remedy::explain;
use crate::device::{
    DeviceChoice, Gpu, Libtorch, OpenDevice, Survey, Trial, gpu, survey, try_convolution,
};

pub(crate) fn report() -> String {
    let survey = survey();
    let libtorch = survey.libtorch.as_ref();
    let threads = libtorch.map(|found| found.threads.to_string());
    let names: Vec<String> = survey.devices.iter().map(ToString::to_string).collect();
    format!(
        "vggscope   {}\n\
         libtorch   {}\n\
         CUDA       {}\n\
         {}\
         devices    {}\n\
         auto       {}\n\
         CPU        {} cores, libtorch computes on {}\n",
        env!("CARGO_PKG_VERSION"),
        libtorch_line(libtorch),
        cuda_line(libtorch),
        gpu_lines(&survey).collect::<String>(),
        names.join(", "),
        names.first().map_or("none", String::as_str),
        std::thread::available_parallelism().map_or(1, usize::from),
        threads.as_deref().unwrap_or("none"),
    )
}

/// What each GPU is, and what it makes of a convolution.
fn gpu_lines(survey: &Survey) -> impl Iterator<Item = String> {
    let is_gpu = |device: &&DeviceChoice| matches!(device, DeviceChoice::LibtorchCuda(_));
    survey.devices.iter().filter(is_gpu).map(|choice| {
        let name = choice.to_string();
        let number = name.rsplit(':').next().unwrap_or_default();
        let device = match OpenDevice::open(*choice) {
            Ok(open) => open.device,
            Err(error) => return format!("GPU {number:<6} {}\n", explain(&error)),
        };
        let gpu = match gpu(&device) {
            Some(Ok(gpu)) => describe(&gpu),
            Some(Err(why)) => format!("the driver does not answer: {why}"),
            None => "no NVIDIA GPU".to_owned(),
        };
        let trial = match try_convolution(&device) {
            Ok(trial) => judge(trial),
            Err(why) => format!("does not compute: {}", explain(&why)),
        };
        format!("GPU {number:<6} {gpu}\n           {trial}\n")
    })
}

fn describe(gpu: &Gpu) -> String {
    let [major, minor] = gpu.capability;
    let [all, free] = [gpu.memory, gpu.free_memory].map(|bytes| HumanBytes(bytes as u64));
    let tf32 = if major >= 8 { "can" } else { "cannot" };
    format!(
        "{}, compute capability {major}.{minor} ({tf32} use TF32), {all} of memory, {free} free",
        gpu.name
    )
}

fn judge(trial: Trial) -> String {
    // float32 has 24 bits, TF32 11.
    let verdict = if trial.float32 < 1e-5 {
        "computes as the CPU does"
    } else {
        "COMPUTES OTHERWISE THAN THE CPU"
    };
    format!(
        "{verdict}: a convolution is {:.0e} of its norm apart, with --precision tf32 {:.0e}",
        trial.float32, trial.tf32
    )
}

fn libtorch_line(libtorch: Option<&Libtorch>) -> String {
    let Some(Libtorch {
        version,
        dir,
        built_with_cuda,
        ..
    }) = libtorch
    else {
        return "not in this build; only flex is available".to_owned();
    };
    let kind = if *built_with_cuda { "CUDA" } else { "CPU only" };
    format!("{version} ({kind}) from {dir}")
}

fn cuda_line(libtorch: Option<&Libtorch>) -> String {
    let Some(libtorch) = libtorch else {
        return "not usable: this build has no libtorch".to_owned();
    };
    if let Some(why) = libtorch.why_no_cuda(0) {
        return format!("not usable: {}", explain(&why));
    }
    let cudnn = if libtorch.has_cudnn {
        "found"
    } else {
        "not found"
    };
    let devices = libtorch.cuda_devices;
    format!("usable: {devices} device(s), cuDNN {cudnn}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_described_and_judged() {
        let gpu = Gpu {
            name: "NVIDIA H100".to_owned(),
            capability: [9, 0],
            memory: 85 << 30,
            free_memory: 80 << 30,
        };
        assert_eq!(
            describe(&gpu),
            "NVIDIA H100, compute capability 9.0 (can use TF32), 85.00 GiB of memory, 80.00 GiB free"
        );
        let trial = |float32| Trial {
            float32,
            tf32: 3e-4,
        };
        assert_eq!(
            judge(trial(4.27e-7)),
            "computes as the CPU does: a convolution is 4e-7 of its norm apart, with --precision tf32 3e-4"
        );
        assert!(judge(trial(2.9e-4)).starts_with("COMPUTES OTHERWISE"));
    }
}
