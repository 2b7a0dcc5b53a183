//! The text of a file that a person or a program wrote, as far as it may be long.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::FILE_OCTETS_MAX;

/// The text of `file`.
///
/// # Errors
/// What cannot be read, is longer than [`FILE_OCTETS_MAX`], or is not UTF-8: what there is to say of the file.
pub(super) fn read_text(file: &Path) -> Result<String, String> {
    let said = |error: io::Error| format!("cannot be read: {error}");
    let mut octets = Vec::new();
    // One octet more than there may be, so that too long a file is told from one that just fits.
    File::open(file).map_err(said)?.take(FILE_OCTETS_MAX as u64 + 1).read_to_end(&mut octets).map_err(said)?;
    if octets.len() > FILE_OCTETS_MAX {
        return Err(format!("is longer than {FILE_OCTETS_MAX} octets"));
    }
    String::from_utf8(octets).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|&&octet| octet == b'\n').count() + 1;
        format!("is not UTF-8: see line {line}")
    })
}

/// The same of a file that another file or a folder names, which may be anything: a pipe would be waited for.
///
/// # Errors
/// What is no file either.
pub(super) fn read_named_text(file: &Path) -> Result<String, String> {
    if fs::metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
        return Err("is not a file".to_owned());
    }
    read_text(file)
}

/// Whether every user of this machine may do something to `file`: read it, for one.
pub fn is_open_to_all(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|of| of.mode() & 0o007 != 0)
}
