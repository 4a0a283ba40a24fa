//! Paths as they are typed.

use std::env;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::error::SettingsError;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The word that clap took for flags, if it is a file's name: of `-x.pth` it says that there is no `-x`.
pub(super) fn dashed(typed: &[OsString], error: &clap::Error) -> Option<SettingsError> {
    let flag = match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(flag) if error.kind() == ErrorKind::UnknownArgument => flag,
        _ => return None,
    };
    let is_file = |word: &&str| {
        let is_like_one = word.contains(['.', '/']) && !word.contains('=');
        let is_number = word.parse::<f64>().is_ok();
        word.starts_with(flag) && (is_like_one && !is_number || Path::new(word).exists())
    };
    let mut words = typed.iter().filter_map(|word| word.to_str());
    let word = words.find(is_file)?;
    Some(SettingsError::new(format!(
        "there is no flag {word}; a file whose name begins with a dash is written ./{word}"
    )))
}

/// The path from the root, symbolic links and patterns left as they are; `probes/` and `./probes` are `probes`.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().collect()
}

pub(super) fn make_absolute(paths: &mut [PathBuf]) {
    for path in paths {
        *path = absolute(path);
    }
}

/// Reads a path: `~` is the home folder, which a shell does not replace behind `=` or in a file.
pub(super) fn path_parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(parse)
}

pub(super) fn parse(path: PathBuf) -> Result<PathBuf, String> {
    parse_path(path, env::home_dir())
}

fn parse_path(path: PathBuf, home: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(scheme) = scheme(&path) {
        return Err(format!(
            "expected a path on this machine, found an address ({scheme}://): mount or download what is read, and copy \
             what is written afterwards"
        ));
    }
    let Some(Component::Normal(first)) = path.components().next() else {
        return Ok(path);
    };
    match first.to_string_lossy() {
        name if !name.starts_with('~') => Ok(path),
        name if name == "~" => {
            let below: PathBuf = path.components().skip(1).collect();
            let unknown =
                "~ has no meaning here: no home folder is known; set HOME, or write the whole path";
            let home = home.ok_or_else(|| unknown.to_owned())?;
            Ok(home.join(below))
        }
        // It may be a file's name.
        _ if path.exists() => Ok(path),
        name => Err(format!(
            "the home folder of another user ({name}) is not looked up; write the whole path"
        )),
    }
}

/// The `s3` of `s3://bucket`. One letter is a drive.
fn scheme(path: &Path) -> Option<String> {
    let (scheme, _) = path.to_str()?.split_once("://")?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_scheme = scheme.len() > 1 && scheme.chars().all(is_part);
    is_scheme.then(|| scheme.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<PathBuf, String> {
        let home = Some(PathBuf::from("/home/me"));
        parse_path(text.into(), home)
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        for (text, path) in [
            ("~", "/home/me"),
            ("~/runs/a", "/home/me/runs/a"),
            ("a/~/b", "a/~/b"),
            ("a~", "a~"),
            ("./~x", "./~x"),
            ("/~", "/~"),
        ] {
            assert_eq!(parsed(text).unwrap(), Path::new(path), "{text}");
        }
        assert!(parsed("~bob/runs").unwrap_err().contains("(~bob)"));
        assert!(parse_path("~".into(), None).is_err());
    }

    #[test]
    fn one_place_is_one_path() {
        let path = absolute(Path::new("probes"));
        for typed in ["probes/", "./probes", "././probes//", ".//probes/."] {
            assert_eq!(
                absolute(Path::new(typed)).as_os_str(),
                path.as_os_str(),
                "{typed}"
            );
        }
    }

    #[test]
    fn addresses_are_refused_with_their_scheme() {
        for scheme in ["s3", "gs", "hdfs", "https", "file", "abfss", "git+ssh"] {
            let error = parsed(&format!("{scheme}://b/logs")).unwrap_err();
            assert!(error.contains(&format!("({scheme}://)")), "{error}");
        }
        for path in ["C://x", "a:b", "s3:", "/x/a://b", "a b://c"] {
            assert!(parsed(path).is_ok(), "{path}");
        }
    }
}
