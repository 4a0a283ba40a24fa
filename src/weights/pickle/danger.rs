//! Names that run code.
//!
//! Nothing in a pickle is ever called here, so the list protects nobody's machine: it reports that
//! a file would do harm elsewhere. It has the usual ways to run a command, as picklescan
//! (<https://github.com/mmaitre314/picklescan>) lists them; a checkpoint may hold any other class.

/// Modules of which nothing is harmless, submodules included. Protocol 2 has Python 2's names
/// (`commands` for `subprocess`).
const MODULES: [&str; 19] = [
    "_pickle",
    "_posixsubprocess",
    "bdb",
    "cPickle",
    "commands",
    "ctypes",
    "importlib",
    "nt",
    "os",
    "pdb",
    "pickle",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "timeit",
];

/// Functions of `builtins`, which Python 2 calls `__builtin__`.
const BUILTINS: [&str; 8] = [
    "__import__",
    "compile",
    "eval",
    "exec",
    "execfile",
    "getattr",
    "open",
    "setattr",
];

/// Attributes that lead from a harmless class to any function.
const ATTRIBUTES: [&str; 7] = [
    "__builtins__",
    "__getattribute__",
    "__globals__",
    "__import__",
    "__subclasses__",
    "popen",
    "system",
];

/// Whether this is Python's `getattr`. Pickles of protocol 2 reach nested classes and static methods
/// with it (`getattr(OneCycleLR, "_annealing_cos")`), which runs nothing: what counts is what it reaches.
pub(super) fn is_getattr(module: &str, name: &str) -> bool {
    matches!(module, "builtins" | "__builtin__") && name == "getattr"
}

/// Whether `name` of `module` can run code. Protocol 4 resolves dotted names attribute by
/// attribute, so `torch.serialization` `os.system` reaches `os`.
pub(super) fn runs_code(module: &str, name: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    let is_builtin = |part| BUILTINS.contains(&part);
    MODULES.contains(&top)
        || name
            .split('.')
            .any(|part| part == "builtins" || MODULES.contains(&part) || ATTRIBUTES.contains(&part))
        || (matches!(top, "builtins" | "__builtin__") && name.split('.').any(is_builtin))
        || (matches!(top, "io" | "_io") && matches!(name, "open" | "open_code" | "FileIO"))
}

#[cfg(test)]
mod tests {
    use super::runs_code;

    #[test]
    fn ways_to_run_a_command_are_known() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("nt", "system"),
            ("os.path", "os.system"),
            ("subprocess", "Popen"),
            ("commands", "Popen"),
            ("io", "open"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("__builtin__", "execfile"),
            ("runpy", "_run_code"),
            ("socket", "create_connection"),
            ("shutil", "rmtree"),
            ("torch.serialization", "os.system"),
            ("torch.serialization", "os"),
            ("importlib", "import_module"),
            ("torch.nn.Module", "forward.__globals__"),
            ("numpy", "ndarray.__subclasses__"),
        ] {
            assert!(runs_code(module, name), "{module}.{name}");
        }
    }

    #[test]
    fn what_checkpoints_hold_is_left_alone() {
        for (module, name) in [
            ("collections", "OrderedDict"),
            ("collections", "defaultdict"),
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch", "FloatStorage"),
            ("torch.optim.sgd", "SGD"),
            ("argparse", "Namespace"),
            ("pathlib", "PosixPath"),
            ("posixpath", "join"),
            ("io", "BytesIO"),
            ("ossaudiodev", "open"),
            ("numpy.core.multiarray", "scalar"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
            ("functools", "partial"),
            ("builtins", "set"),
            ("builtins", "slice"),
            ("types", "SimpleNamespace"),
            ("omegaconf.dictconfig", "DictConfig"),
            (
                "pytorch_lightning.callbacks.model_checkpoint",
                "ModelCheckpoint",
            ),
            ("code.models", "Net"),
        ] {
            assert!(!runs_code(module, name), "{module}.{name}");
        }
    }
}
