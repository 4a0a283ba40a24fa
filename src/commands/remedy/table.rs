//! What to do about an error, by its type and variant.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use feature_grid::RenderError;
use feature_grid::png::PngError;
use tensorboard_events::{Damage, EventFileError, ReadError, RecordError, StepError};

use crate::analysis::AnalysisError;
use crate::analysis::compare::CompareError;
use crate::analysis::grams::GramsError;
use crate::data::checkpoints::CheckpointError;
use crate::data::error::ImageError;
use crate::data::find::FindError;
use crate::data::labeled::LoaderError;
use crate::data::missing::meant;
use crate::device::{BackendError, DeviceError, Unavailable};
use crate::logger::LoggerError;
use crate::network::pt2::Pt2Error;
use crate::network::vgg::{Arch, NetworkError};
use crate::network::{ForwardError, InputError, SelectError};
use crate::one_line::shell_quoted;
use crate::state::StateError;
use crate::train::{CheckpointError as SavedError, Divergence, Symptom, TrainError};
use crate::weights::WeightsErrorKind;
use crate::weights::imagenet::ImagenetError;

/// Of the variants of an error's type, the first that fits has the advice, if there is any.
macro_rules! table {
    ($($error:ident { $($($variant:ident $fields:tt)|+ $(if $guard:expr)? => $advice:expr,)+ })+) => {
        pub(super) fn advice(error: &(dyn Error + 'static)) -> Option<String> {
            $($(if let Some($($error::$variant $fields)|+) = error.downcast_ref() $(&& $guard)? {
                return Some(String::from($advice));
            })+)+
            None
        }
    };
}

table! {
    AnalysisError {
        OtherSize { .. } => "set --crop",
        TooFew { .. } => "name more with --compare-images, or with --images of `vggscope diff`",
        OtherNetwork { .. } => "compare networks of one architecture and width",
    }
    GramsError {
        Write { .. } => "free some space or choose another folder with --logdir",
        File(_) | Damaged { .. } | OtherImages { .. } => "delete it, or repeat its run with --compare-images",
        Version { .. } => "use the version that wrote it, or repeat its run with --compare-images",
    }
    CompareError {
        NoGrams(_) => "name the folder of a run of `vggscope checkpoints` or `train` with --compare-images, once it has a step",
        OldGrams(_) => "repeat its run, or compare with the version that wrote it",
        Differ { .. } => "repeat one of the two runs with the other's --compare-images, preprocessing and --compare",
        NoLayer { .. } => "repeat one of the two runs with the other's --layers",
    }
    CheckpointError {
        NoFolder(_) => "restore it, and repeat the command",
        AllExcluded { .. } => "leave an --exclude out",
        NoNumber { .. } => "name one file alone, or number the checkpoints in natural order with --step index",
        Ambiguous { .. } => "capture the step with --step, such as 'epoch(\\d+)', or number the checkpoints in natural order with --step index",
        SameStep { .. } => "leave one out with --exclude, capture another number with --step, or number the checkpoints in natural order with --step index",
        OutOfRange { .. } => "leave the file out with --exclude, rename it, or number the checkpoints in natural order with --step index",
    }
    FindError {
        Missing { path } => missing(path)?,
        Unreadable { source, .. } if source.kind() == ErrorKind::PermissionDenied => "check its permissions, or leave it out",
        Link { .. } => "name the file itself, or remove the link",
        Other { .. } => "were the two swapped? vggscope checkpoints CHECKPOINTS --images IMAGES",
    }
    ImageError {
        ResizedTooLarge { .. } => "choose a smaller --resize or --crop, or leave the image out",
    }
    LoaderError {
        Sizes { .. } => "make the images one size with --crop",
        NoSuchPosition { .. } => "resume with the data set and the --batch-size that the run began with, or start a new run",
    }
    DeviceError {
        DrawsNot(_) => "set VGGSCOPE_RENDER to auto or host",
    }
    BackendError {
        OutOfMemory(_) => "use a smaller --crop, fewer --layers or a smaller batch, or end what else uses the device",
        Threads {} => "raise the limit on processes (ulimit -u) or end some",
        Graph(_) => "export the network again, or choose --layers before it",
    }
    Unavailable {
        NoLibtorch {} => "build with --features libtorch, as `make build` does, or use --device flex",
        NoFlex {} => "build with --features flex, as `make build BACKEND=flex` does, or use --device libtorch:cpu",
        CpuOnly {} => "with an NVIDIA GPU run `LIBTORCH_FLAVOR=cuda make build`, or install a torch with CUDA if it is that of Python",
        NotLinked {} => "run `cargo clean -p vggscope && make build`",
        NoGpu {} => "see whether `nvidia-smi` lists one and its driver is recent enough",
        OtherNumber(_) | NoMps {} => "`vggscope doctor` shows which devices there are, and --device auto takes the best",
    }
    EventFileError {
        CreateFolder(..) => "check that its parent is writable, or choose another with --logdir or --run",
        CreateFile(..) => "check that the folder is writable, or choose another with --logdir or --run",
        OpenEarlier(..) => "check that it exists and is readable and writable",
        Busy(_) => "stop that first, or choose another --run",
        NoLaterName(_) => "move that file away, or start a new run (--run)",
        Truncate { .. } => "check that it is writable, or start a new run (--run)",
        Begin(..) => "free space on that disk, or choose another with --logdir",
        Sync(..) => "check whether that disk is full or was disconnected, then repeat the command (`train` with --resume, `images` in another --run)",
    }
    StepError {
        TooLarge { .. } => "write fewer or smaller pictures (--maps, --crop)",
        Write(_) | WriteAndTruncate { .. } | Refused {} => "free space on that disk, then repeat the command (`train` with --resume, `images` in another --run)",
    }
    ReadError {
        Version { .. } | Record { source: RecordError { damage: Damage::Malformed(_), .. }, .. } => "move that file away, or start a new run (--run)",
    }
    RenderError {
        TooLarge { .. } => "choose a smaller --min-tile, --maps or --crop",
        KernelChannels { .. } => "leave the kernels out with --no-kernels",
    }
    PngError {
        Size(..) => "show fewer or smaller maps",
    }
    LoggerError {
        Threads(_) => "raise the limit on processes (ulimit -u) or end some",
        OtherShape { .. } => "give every step images of one size, or do not compare steps (--compare off)",
        Channel { .. } => "choose others with --maps",
        WritePng(..) => "free some space or choose another folder for PNG files (--png)",
        // On memory and threads there is advice at the error of the device.
        Draw(_, BackendError::Other(_)) => "VGGSCOPE_RENDER=host renders on the host",
        Panicked(_, BackendError::Other(_)) => "please report it with the command you ran",
    }
    SelectError {
        Unknown(_) => "`vggscope layers`, with the same --model or --weights, lists them all",
        TooDeep { .. } => "choose --layers up to that one",
        Empty(_) => "exclude fewer of them, or write \"all\"",
    }
    InputError {
        TooSmall { .. } => "use a larger --crop, or only layers before it",
        Other { takes: [height, width], .. } if height == width => format!("leave --crop out, or use --crop {height}"),
        Other { takes: [height, width], .. } => format!("leave --crop out, or use --crop {height}x{width}"),
    }
    ForwardError {
        // What is wrong with its graph no smaller batch mends.
        Backend { source, .. } if !matches!(source, BackendError::Graph(_)) => "try a smaller --crop, fewer layers or a smaller --batch",
    }
    NetworkError {
        OtherArch { found, .. } => format!("use --arch {}", found.first()?),
    }
    Pt2Error {
        Unknown { last: Some(last), .. } => format!("choose --layers up to {last}; `vggscope layers --model` says which layers need it"),
        Unknown { last: None, .. } => "no layer can be shown without it: write the network without it and export it again",
        InPlace { .. } => "choose --layers before it, or export the network without working in place there",
        Training { .. } => "export the network after .eval()",
        Schema { .. } => "export it with torch 2.8 or newer",
        Inputs(_) => "export a module whose forward takes the image alone, the rest fixed in it",
        NoImage { .. } => "export it with such an image as its example",
        Graph(_) => "export it again",
    }
    StateError {
        Folder { .. } => "choose another with --logdir or --run",
        Used { .. } => "choose another name with --run, resume it (train --resume), or delete the folder",
        Busy(_) => "choose another name with --run, or wait for its end",
        InParts(run) => format!("repeat the command of each that is missing (--shard I/N), then: vggscope merge {}", shell_quoted(run)),
        Read { .. } => "make it readable, or name another --run",
        Write { source, .. } if [ErrorKind::StorageFull, ErrorKind::QuotaExceeded].contains(&source.kind()) => "free some space, then repeat the command, or choose another folder with --logdir",
        Write { .. } => "choose another folder with --logdir",
        NoState { .. } => "name another --run, or delete the folder",
        Version { .. } => "name another --run",
    }
    TrainError {
        Diverged(divergence) => diverged(divergence),
        Backend { .. } => "try a smaller --batch-size or --crop",
    }
    SavedError {
        Read { network, .. } => format!("no checkpoint before {} can be resumed from: start in another --run", network.display()),
        Write { .. } => "free space on that disk, then continue with --resume",
        Nothing { .. } => "start without --resume, in another --run",
    }
    ImagenetError {
        Unavailable { .. } => "put the file there, or pass --weights FILE",
        NoCache(_) => "set VGGSCOPE_CACHE, or pass --weights FILE",
        NoAddress(_) => "leave the variable out, or pass --weights FILE",
    }
    WeightsErrorKind {
        Ambiguous(_) => "choose one with --weights-key",
        NoKey { .. } => "choose one of these with --weights-key",
        NotProgram(_) => "in Python, `torch.export.save(torch.export.export(net.eval(), (image,)), \"net.pt2\")` writes one",
        OtherNetwork(_) => "other networks are shown by --model, as docs/any-network.md says",
        Framework { is_bgr: true, .. } => "with such weights, use --preset caffe",
        Framework { .. } => "--weights imagenet has the published networks",
    }
}

/// What was probably meant by a path that leads nowhere.
fn missing(path: &Path) -> Option<String> {
    let network = path.to_str().filter(|name| name.parse::<Arch>().is_ok());
    Some(match network {
        Some(name) => format!("did you mean --weights imagenet, or --arch {name}?"),
        None => format!("did you mean {}?", meant(path)?.display()),
    })
}

fn diverged(divergence: &Divergence) -> String {
    let limit = match divergence.symptom {
        Symptom::Loss { value, .. } if value.is_finite() => ", or a larger --stop-above",
        _ => "",
    };
    let how = format!("a smaller --learning-rate or --clip-norm{limit}");
    match &divergence.last_good {
        Some(file) => format!(
            "the last good checkpoint is {} (steps after it are not saved, since they led to this): continue \
             from it with --resume and {how}",
            file.display()
        ),
        None => format!("no checkpoint was saved yet: start again with {how}"),
    }
}
