//! Files that a configuration includes by a pattern.

use std::io;
use std::path::{Path, PathBuf};

/// The files that `path` means: itself, or where its last part is a pattern, those of its folder that match, in the
/// order of their names. Hidden ones match nothing.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let pattern = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !pattern.contains(['*', '?']) {
        return Ok(vec![path.to_owned()]);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| path.with_file_name(entry.file_name()))).collect();
    files.retain(|file| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        file.is_file() && !name.starts_with('.') && matches(pattern.as_bytes(), name.as_bytes())
    });
    files.sort();
    Ok(files)
}

/// Whether `name` is of the form of `pattern`, in which `*` stands for anything and `?` for one octet.
///
/// Octet by octet of the pattern, which parts of the name it may have come to so far: a pattern of many `*`, which may
/// be a stranger's, takes no more than their lengths' product.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for &own in pattern {
        let mut before = false;
        for (at, here) in reached.iter_mut().enumerate() {
            let came = at > 0 && before && (own == b'?' || own == name[at - 1]);
            before = if own == b'*' { before || *here } else { *here };
            *here = if own == b'*' { before } else { came };
        }
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_in_their_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.conf", "a.conf", ".c.conf", "a.conf.old", "x"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        std::fs::create_dir(folder.path().join("d.conf")).expect("a folder");
        let check = |pattern: &str, expected: &[&str]| {
            let found = files(&folder.path().join(pattern)).expect("a folder");
            let expected: Vec<PathBuf> = expected.iter().map(|name| folder.path().join(name)).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("*.conf", &["a.conf", "b.conf"]);
        check("?", &["x"]);
        check("a*o*", &["a.conf", "a.conf.old"]);
        check("nowhere", &["nowhere"]);
        check("none*", &[]);
        check("**a**.conf*", &["a.conf", "a.conf.old"]);
        check("?.co?f", &["a.conf", "b.conf"]);
        check(&"*a".repeat(60), &[]);
        assert!(files(&folder.path().join("none/*")).is_err());
    }
}
