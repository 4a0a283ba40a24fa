//! Names that no weights file needs and that could run code.
//!
//! Nothing in a pickle is ever called here, so this list protects nobody's machine; it tells the
//! user that a file would do harm elsewhere. It therefore names the well-known ways to run a
//! command or code and leaves everything else alone: a checkpoint may hold any harmless class.
//!
//! Source: the deny list of picklescan (<https://github.com/mmaitre314/picklescan>) and of the
//! advisories about it.

/// Modules of which nothing is harmless, submodules included.
const MODULES: &[&str] = &[
    "_ctypes",
    "_pickle",
    "_posixsubprocess",
    "_socket",
    "_winapi",
    "asyncio",
    "bdb",
    "cPickle",
    "codeop",
    "commands",
    "ctypes",
    "distutils.file_util",
    "ensurepip",
    "ftplib",
    "http.client",
    "httplib",
    "idlelib",
    "imp",
    "importlib",
    "lib2to3",
    "marshal",
    "multiprocessing.util",
    "nt",
    "numpy.f2py",
    "numpy.testing",
    "os",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "popen2",
    "posix",
    "pty",
    "pydoc",
    "requests",
    "runpy",
    "shutil",
    "smtplib",
    "socket",
    "subprocess",
    "sys",
    "telnetlib",
    "timeit",
    "torch.hub",
    "torch.utils.cpp_extension",
    "urllib.request",
    "urllib2",
    "webbrowser",
    "xmlrpc",
];

/// Single names of modules that also hold harmless ones.
const NAMES: &[(&str, &[&str])] = &[
    ("_io", &["FileIO", "open", "open_code"]),
    ("_operator", &["attrgetter", "methodcaller"]),
    ("builtins", BUILTINS),
    ("__builtin__", BUILTINS),
    ("cProfile", &["run", "runctx"]),
    (
        "code",
        &["InteractiveConsole", "InteractiveInterpreter", "interact"],
    ),
    ("codecs", &["open"]),
    ("inspect", &["getattr_static"]),
    ("io", &["FileIO", "open", "open_code"]),
    ("numpy", &["load"]),
    ("operator", &["attrgetter", "methodcaller"]),
    ("profile", &["run", "runctx"]),
    ("torch", &["load"]),
    ("torch.jit", &["load"]),
    ("torch.serialization", &["load"]),
    ("types", &["CodeType", "FunctionType", "LambdaType"]),
];

const BUILTINS: &[&str] = &[
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "execfile",
    "getattr",
    "globals",
    "input",
    "locals",
    "open",
    "setattr",
    "vars",
];

/// Modules that are dangerous however a dotted name reaches them: protocol 4 resolves
/// `torch.serialization` `os.system` attribute by attribute.
const REACHED: &[&str] = &[
    "builtins",
    "importlib",
    "nt",
    "os",
    "posix",
    "shutil",
    "socket",
    "subprocess",
    "sys",
];

/// Whether `name` of `module` can run code.
pub(super) fn runs_code(module: &str, name: &str) -> bool {
    let listed = |entry: &str| {
        module
            .strip_prefix(entry)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let first = name.split('.').next().unwrap_or(name);
    MODULES.iter().any(|entry| listed(entry))
        || NAMES
            .iter()
            .any(|(of, names)| *of == module && names.contains(&first))
        || name.split('.').any(|part| REACHED.contains(&part))
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
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("__builtin__", "execfile"),
            ("runpy", "_run_code"),
            ("socket", "create_connection"),
            ("shutil", "rmtree"),
            ("torch.serialization", "os.system"),
            ("torch.serialization", "os"),
            ("code", "InteractiveInterpreter.runcode"),
            ("importlib", "import_module"),
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
