//! `bellwether completions` and `bellwether man`: what shells and `man` are to know of the commands, made from the
//! commands themselves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use super::terminal::{note, print, unprinted};
use super::{DONE, FAILED};

pub(super) const COMPLETIONS_HELP: &str = "\
For bash: bellwether completions bash > /etc/bash_completion.d/bellwether
For zsh:  bellwether completions zsh > /usr/local/share/zsh/site-functions/_bellwether
For fish: bellwether completions fish > ~/.config/fish/completions/bellwether.fish";

pub(super) const MAN_HELP: &str = "\
One page for the program and one for each command: bellwether man /usr/local/share/man/man1

Exit codes: 0 written · 1 they cannot be · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct CompletionsArguments {
    /// For which shell
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArguments {
    /// The folder to write them into; made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// When what the pages say was last revised.
const REVISED: &str = "2026-11-21";

/// Prints the completions of `command`.
pub(super) fn completions(arguments: &CompletionsArguments, mut command: Command) -> u8 {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print(format_args!("{}", String::from_utf8_lossy(&script))).map_or_else(|error| unprinted(&error), |()| DONE)
}

/// Writes the pages of `command` and of those below it.
pub(super) fn man(arguments: &ManArguments, command: Command) -> u8 {
    let folder = &arguments.folder;
    match fs::create_dir_all(folder).and_then(|()| pages(command, folder)) {
        Ok(()) => DONE,
        Err(error) => {
            note(format_args!("error: {}: {error}", folder.display()));
            FAILED
        }
    }
}

/// What stands behind the options, in the sections where readers of manual pages look for it (man-pages(7)).
fn sectioned(text: &str) -> String {
    let Some((before, extra)) = text.split_once(".SH EXTRA\n") else { return text.to_owned() };
    // What comes after, the version, begins a section of its own.
    let (extra, after) = extra.split_once("\n.SH ").map_or((extra, None), |(extra, after)| (extra, Some(after)));
    let (mut notes, mut status, mut examples) = (String::new(), String::new(), String::new());
    for line in extra.lines() {
        if let Some(codes) = line.strip_prefix("Exit codes") {
            status = format!(".SH \"EXIT STATUS\"\n{}\n", codes.split_once(": ").map_or(codes, |(_, codes)| codes));
        } else if line.starts_with("First steps:") {
            examples = ".SH EXAMPLES\n.nf\n".to_owned();
        } else if examples.is_empty() {
            notes += &format!("{line}\n");
        } else {
            examples += &format!("{line}\n");
        }
    }
    if !examples.is_empty() {
        examples += ".fi\n";
    }
    if !notes.trim().is_empty() {
        notes.insert_str(0, ".SH NOTES\n");
    }
    let after = after.map_or_else(String::new, |after| format!(".SH {after}"));
    format!("{before}{notes}{status}{examples}{ENVIRONMENT}{after}")
}

/// What commands heed of the environment.
const ENVIRONMENT: &str = "\
.SH ENVIRONMENT
.TP
\\fBBELLWETHER_LOG\\fR
How much a server logs: error, warn, info, debug or trace; of a part alone, info,bellwether::probe=debug.
.TP
\\fBNO_COLOR\\fR
Set to anything, nothing is coloured.
.TP
\\fBSSL_CERT_FILE\\fR
Roots for HTTPS probes, other than the system's.
";

fn pages(command: Command, folder: &Path) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    page(&command, folder)
}

/// The page of `command`, and of those below it.
fn page(command: &Command, folder: &Path) -> io::Result<()> {
    let mut octets = Vec::new();
    let title = command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase();
    let source = concat!("bellwether ", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone()).title(title).manual("Bellwether").source(source).date(REVISED);
    man.render(&mut octets)?;
    // Before possible values stand two breaks and an empty line, where one break is meant.
    let text = String::from_utf8_lossy(&octets).replace("\n.br\n\n.br\n", "\n.br\n");
    let text = sectioned(&text);
    fs::write(folder.join(man.get_filename()), text)?;
    command.get_subcommands().try_for_each(|below| page(below, folder))
}
