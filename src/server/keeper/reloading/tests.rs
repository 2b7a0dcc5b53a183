//! Reloads that come at once, are insisted on, break off or are refused; with files and probes, and no sockets.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::time::timeout;

use super::super::super::{Audience, Ready, Reload};
use super::*;
use crate::admin::api::ReloadOutcome;
use crate::admin::{Desk, Life};
use crate::preview::Guard;
use crate::system::Clock;
use crate::wire::cookie::Secret;

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a reader finds that reads the settings: it waits until it is told.
enum Found {
    Settings(Box<Settings>),
    Fault,
}

struct Operator {
    finds: Mutex<Receiver<Found>>,
    reloaded: Mutex<Vec<Reload>>,
}

impl Audience for Operator {
    fn ready(&self, _: &Ready) {}

    fn faults(&self, _: &[Diagnostic]) {}

    fn reloaded(&self, outcome: &Reload) {
        self.reloaded.lock().expect("no panic").push(outcome.clone());
    }

    fn settings(&self) -> Option<(Option<Settings>, Vec<Diagnostic>)> {
        let found = self.finds.lock().expect("no panic").recv();
        match found.expect("the test tells") {
            Found::Settings(settings) => Some((Some(*settings), Vec::new())),
            // As a fault of the reader's own would. Not while it is locked.
            Found::Fault => panic!("the reader breaks off, as it is to"),
        }
    }
}

/// A keeper of two zones, `a.test` and `b.test`, that is asked by nobody else.
struct Kept {
    keeper: Keeper,
    operator: Arc<Operator>,
    find: Sender<Found>,
    folder: tempfile::TempDir,
}

/// A zone whose `www` leads to this, and nothing else.
fn zone(endpoints: &str, more: &str) -> String {
    format!(
        "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n{more}\
         endpoints = [{endpoints}]\n[names]\nwww = \"p\"\n"
    )
}

const PLAIN: &str = "[pools.p]\npolicy = \"round-robin\"\n";

impl Kept {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a", &zone("\"192.0.2.1\"", PLAIN));
        write(folder.path(), "b", &zone("\"192.0.2.2\"", PLAIN));
        let guard = Guard { max_moved: Some(10), ..Guard::default() };
        let settings = Settings { zones: folder.path().to_owned(), guard, ..Settings::default() };
        let (find, finds) = channel();
        let operator = Arc::new(Operator { finds: Mutex::new(finds), reloaded: Mutex::default() });
        let (_, commands) = Desk::new(Life::default());
        let nobody = (None, async { Ok(None) });
        let audience = Arc::clone(&operator) as Arc<dyn Audience>;
        let keeper =
            Keeper::start(settings, Secret::new([7; 16]), Clock::new(), audience, commands, nobody, None).await;
        Self { keeper: keeper.expect("a keeper"), operator, find, folder }
    }

    fn ask(&mut self, force: bool) -> oneshot::Receiver<ReloadReport> {
        let (reply, report) = oneshot::channel();
        self.keeper.reload_asked(ReloadRequest { force }, reply);
        report
    }

    fn find(&self, found: Found) {
        self.find.send(found).expect("there is a keeper");
    }

    fn find_same(&self) {
        self.find(Found::Settings(Box::new(self.keeper.settings.clone())));
    }

    /// Lets it go on until `done`.
    async fn attend_until(&mut self, done: impl Fn(&Keeper) -> bool) {
        let attending = async {
            while !done(&self.keeper) {
                self.keeper.attend().await;
            }
        };
        timeout(PATIENCE, attending).await.expect("it comes to that");
    }

    /// What somebody who waits hears.
    async fn hear(&mut self, report: oneshot::Receiver<ReloadReport>) -> ReloadReport {
        let heard = async {
            tokio::select! {
                report = report => report.expect("a report"),
                never = self.keeper.attend_on() => match never {},
            }
        };
        timeout(PATIENCE, heard).await.expect("a report in time")
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(format!("{name}.test.toml")), text).expect("written");
}

#[tokio::test]
async fn whoever_waits_hears_though_a_reader_breaks_off() {
    let mut kept = Kept::start().await;
    let (first, second) = (kept.ask(false), kept.ask(false));
    kept.find(Found::Fault);
    let report = kept.hear(first).await;
    assert_eq!((report.outcome, report.errors), (ReloadOutcome::Faulty, 1));
    assert!(report.faults[0].message.contains("broken off"), "{report:?}");
    kept.find_same();
    assert_eq!(kept.hear(second).await.outcome, ReloadOutcome::Done);
}

#[tokio::test]
async fn a_folder_that_is_never_quiet_is_served_every_second_reading() {
    let mut kept = Kept::start().await;
    let asked = kept.ask(false);
    for _ in 0..2 {
        // During each reading.
        kept.keeper.reload("a file was saved", Scope::Zones);
        kept.find_same();
        kept.attend_until(|keeper| keeper.asked.is_none()).await;
    }
    assert_eq!(kept.hear(asked).await.outcome, ReloadOutcome::Done);
}

#[tokio::test]
async fn what_is_insisted_on_lets_nothing_else_pass_the_guard() {
    let mut kept = Kept::start().await;
    // It takes connections in and never answers: the first probe takes as long as it may.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let monitor = format!(
        "[monitors.m]\nhttp = {{ path = \"/\", port = {port} }}\ninterval = \"10s\"\ntimeout = \"1s\"\n{PLAIN}\
         monitor = \"m\"\n"
    );
    write(kept.folder.path(), "a", &zone("\"127.0.0.1\"", &monitor));
    let insisted = kept.ask(true);
    kept.find_same();
    kept.attend_until(|keeper| keeper.pending.is_some()).await;
    write(kept.folder.path(), "b", &zone("\"192.0.2.3\"", PLAIN));
    kept.keeper.reload("a file was saved", Scope::Zones);
    let report = kept.hear(insisted).await;
    assert_eq!((report.outcome, &report.zones.names_changed), (ReloadOutcome::Done, &vec!["a.test".to_owned()]));
    let operator = Arc::clone(&kept.operator);
    kept.attend_until(|_| operator.reloaded.lock().expect("no panic").len() > 1).await;
    let outcomes = operator.reloaded.lock().expect("no panic").clone();
    assert!(matches!(&outcomes[..], [Reload::Done { .. }, Reload::Guarded { .. }]), "{outcomes:?}");
}

#[tokio::test]
async fn of_what_is_refused_nothing_counts() {
    let mut kept = Kept::start().await;
    let mut other = kept.keeper.settings.clone();
    other.dns.nsid = Some(b"fra1".to_vec().into());
    write(kept.folder.path(), "b", &zone("\"192.0.2.3\"", PLAIN));
    let asked = kept.ask(false);
    kept.find(Found::Settings(Box::new(other.clone())));
    assert_eq!(kept.hear(asked).await.outcome, ReloadOutcome::Guarded);
    assert_eq!((&kept.keeper.settings.dns.nsid, &kept.keeper.identity.nsid), (&None, &None));
    let asked = kept.ask(true);
    kept.find(Found::Settings(Box::new(other)));
    assert_eq!(kept.hear(asked).await.outcome, ReloadOutcome::Done);
    assert!(kept.keeper.settings.dns.nsid.is_some() && kept.keeper.identity.nsid.is_some());
}
