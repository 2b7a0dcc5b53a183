//! A terminal that is drawn on, and given back as it was.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The other screen of the terminal, without a cursor; the first is as it was once this ends, whichever way.
pub(super) struct Screen {
    /// How keys were taken before; `None` where they come from elsewhere.
    before: Option<Termios>,
}

/// A key that was pressed.
pub(super) enum Key {
    Quit,
    Other,
}

impl Screen {
    /// Takes the terminal; `None` where stdout is none.
    pub(super) fn open() -> Option<Self> {
        let mut stdout = io::stdout().lock();
        if !stdout.is_terminal() {
            return None;
        }
        let before = if io::stdin().is_terminal() { tcgetattr(io::stdin()).ok() } else { None };
        if let Some(before) = &before {
            let mut keys = before.clone();
            // Keys come one by one and are not shown; Ctrl-C stays a signal.
            keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            tcsetattr(io::stdin(), OptionalActions::Now, &keys).ok()?;
        }
        let screen = Self { before };
        stdout.write_all(b"\x1b[?1049h\x1b[?25l").and_then(|()| stdout.flush()).ok()?;
        Some(screen)
    }

    /// Draws `text` over what was there.
    pub(super) fn draw(&mut self, text: &str) -> io::Result<()> {
        let mut drawn = String::from("\x1b[H");
        for line in text.trim_end_matches('\n').split('\n') {
            drawn += line;
            // The rest of the line is cleared; the last needs no next.
            drawn += "\x1b[K\r\n";
        }
        drawn.truncate(drawn.len() - "\r\n".len());
        drawn += "\x1b[J";
        let mut stdout = io::stdout().lock();
        stdout.write_all(drawn.as_bytes())?;
        stdout.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut stdout = io::stdout().lock();
        // Nobody to tell when the terminal has gone.
        let _ = stdout.write_all(b"\x1b[?25h\x1b[?1049l").and_then(|()| stdout.flush());
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Ends when the terminal's user, or anybody else, wants this to end.
pub(super) async fn interrupted() -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Sends what keys are pressed, from a thread that ends with the process: a read from a terminal cannot be called off.
pub(super) fn read_keys(keys: mpsc::Sender<Key>) {
    if !io::stdin().is_terminal() {
        return;
    }
    std::thread::spawn(move || {
        let mut octet = [0];
        while let Ok(1) = io::stdin().lock().read(&mut octet) {
            let key = if matches!(octet, [b'q' | b'Q']) { Key::Quit } else { Key::Other };
            if keys.blocking_send(key).is_err() {
                return;
            }
        }
    });
}
