//! Names of objects as names of files, and the other way round.

use crate::s3::{CallResult, Failure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where an object goes below a folder: `relative` is its key without the folder's. A key that would name something outside
/// of it, or that is no name of a file, is refused.
pub fn below(folder: &Path, relative: &str) -> CallResult<PathBuf> {
    let refused = |why: &str| Failure::Local(format!("not written: {why}; get it by its name to a file you name"));
    if relative.starts_with('/') {
        return Err(refused("its key is an absolute path"));
    }
    let mut path = folder.to_owned();
    for part in relative.split('/') {
        match part {
            ".." | "." => return Err(refused("its key has `.` or `..` between slashes")),
            "" if relative.ends_with('/') => return Err(refused("its key ends in a slash")),
            "" => return Err(refused("its key has two slashes together")),
            _ if part.contains('\0') => return Err(refused("its key has a zero byte")),
            _ => path.push(part),
        }
    }
    Ok(path)
}

/// The last part of a key, to name a file with.
pub fn file_name(key: &str) -> CallResult<&str> {
    let name = key.rsplit('/').next().unwrap_or_default();
    match name {
        "" | "." | ".." => Err(Failure::Local(
            "its key does not end in a name for a file; name the file".to_owned(),
        )),
        _ if name.contains('\0') => Err(Failure::Local("its key has a zero byte; name the file".to_owned())),
        _ => Ok(name),
    }
}

/// Hands over every file below a folder, with its path there, in order; what is none of that goes to `odd`, with the reason.
/// False from `each` ends it.
pub fn walk(
    folder: &Path,
    relative: &str,
    each: &mut dyn FnMut(PathBuf, String) -> bool,
    odd: &mut dyn FnMut(&Path, String),
) -> bool {
    let mut entries = match fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => {
            odd(folder, format!("cannot read the folder: {error}"));
            return true;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            odd(&path, "its name is not UTF-8, and keys are".to_owned());
            continue;
        };
        // Not through links: their folders may hold themselves.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let goes_on = match (is_folder, fs::metadata(&path)) {
            (true, _) => walk(&path, &format!("{relative}{name}/"), each, odd),
            (false, Ok(metadata)) if metadata.is_file() => each(path, format!("{relative}{name}")),
            (false, Ok(metadata)) if metadata.is_dir() => {
                odd(&path, "a link to a folder; put that by its own name".to_owned());
                true
            }
            (false, Ok(_)) => {
                odd(&path, "neither a file nor a folder".to_owned());
                true
            }
            (false, Err(error)) => {
                odd(&path, error.to_string());
                true
            }
        };
        if !goes_on {
            return false;
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{below, file_name};
    use std::path::Path;

    #[test]
    fn no_key_leaves_its_folder() {
        let folder = Path::new("/target");
        for key in ["a", "a/b", "..a", "a../b", "...", "a b\\c", "~"] {
            let path = below(folder, key).unwrap();
            assert!(path.starts_with(folder), "{key}");
            assert_eq!(path.strip_prefix(folder).unwrap().to_str(), Some(key));
        }
        for key in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "a/../../b",
            ".",
            "./a",
            "a/./b",
            "a/",
            "a//b",
            "a\0",
        ] {
            assert!(below(folder, key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn a_file_has_the_last_name_of_a_key() {
        assert_eq!(file_name("a/b/c").unwrap(), "c");
        assert_eq!(file_name("c").unwrap(), "c");
        for key in ["a/", "a/..", ".", "a/\0"] {
            assert!(file_name(key).is_err(), "{key:?}");
        }
    }
}
