//! Messages and sockets over a Unix socket: a length of four octets, little-endian, then so many octets; descriptors
//! travel with the first of them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Octets of a message, at the most: as many as of a state file.
const OCTETS_MAX: usize = 96 << 20;

/// Descriptors in one message. Linux takes 253 (`SCM_MAX_FD`).
pub(super) const SOCKETS_MAX: usize = 64;

/// One side of a conversation.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    /// What came with the octets that were read.
    sockets: Vec<OwnedFd>,
}

impl Channel {
    pub(super) const fn new(stream: UnixStream) -> Self {
        Self { stream, sockets: Vec::new() }
    }

    pub(super) async fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self::new(UnixStream::connect(path).await?))
    }

    /// Who is at the other side: its user, by number.
    pub(super) fn peer_user(&self) -> io::Result<u32> {
        Ok(self.stream.peer_cred()?.uid())
    }

    /// The process at the other side.
    pub(super) fn peer_process(&self) -> Option<u32> {
        self.stream.peer_cred().ok()?.pid().and_then(|pid| u32::try_from(pid).ok())
    }

    pub(super) async fn say(&self, message: &impl Serialize) -> io::Result<()> {
        self.send(&serde_json::to_vec(message)?, &[]).await
    }

    pub(super) async fn hear<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        Ok(serde_json::from_slice(&self.receive().await?)?)
    }

    /// Sends `octets`, with at most [`SOCKETS_MAX`] `sockets`.
    pub(super) async fn send(&self, octets: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let length = u32::try_from(octets.len()).ok().filter(|&length| length as usize <= OCTETS_MAX);
        let length = length.ok_or_else(|| io::Error::other("a message is too long"))?;
        // The sockets go with the length, which is sent whole or not at all.
        self.send_some(&length.to_le_bytes(), sockets).await?;
        let mut rest = octets;
        while !rest.is_empty() {
            let sent = self.send_some(rest, &[]).await?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    async fn send_some(&self, octets: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
            let mut beside = SendAncillaryBuffer::new(&mut space);
            if !sockets.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(sockets)) {
                return Err(io::Error::other("too many sockets in one message"));
            }
            Ok(rustix::net::sendmsg(self.stream.as_fd(), &[IoSlice::new(octets)], &mut beside, SendFlags::NOSIGNAL)?)
        };
        self.stream.async_io(Interest::WRITABLE, send).await
    }

    /// The next message.
    pub(super) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.fill(&mut length).await?;
        let length = u32::from_le_bytes(length) as usize;
        if length > OCTETS_MAX {
            return Err(io::Error::other("a message is too long"));
        }
        let mut octets = vec![0; length];
        self.fill(&mut octets).await?;
        Ok(octets)
    }

    /// The sockets that came with what was received since this was last asked.
    pub(super) fn take_sockets(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.sockets)
    }

    async fn fill(&mut self, octets: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < octets.len() {
            let room = octets.get_mut(filled..).unwrap_or_default();
            let (stream, sockets) = (&self.stream, &mut self.sockets);
            let received = stream.async_io(Interest::READABLE, || receive_some(stream.as_fd(), room, sockets)).await?;
            if received == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += received;
        }
        Ok(())
    }
}

fn receive_some(stream: BorrowedFd<'_>, room: &mut [u8], sockets: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    // Programs that probe are started by this process and are none of the sockets' business.
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(stream, &mut [IoSliceMut::new(room)], &mut beside, flags)?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(given) = message {
            sockets.extend(given);
        }
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn sockets_arrive_with_all_that_waits_in_them() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let (one, mut other) = (Channel::new(one), Channel::new(other));
        let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = server.local_addr().expect("an address");
        UdpSocket::bind("127.0.0.1:0").expect("a socket").send_to(b"waits", address).expect("sent");
        let long = "x".repeat(1 << 20);
        let sending = async {
            one.send(b"", &[server.as_fd(), server.as_fd()]).await.expect("sent");
            one.say(&long).await.expect("sent");
            drop((one, server));
        };
        let receiving = async {
            assert_eq!(other.receive().await.expect("a message"), b"");
            let mut sockets = other.take_sockets();
            assert_eq!(sockets.len(), 2);
            assert_eq!(other.hear::<String>().await.expect("a message"), long);
            assert!(other.take_sockets().is_empty());
            let end = other.receive().await.expect_err("the other side has gone");
            assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
            UdpSocket::from(sockets.remove(0))
        };
        let ((), socket) = tokio::join!(sending, receiving);
        let mut octets = [0; 16];
        let length = socket.recv(&mut octets).expect("what waited");
        assert_eq!((&octets[..length], socket.local_addr().ok()), (&b"waits"[..], Some(address)));
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        let check = async |octets: &[u8]| {
            let (one, other) = UnixStream::pair().expect("a pair");
            one.try_write(octets).expect("written");
            drop(one);
            Channel::new(other).hear::<String>().await.expect_err("no message")
        };
        check(&[0xff; 8]).await;
        check(&[3, 0, 0, 0, b'"']).await;
        check(&[3, 0, 0, 0, b'x', b'y', b'z']).await;
        check(&[1]).await;
    }
}
