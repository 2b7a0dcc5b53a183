//! The floor: the server's own sockets and batches with nothing between receiving and sending. Each datagram goes back
//! as it came, but marked as a response.

use std::net::{Ipv4Addr, UdpSocket};

#[path = "../../src/transport/socket.rs"]
#[allow(dead_code, reason = "a part of it is enough here")]
mod socket;

// What `socket` asks of the crate that it stands in.
mod wire {
    pub(crate) use bellwether::wire::response;
}

/// The octet of a header that says that it is a response, and the bit of it.
const QR: (usize, u8) = (2, 0x80);

fn main() -> std::io::Result<()> {
    let port = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let Some(port) = port else { return Err(std::io::Error::other("usage: peers-echo PORT")) };
    let bound = bellwether::transport::udp::bind((Ipv4Addr::LOCALHOST, port).into())?;
    let mut batch = socket::Batch::new();
    loop {
        let Ok(count) = batch.receive(&bound) else { continue };
        echo(&mut batch, &bound, count);
    }
}

fn echo(batch: &mut socket::Batch, bound: &UdpSocket, count: usize) {
    batch.exchange(bound, count, |_, _, request, response| {
        let (Some(response), true) = (response.get_mut(..request.len()), request.len() > QR.0) else { return 0 };
        response.copy_from_slice(request);
        response[QR.0] |= QR.1;
        request.len()
    });
}
