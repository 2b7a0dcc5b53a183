//! Programs of others that tests need. A missing one is named; under CI it is a failure.

use std::env;
use std::path::{Path, PathBuf};

/// The program `name` from Debian's package `package`, looked for in `PATH` and in the system folders, which are
/// not in the `PATH` of ordinary users. `None` when it is not installed; the test then has nothing to run and
/// has said so.
///
/// # Panics
/// When it is missing under CI: there, a test that was not run must not look like one that passed.
pub(crate) fn find(name: &str, package: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| is_file(program));
    if found.is_none() {
        let message = format!("peer missing: {name} (Debian package {package}); test not run");
        assert!(!means_ci(env::var("CI").ok().as_deref()), "{message}, which CI does not allow");
        say(&message);
    }
    found
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Whether the variable `CI` is set and means it.
pub(crate) fn means_ci(value: Option<&str>) -> bool {
    value.is_some_and(|value| !["", "0", "false"].contains(&value))
}

/// Tells the person who runs the tests something that they should see although the test passed. Standard output
/// would be captured, so this goes past the test harness to the terminal.
pub(crate) fn say(message: &str) {
    use std::io::Write as _;
    // Not `eprintln!`, which the harness captures. Nobody to tell is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{message}");
}

#[test]
fn ci_is_a_variable_that_means_it() {
    for value in ["true", "1", "yes"] {
        assert!(means_ci(Some(value)), "CI={value}");
    }
    for value in [None, Some(""), Some("0"), Some("false")] {
        assert!(!means_ci(value), "CI={value:?}");
    }
    assert!(find("sh", "dash").is_some());
}
