//! Binds every socket that was not given bound, and reads the certificate of the encrypted doors.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::given::{Door, Given};
use super::{Audience, StartError};
use crate::config::{Admin, Encrypted, Settings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::transport::doors::{Carried, Sockets};
use crate::transport::limits::Limits;
use crate::transport::tls::Certificates;
use crate::transport::{quic, stream, udp};

/// Open files that are kept for probes and everything else, of the many that connections could take: one in so many.
const FILES_KEPT_IN: usize = 4;

/// Sockets that are bound, and what greets at the encrypted ones.
#[derive(Default)]
pub(super) struct Opening {
    /// `workers` of each address, or more where more were given.
    pub(super) udp: Vec<UdpSocket>,
    pub(super) connections: Sockets,
    /// The plain addresses, their ports chosen.
    pub(super) listen: Vec<SocketAddr>,
    /// What is spoken encrypted, and where.
    pub(super) encrypted: Vec<(&'static str, SocketAddr)>,
    /// Where the admin API will be.
    pub(super) admin: Option<TcpListener>,
    /// Second descriptors of all of them, for a process that takes over; none where none can.
    pub(super) held: Vec<OwnedFd>,
}

/// Puts the sockets that a service manager named for a door among its addresses. In the place of the default ones, which
/// nobody asked for.
pub(super) fn name(settings: &mut Settings, given: &Given) -> Result<(), StartError> {
    let is_default = settings.listen == Settings::default().listen;
    let dns = given.named(Door::Dns);
    if is_default && !dns.is_empty() {
        settings.listen.clear();
    }
    add(&mut settings.listen, dns);
    let [dot, doh, doq] = [Door::Dot, Door::Doh, Door::Doq].map(|door| given.named(door));
    if let Some(tls) = &mut settings.doors.encrypted {
        add(&mut tls.dot, dot);
        add(&mut tls.doh, doh);
        add(&mut tls.doq, doq);
    } else if let Some(address) = dot.iter().chain(&doh).chain(&doq).next() {
        return Err(StartError::Given(format!("the socket for {address} is of an encrypted door, which needs [tls]")));
    }
    match (given.named(Door::Admin).first(), &mut settings.admin) {
        // What the server file says of its own address holds for this one too.
        (Some(&address), Some(admin)) if !admin.may_be_on(address) => {
            return Err(StartError::Given(format!(
                "the socket for {address} is of the admin API, and whoever reaches it could steer this server: off loopback \
                 give `token-file` or `clients` in [admin] too, or have it listen on 127.0.0.1 or [::1]"
            )));
        }
        (Some(&address), Some(admin)) => admin.listen = address,
        (Some(address), None) => {
            return Err(StartError::Given(format!(
                "the socket for {address} is of the admin API, which needs [admin]"
            )));
        }
        (None, _) => {}
    }
    Ok(())
}

fn add(addresses: &mut Vec<SocketAddr>, more: Vec<SocketAddr>) {
    for address in more {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
}

/// Binds everything that `settings` name, but for what was `given`.
pub(super) fn bind(settings: &Settings, workers: usize, given: &mut Given) -> Result<Opening, StartError> {
    let mut binder = Binder { given, hold: settings.process.control.is_some(), held: Vec::new() };
    let mut opening = Opening::default();
    let Opening { udp, connections, listen, encrypted, admin, held } = &mut opening;
    // TCP first: UDP sockets share their port, so that a second server on it would go unnoticed there.
    for &address in &settings.listen {
        let listener = binder.listener(address, "TCP")?;
        // Where the port was 0 the system chose one, and UDP takes the same.
        let address = listener.local_addr().map_err(|error| StartError::Bind { address, protocol: "TCP", error })?;
        udp.extend(binder.datagrams(address, workers)?);
        connections.plain.push(listener);
        listen.push(address);
    }
    if let Some(Admin { listen, .. }) = settings.admin {
        *admin = Some(binder.listener(listen, "the admin API")?);
    }
    if let Some(tls) = &settings.doors.encrypted {
        for &address in &tls.dot {
            connections.tls.push(binder.listener(address, "TLS")?);
            encrypted.push(("TLS", address));
        }
        for &address in &tls.doh {
            connections.https.push(binder.listener(address, "HTTPS")?);
            encrypted.push(("HTTPS", address));
        }
        for &address in tls.doq.iter().chain(tls.doh.iter().filter(|address| !tls.doq.contains(address))) {
            let carried = match (tls.doq.contains(&address), tls.doh.contains(&address)) {
                (true, true) => Carried::Both,
                (true, false) => Carried::Dns,
                (false, _) => Carried::Http3,
            };
            connections.quic.push((binder.quic(address)?, carried));
            encrypted.push((if carried == Carried::Http3 { "HTTP/3" } else { "QUIC" }, address));
        }
    }
    *held = binder.held;
    Ok(opening)
}

/// Takes sockets from those that were given, or binds them.
struct Binder<'g> {
    given: &'g mut Given,
    /// Whether a process may take over, for which second descriptors are held.
    hold: bool,
    held: Vec<OwnedFd>,
}

impl Binder<'_> {
    fn listener(&mut self, address: SocketAddr, protocol: &'static str) -> Result<TcpListener, StartError> {
        let listener = self.given.listener(address).map_or_else(|| stream::bind(address), stream::adopt);
        let held = listener.and_then(|listener| {
            self.hold(listener.as_fd())?;
            Ok(listener)
        });
        held.map_err(|error| StartError::Bind { address, protocol, error })
    }

    /// A socket for each worker. All that are given are kept, since a socket that is closed loses what waits in it, and
    /// where no other may be bound beside them (no `SO_REUSEPORT`, or another user's) workers share them.
    fn datagrams(&mut self, address: SocketAddr, workers: usize) -> Result<Vec<UdpSocket>, StartError> {
        let mut sockets = self.given.datagrams(address);
        let given = sockets.len();
        let mut open = || {
            sockets.iter().try_for_each(|socket| udp::prepare(socket, address))?;
            while sockets.len() < workers {
                let socket = match (udp::bind(address), given) {
                    (Err(_), 1..) => sockets[sockets.len() % given].try_clone()?,
                    (bound, _) => bound?,
                };
                sockets.push(socket);
            }
            sockets.iter().try_for_each(|socket| self.hold(socket.as_fd()))
        };
        open().map_err(|error| StartError::Bind { address, protocol: "UDP", error })?;
        Ok(sockets)
    }

    fn quic(&mut self, address: SocketAddr) -> Result<UdpSocket, StartError> {
        let socket = self.given.datagrams(address).pop().map_or_else(|| quic::bind(address), quic::adopt);
        let held = socket.and_then(|socket| {
            self.hold(socket.as_fd())?;
            Ok(socket)
        });
        held.map_err(|error| StartError::Bind { address, protocol: "QUIC", error })
    }

    fn hold(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        if self.hold {
            self.held.push(socket.try_clone_to_owned()?);
        }
        Ok(())
    }
}

/// The certificate of the encrypted doors, if there are any. One that is faulty is told to `audience`.
pub(super) fn certificates(
    settings: &Settings,
    audience: &dyn Audience,
) -> Result<Option<Arc<Certificates>>, StartError> {
    let read = |tls: &Encrypted| Certificates::read(&tls.certificate, &tls.key).map(Arc::new);
    settings.doors.encrypted.as_ref().map(read).transpose().map_err(|fault| faulty(fault, audience))
}

/// A certificate that is at fault at the start.
pub(super) fn faulty(fault: Box<Diagnostic>, audience: &dyn Audience) -> StartError {
    let faults = [*fault];
    audience.faults(&faults);
    StartError::of(&faults)
}

/// What became of reading `what` again: whether it is another, or its fault, which is told as a warning.
pub(super) fn replaced(outcome: Result<bool, Box<Diagnostic>>, what: &str) -> Option<Diagnostic> {
    match outcome {
        Ok(false) => None,
        Ok(true) => {
            tracing::info!("{what} was replaced; the new one counts from now on");
            None
        }
        Err(fault) => {
            let message = format!("{}; {what} before stays in use", fault.message);
            Some(Diagnostic { severity: Severity::Warning, message, ..*fault })
        }
    }
}

/// No more connections than files may be open.
pub(super) fn within(limits: Limits, open_files: io::Result<u64>) -> Limits {
    let files = open_files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let most = (files - files / FILES_KEPT_IN).max(1);
    if limits.connections > most {
        tracing::info!(
            "only {most} connections at once instead of {}: the system allows {files} open files",
            limits.connections
        );
    }
    Limits { connections: limits.connections.min(most), ..limits }
}
