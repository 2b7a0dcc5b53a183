//! The fuzz targets' checks over their seeds and over whatever has once been found: `tests/fuzz`.

use std::path::Path;

#[path = "../fuzz/checks/mod.rs"]
mod checks;

#[test]
#[allow(clippy::print_stdout, reason = "says which input it was, where a check panics")]
fn seeds_and_what_was_once_found_hold() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    for (target, check) in checks::ALL {
        let mut inputs = 0;
        for folder in ["seeds", "crashers"].map(|folder| fuzz.join(folder).join(target)) {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let file = entry.expect("an entry").path();
                let octets = std::fs::read(&file).expect("a file");
                let outcome = std::panic::catch_unwind(|| check(&octets));
                assert!(outcome.is_ok(), "{}", file.display());
                inputs += 1;
            }
        }
        assert!(inputs > 0, "no seeds of {target}");
        assert!(fuzz.join("targets").join(target).with_extension("rs").exists(), "no target {target}");
    }
    let targets = std::fs::read_dir(fuzz.join("targets")).expect("a folder").count();
    assert_eq!(targets, checks::ALL.len(), "a target that is not replayed");
}
