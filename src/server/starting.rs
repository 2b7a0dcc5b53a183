//! The start: all that may fail or take long, before anybody is told that this process answers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use super::credentials::Credentials;
use super::doors::Opening;
use super::front::Front;
use super::given::Named;
use super::handover::{Control, Goods, Handing, Predecessor};
use super::keeper::Keeper;
use super::metrics::Meters;
use super::notify::Notifier;
use super::observer::Observer;
use super::planes::{Ground, Planes};
use super::supervisor::Heartbeat;
use super::{Audience, Given, Ready, Server, Start, StartError, doors, privilege, watch};
use crate::admin::{Desk, Life};
use crate::answer::Counters;
use crate::config::{Settings, Transfers};
use crate::observe::Tap;
use crate::system::{Clock, secret};
use crate::transfer::{Grants, Keys};
use crate::transport;
use crate::transport::secondaries::Secondaries;
use crate::transport::tally::Tally;
use crate::wire::cookie::Secret;

/// Binds, reads, probes, answers: all that may fail or take long, before a `predecessor` is told that it can go.
pub(super) async fn begin(
    mut settings: Settings,
    start: Start,
    predecessor: &mut Option<Predecessor>,
    audience: Arc<dyn Audience>,
) -> Result<Server, StartError> {
    let clock = Clock::new();
    let open_files = open_files();
    let workers = match settings.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let mut given = start.given;
    if start.replaces {
        let (greeted, sockets) = Predecessor::greet(&settings.process).await?;
        (*predecessor, given) = (Some(greeted), sockets);
    }
    let Bound { mut opening, names, control } = bind(&mut settings, workers, given)?;
    let certificates = doors::certificates(&settings, audience.as_ref())?;
    let own = match predecessor {
        Some(before) => before.secret(),
        None => secret().map_err(system("draw a cookie secret"))?,
    };
    let goods = Goods { sockets: std::mem::take(&mut opening.held), names, secret: own };
    let (handing, goods) = Handing::new(control, goods, start.again).map_err(system("keep sockets for a successor"))?;
    let life = Life::default();
    let (desk, commands) = Desk::new(life.clone());
    let front = Front::new(settings.admin.as_ref(), opening.admin.take(), desk, audience.as_ref())?;
    let (front, papers) = front.unzip();
    // Before anything is answered, so that it can say so; unless somebody else still does.
    let admin = if predecessor.is_some() { None } else { front.as_ref().map(Front::open).transpose()? };

    // The watch begins before the first read, so that no change falls between the two.
    let saved = watch::Saved::new(&settings.zones, &beside(&settings));
    let (doors, transfers) = (settings.doors.clone(), settings.transfers.clone());
    // Twice: serials are wanted before files are read, and verdicts as late as can be.
    let serials = match predecessor {
        Some(before) => Some(before.state().await?.take_serials()),
        None => None,
    };
    let recalling = async {
        match predecessor {
            Some(before) => before.state().await.map(Some),
            None => Ok(None),
        }
    };
    let Counting { counters, tally, meters, observer, taps } =
        Counting::start(&settings, opening.udp.len() + workers, clock)?;
    let heard = Arc::clone(&audience);
    let mut keeper =
        Keeper::start(settings, Secret::new(own), clock, heard, commands, (serials, recalling), meters).await?;
    saved.warn_if_blind();
    let Transfers { keys, grants, secondaries } = transfers;
    let notifier = Notifier::start(secondaries, &opening.listen, clock).await;
    let notifier = notifier.map_err(system("open a socket to tell secondaries"))?;
    let secondaries = Arc::new(Secondaries::new(Grants { grants: grants.into(), keys: Keys::new(&keys) }));

    observer.iter().for_each(|observer| keeper.observe_by(observer.handle()));
    keeper.refresh_too(Credentials { certificates: certificates.clone(), papers });
    if let Some(before) = predecessor {
        keeper.take_over(before.last().await?);
    }
    let snapshots = keeper.snapshots();
    let ground = Ground { snapshots, secondaries, clock, doors, workers, open_files, counters, tally, taps };
    let planes = Planes::start(opening.udp, opening.connections, certificates.as_ref(), ground)?;
    let heartbeat = Heartbeat::start(planes.pulses());
    let ready = Ready { encrypted: opening.encrypted, ..keeper.ready(opening.listen, workers) };
    Ok(Server {
        keeper,
        planes,
        life,
        saved,
        notifier,
        heartbeat,
        observer,
        handing,
        goods,
        front,
        admin,
        audience,
        ready,
    })
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::System { what, error }
}

/// How many files may be open, once that limit is raised.
fn open_files() -> io::Result<u64> {
    let open_files = transport::raise_open_files();
    match &open_files {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files; many probes at once may fail"),
    }
    open_files
}

/// What is bound, by whom only it may be.
struct Bound {
    opening: Opening,
    /// Which doors some sockets are of.
    names: Vec<Named>,
    control: Option<Control>,
}

/// Takes the sockets that are `given`, of the process before or of a service manager, and binds whatever is not among them;
/// then is who it is to be.
fn bind(settings: &mut Settings, workers: usize, mut given: Given) -> Result<Bound, StartError> {
    let names = given.names();
    doors::name(settings, &given)?;
    let opening = doors::bind(settings, workers, &mut given)?;
    if let Some(user) = &settings.process.user {
        privilege::give_up(user).map_err(StartError::Privilege)?;
    }
    privilege::check_state(settings.state.as_ref());
    let control = Control::open(&settings.process, &mut given)?;
    given.finish().map_err(StartError::Given)?;
    Ok(Bound { opening, names, control })
}

/// What is counted, and who listens in.
struct Counting {
    counters: Vec<Arc<Counters>>,
    tally: Arc<Tally>,
    meters: Option<Arc<Meters>>,
    observer: Option<Observer>,
    taps: std::vec::IntoIter<Tap>,
}

impl Counting {
    /// For so many who answer.
    fn start(settings: &Settings, seats: usize, clock: Clock) -> Result<Self, StartError> {
        let tally = Arc::new(Tally::default());
        let counters: Vec<Arc<Counters>> = (0..seats).map(|_| Arc::default()).collect();
        let observed = Observer::start(settings.dnstap.clone(), settings.admin.is_some(), seats, clock);
        let (observer, taps) = observed.map_err(system("start a thread"))?;
        let rows = settings.admin.as_ref().and_then(|admin| admin.metrics);
        let meters = rows.map(|rows| Arc::new(Meters::new(&counters, &tally, rows)));
        Ok(Self { counters, tally, meters, observer, taps })
    }
}

/// What is reread when it is saved, beside the zones folder.
pub(super) fn beside(settings: &Settings) -> Vec<PathBuf> {
    let encrypted = settings.doors.encrypted.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
    let tables = settings.databases.iter().chain(&settings.latency).chain(&settings.dns.cookie_secrets);
    let tokens = settings.admin.iter().filter_map(|admin| admin.token_file.as_ref());
    let admin = settings.admin.iter().filter_map(|admin| admin.tls.as_ref());
    let admin = admin.flat_map(|tls| [&tls.certificate, &tls.key].into_iter().chain(&tls.clients));
    tables.chain(encrypted).chain(tokens).chain(admin).cloned().collect()
}
