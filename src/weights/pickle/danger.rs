//! Names that run code.
//!
//! Nothing in a pickle is ever called here, so the list protects nobody's machine: it reports that
//! a file would do harm elsewhere. It has the usual ways to run a command, as picklescan
//! (<https://github.com/mmaitre314/picklescan>) lists them; a checkpoint may hold any other class.

/// Modules of which nothing is harmless, submodules included. Protocol 2 has Python 2's names
/// (`commands` for `subprocess`).
const MODULES: &str = "_pickle _posixsubprocess bdb cPickle commands ctypes importlib nt os pdb pickle posix pty \
    runpy shutil socket subprocess sys timeit";

/// Functions of `builtins`, which Python 2 calls `__builtin__`.
const BUILTINS: &str = "__import__ compile eval exec execfile getattr open setattr";

/// Attributes that lead from a harmless class to any function.
const ATTRIBUTES: &str =
    "__builtins__ __getattribute__ __globals__ __import__ __subclasses__ builtins popen system";

fn is_in(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

/// Whether this is Python's `getattr`. Pickles of protocol 2 reach nested classes and static methods
/// with it (`getattr(OneCycleLR, "_annealing_cos")`), which runs nothing: what counts is what it reaches.
pub(super) fn is_getattr([module, name]: &[String; 2]) -> bool {
    matches!(module.as_str(), "builtins" | "__builtin__") && name == "getattr"
}

/// Whether a name of a module can run code. Protocol 4 resolves dotted names attribute by
/// attribute, so `torch.serialization` `os.system` reaches `os`.
pub(super) fn runs_code([module, name]: &[String; 2]) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    let has = |words| name.split('.').any(|part| is_in(words, part));
    is_in(MODULES, top)
        || has(MODULES)
        || has(ATTRIBUTES)
        || (matches!(top, "builtins" | "__builtin__") && has(BUILTINS))
        || (matches!(top, "io" | "_io") && is_in("open open_code FileIO", name))
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
            assert!(
                runs_code(&[module, name].map(String::from)),
                "{module}.{name}"
            );
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
            assert!(
                !runs_code(&[module, name].map(String::from)),
                "{module}.{name}"
            );
        }
    }
}
