//! `bellwether completions` and `bellwether man`: what shells and `man` are to know of the commands, made from the
//! commands themselves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, Command};
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

/// `text` with `synopsis` in place of its own.
fn with_synopsis(text: &str, synopsis: &str) -> String {
    const HEADING: &str = ".SH SYNOPSIS\n";
    let Some((before, rest)) = text.split_once(HEADING) else { return text.to_owned() };
    let after = rest.find("\n.SH ").map_or("", |end| &rest[end..]);
    format!("{before}{HEADING}{synopsis}{after}")
}

/// The SYNOPSIS with the values that options take, and with what may stand several times: the maker of pages leaves both
/// out.
fn synopsis(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = shown.partition(|argument| argument.is_positional());
    // Those that must be there stand before what they are about.
    let (required, optional): (Vec<&Arg>, Vec<&Arg>) = options.into_iter().partition(|option| option.is_required_set());
    let words = optional.into_iter().chain(required).chain(positionals).map(word);
    let below = command.has_subcommands().then(|| italic("command"));
    [bold(name)].into_iter().chain(words).chain(below).collect::<Vec<_>>().join(" ")
}

/// An argument as it is written: `[--zone ZONE]`, unbroken over lines.
fn word(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| bold(&format!("-{short}")));
    let long = argument.get_long().map(|long| bold(&format!("--{long}")));
    let mut text = short.into_iter().chain(long).collect::<Vec<_>>().join("|");
    if argument.get_action().takes_values() {
        let names = argument.get_value_names().unwrap_or_default();
        let value = if names.is_empty() { argument.get_id().as_str().to_uppercase() } else { names.join(" ") };
        let is_optional = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
        text += &match (text.is_empty(), argument.is_require_equals_set(), is_optional) {
            (true, _, _) => italic(&value),
            (false, true, true) => format!("[={}]", italic(&value)),
            (false, true, false) => format!("={}", italic(&value)),
            (false, false, true) => format!("\\ [{}]", italic(&value)),
            (false, false, false) => format!("\\ {}", italic(&value)),
        };
    }
    let repeated = if matches!(argument.get_action(), ArgAction::Append) { "..." } else { "" };
    if argument.is_required_set() { format!("{text}{repeated}") } else { format!("[{text}]{repeated}") }
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", plain(text))
}

fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", plain(text))
}

/// As roff(7) shows it letter by letter.
fn plain(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
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
    let text = sectioned(&with_synopsis(&text, &synopsis(command)));
    fs::write(folder.join(man.get_filename()), text)?;
    command.get_subcommands().try_for_each(|below| page(below, folder))
}
