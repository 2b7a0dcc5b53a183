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

fn pages(command: Command, folder: &Path) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    page(&command, folder)
}

/// The page of `command`, and of those below it.
fn page(command: &Command, folder: &Path) -> io::Result<()> {
    let mut octets = Vec::new();
    let title = command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase();
    let man = clap_mangen::Man::new(command.clone()).title(title).manual("Bellwether").date(REVISED);
    man.render(&mut octets)?;
    // Before possible values stand two breaks and an empty line, where one break is meant.
    let text = String::from_utf8_lossy(&octets).replace("\n.br\n\n.br\n", "\n.br\n");
    fs::write(folder.join(man.get_filename()), text)?;
    command.get_subcommands().try_for_each(|below| page(below, folder))
}
