//! Completions in a real bash, and manual pages by mandoc and man.

use std::fs;
use std::process::Command;

use crate::support::peer::find;
use crate::support::server::BELLWETHER;

#[test]
fn bash_completes_commands_and_flags() {
    let Some(bash) = find("bash", "bash") else { return };
    // What bash does when somebody presses Tab behind these words.
    let script = "source <(\"$0\" completions bash)\n\
                  COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n\
                  _bellwether bellwether \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
                  echo \"${COMPREPLY[@]}\"";
    let check = |typed: &[&str], expected: &str| {
        let output =
            Command::new(&bash).args(["--norc", "-euc", script, BELLWETHER]).args(typed).output().expect("bash runs");
        let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((said.0.trim(), &*said.1), (expected, ""), "{typed:?}");
    };
    check(&["bellwether", "st"], "status");
    check(&["bellwether", "dr"], "drain");
    check(&["bellwether", "diff", "--q"], "--queries");
    check(&["bellwether", "status", "--color", "al"], "always");
}

#[test]
fn manual_pages_are_sound() {
    let (Some(mandoc), Some(man)) = (find("mandoc", "mandoc"), find("man", "man-db")) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    let status = Command::new(BELLWETHER).arg("man").arg(&pages).status().expect("it runs");
    assert!(status.success(), "{status}");
    let (mut names, mut synopses) = (Vec::new(), String::new());
    for page in fs::read_dir(&pages).expect("a folder") {
        let page = page.expect("an entry").path();
        let lint = Command::new(&mandoc).args(["-Tlint", "-Wwarning"]).arg(&page).output().expect("mandoc runs");
        assert_eq!(String::from_utf8_lossy(&lint.stdout), "", "{}", page.display());
        let shown = Command::new(&man)
            .args(["--warnings", "-l"])
            .arg(&page)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("man runs");
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{}", page.display());
        assert!(String::from_utf8_lossy(&shown.stdout).contains("SYNOPSIS"), "{}", page.display());
        synopses.push_str(&synopsis(&String::from_utf8_lossy(&shown.stdout)));
        names.push(page.file_name().expect("a name").to_string_lossy().into_owned());
    }
    for name in ["bellwether.1", "bellwether-serve.1", "bellwether-diff.1", "bellwether-import-bind.1"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    // With the values that options take, what may be left out, and what may be repeated.
    for expected in [
        "bellwether status [--watch[=INTERVAL]] [--color WHEN] [--json] [--server URL]",
        "bellwether serve [--config FILE] [--zones DIR] [--listen ADDR:PORT]... [--workers N]",
        "[--wait] [-h|--help] POOL[/ENDPOINT]...\n",
        "bellwether import [-h|--help] command\n",
        "--out DIR FILE\n",
    ] {
        assert!(synopses.contains(expected), "{expected:?} is not in\n{synopses}");
    }
}

/// What stands in the SYNOPSIS of a page that is shown, in one line.
fn synopsis(shown: &str) -> String {
    let section = shown.lines().skip_while(|line| *line != "SYNOPSIS").skip(1);
    let words = section.take_while(|line| line.starts_with(' ')).flat_map(str::split_whitespace);
    words.collect::<Vec<_>>().join(" ") + "\n"
}
