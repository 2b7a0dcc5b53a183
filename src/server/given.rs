//! Sockets that are bound already: from a service manager (`sd_listen_fds(3)`), or from the process that this one takes over
//! from. Which door each is for, its kind and its address say, or else the name that it was given.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::{env, io};

use listenfd::ListenFd;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

/// Sockets to take in place of binding new ones.
#[derive(Debug, Default)]
pub struct Given {
    sockets: Vec<One>,
    /// Where each must find its door: from a service manager, which would go on sending clients to it.
    must_fit: bool,
}

/// What a socket is for, by its name (`FileDescriptorName=` of a `.socket` unit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Door {
    Dns,
    Dot,
    Doh,
    Doq,
    Admin,
}

/// A door that has an address from a service manager alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    address: SocketAddr,
    door: Door,
}

/// The names of doors.
const NAMES: [(&str, Door); 5] =
    [("dns", Door::Dns), ("dot", Door::Dot), ("doh", Door::Doh), ("doq", Door::Doq), ("admin", Door::Admin)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Datagrams,
    Connections,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Network(SocketAddr),
    Path(PathBuf),
}

#[derive(Debug)]
struct One {
    socket: Socket,
    kind: Kind,
    at: At,
    door: Option<Door>,
}

impl Given {
    /// What the service manager that started this process handed over; nothing where there is none. Must be called before
    /// any thread is started, and once: what describes them is taken out of the environment.
    ///
    /// # Errors
    /// One of them is no socket that could serve here; the message says which.
    pub fn from_service_manager() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut listed = ListenFd::from_env();
        let mut given = Self { sockets: Vec::new(), must_fit: true };
        for at in 0..listed.len() {
            let name = names.get(at).copied().unwrap_or_default();
            let fd = match listed.take_udp_socket(at) {
                Ok(socket) => socket.map(OwnedFd::from),
                Err(_) => listed.take_tcp_listener(at)?.map(OwnedFd::from),
            };
            let Some(fd) = fd else { continue };
            given.put(fd, NAMES.iter().find(|(known, _)| *known == name).map(|&(_, door)| door))?;
        }
        Ok(given)
    }

    /// What another process handed over, with the names that a service manager once gave.
    pub(super) fn from_process(sockets: Vec<OwnedFd>, names: &[Named]) -> io::Result<Self> {
        let mut given = Self::default();
        sockets.into_iter().try_for_each(|socket| given.put(socket, None))?;
        for one in &mut given.sockets {
            let is_its = |named: &&Named| one.at == At::Network(named.address);
            one.door = names.iter().find(is_its).map(|named| named.door);
        }
        Ok(given)
    }

    /// The names of those that have one, for a process that takes over and is given none.
    pub(super) fn names(&self) -> Vec<Named> {
        let named = self.sockets.iter().filter_map(|one| match (&one.at, one.door) {
            (At::Network(address), Some(door)) => Some(Named { address: *address, door }),
            _ => None,
        });
        named.collect()
    }

    fn put(&mut self, fd: OwnedFd, door: Option<Door>) -> io::Result<()> {
        let socket = Socket::from(fd);
        let kind = match socket.r#type()? {
            Type::DGRAM => Kind::Datagrams,
            Type::STREAM => Kind::Connections,
            _ => return Err(io::Error::other("a socket that was handed over is of neither UDP nor TCP")),
        };
        let local = socket.local_addr()?;
        let at = match (local.as_socket(), local.as_pathname()) {
            (Some(address), _) => At::Network(address),
            (None, Some(path)) => At::Path(path.to_owned()),
            (None, None) => return Err(io::Error::other("a socket that was handed over is not bound to an address")),
        };
        if matches!(at, At::Network(SocketAddr::V6(address)) if address.ip().is_unspecified())
            && socket.domain()? == Domain::IPV6
            && !socket.only_v6()?
        {
            let message =
                "a socket that was handed over is of both IPv6 and IPv4: give one of each (BindIPv6Only=ipv6-only)";
            return Err(io::Error::other(message));
        }
        self.sockets.push(One { socket, kind, at, door });
        Ok(())
    }

    /// The addresses of those with this name, each once.
    pub(super) fn named(&self, door: Door) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for one in self.sockets.iter().filter(|one| one.door == Some(door)) {
            if let At::Network(address) = one.at
                && !addresses.contains(&address)
            {
                addresses.push(address);
            }
        }
        addresses
    }

    /// Takes all UDP sockets of `address`.
    pub(super) fn datagrams(&mut self, address: SocketAddr) -> Vec<UdpSocket> {
        self.take(Kind::Datagrams, &At::Network(address)).into_iter().map(UdpSocket::from).collect()
    }

    /// Takes a TCP listener of `address`.
    pub(super) fn listener(&mut self, address: SocketAddr) -> Option<TcpListener> {
        self.take(Kind::Connections, &At::Network(address)).pop().map(TcpListener::from)
    }

    /// Takes the listener of a Unix socket at `path`.
    pub(super) fn at_path(&mut self, path: &Path) -> Option<UnixListener> {
        let socket = self.take(Kind::Connections, &At::Path(path.to_owned())).pop()?;
        Some(UnixListener::from(OwnedFd::from(socket)))
    }

    fn take(&mut self, kind: Kind, at: &At) -> Vec<Socket> {
        let is_meant = |one: &mut One| one.kind == kind && one.at == *at;
        self.sockets.extract_if(.., is_meant).map(|one| one.socket).collect()
    }

    /// Closes those that nobody took.
    ///
    /// # Errors
    /// They are of a service manager, which goes on sending clients there: which they are.
    pub(super) fn finish(self) -> Result<(), String> {
        for One { kind, at, .. } in self.sockets {
            let protocol = if kind == Kind::Datagrams { "UDP" } else { "TCP" };
            let shown = match at {
                At::Network(address) => format!("{protocol} on {address}"),
                At::Path(path) => path.display().to_string(),
            };
            if self.must_fit {
                return Err(format!(
                    "the socket of the service manager for {shown} is of no door: add its address to the server file, or \
                     name it (FileDescriptorName=) dns, dot, doh, doq or admin"
                ));
            }
            tracing::info!("no longer listening: {shown}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_finds_its_door() {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let unix = UnixListener::bind(&path).expect("a socket");
        let [at_udp, at_tcp] = [udp.local_addr(), tcp.local_addr()].map(|address| address.expect("an address"));
        let second = udp.try_clone().expect("a second");
        let sockets = vec![udp.into(), second.into(), tcp.into(), unix.into()];
        let mut given = Given::from_process(sockets, &[]).expect("sockets");
        assert_eq!(given.datagrams(at_udp).len(), 2);
        assert!(given.datagrams(at_udp).is_empty() && given.listener(at_udp).is_none());
        assert!(given.listener(at_tcp).is_some() && given.listener(at_tcp).is_none());
        assert!(given.at_path(Path::new("/nowhere")).is_none() && given.at_path(&path).is_some());
        assert_eq!(given.finish(), Ok(()));
    }

    #[test]
    fn a_service_manager_is_told_of_what_has_no_door() {
        let mut given = Given { must_fit: true, ..Given::default() };
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = udp.local_addr().expect("an address");
        given.put(udp.into(), Some(Door::Dot)).expect("a socket");
        assert_eq!((given.named(Door::Dot), given.named(Door::Dns)), (vec![address], vec![]));
        let again = given.sockets[0].socket.try_clone().expect("a second").into();
        let again = Given::from_process(vec![again], &given.names()).expect("a socket");
        assert_eq!(again.named(Door::Dot), [address], "a successor knows it too");
        let error = given.finish().expect_err("a fault");
        assert!(error.contains(&format!("UDP on {address}")), "{error}");
        let both = Socket::new(Domain::IPV6, Type::DGRAM, None).expect("a socket");
        both.set_only_v6(false).expect("an option");
        both.bind(&"[::]:0".parse::<SocketAddr>().expect("an address").into()).expect("bound");
        let error = Given::from_process(vec![both.into()], &[]).expect_err("a fault").to_string();
        assert!(error.contains("BindIPv6Only"), "{error}");
    }
}
