//! DNS over HTTP/3 (RFC 8484 over RFC 9114): requests by h3, what they get by [`https`](super::https).

use bytes::{Buf as _, Bytes};
use h3::error::Code;
use h3::server::{RequestResolver, builder};
use http::StatusCode;
use quinn::VarInt;
use tokio::time::timeout;

use super::acknowledged::Connection;
use super::backlog::Backlog;
use super::desk::Asking;
use super::hall::Hall;
use super::https::{HEAD_OCTETS_MAX, Head, MESSAGE_OCTETS_MAX, respond};
use super::requests::{Requests, Source};
use super::tally::Event;

/// H3_EXCESSIVE_LOAD (RFC 9114 §8.1), as QUIC has it.
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);

/// Answers requests until one side has had enough.
pub(super) async fn converse(connection: quinn::Connection, hall: &Hall, asking: Asking) {
    let mut settings = builder();
    let building = settings.max_field_section_size(HEAD_OCTETS_MAX.into()).build(Connection::new(connection.clone()));
    // It opens streams of ours and sends our settings by one of them: how many, and how much, the client grants.
    let mut conversation = match timeout(hall.limits.receive, building).await {
        Ok(Ok(conversation)) => conversation,
        Ok(Err(_)) => return hall.count(Event::Garbage),
        Err(_) => {
            hall.count(Event::SlowToSend);
            return connection.close(EXCESSIVE_LOAD, b"no room was granted for the settings");
        }
    };
    let (mut requests, backlog) = (Requests::new(hall), Backlog::default());
    requests
        .attend(&mut conversation, |resolver| {
            let (hall, asking, backlog) = (hall.clone(), asking.clone(), backlog.clone());
            async move {
                // Each way that an exchange breaks off is counted where it does, or is the client's own wish.
                let _ = exchange(resolver, &hall, (&asking, &backlog)).await;
            }
        })
        .await;
    // It names the request behind the last that was taken: h3 counts from that one, and the client from the first that was
    // not (RFC 9114 §5.2). Whoever grants no room to be told so is not waited for.
    if timeout(hall.limits.send, conversation.shutdown(1)).await.is_err() {
        hall.count(Event::SlowToRead);
    }
    requests.finish().await;
}

impl Source for h3::server::Connection<Connection, Bytes> {
    type Request = RequestResolver<Connection, Bytes>;

    async fn next(&mut self) -> Option<Self::Request> {
        self.accept().await.ok()?
    }
}

async fn exchange(
    resolver: RequestResolver<Connection, Bytes>,
    hall: &Hall,
    (asking, backlog): (&Asking, &Backlog),
) -> Option<()> {
    let receive = hall.limits.receive;
    let Ok(resolved) = timeout(receive, resolver.resolve_request()).await else {
        hall.count(Event::SlowToSend);
        return None;
    };
    let (request, mut stream) = resolved.ok()?;
    let query = match Head::of(&request).query() {
        Ok(Some(query)) => Ok(query),
        Err(status) => Err(status),
        Ok(None) => {
            let body = async {
                let mut octets = Vec::new();
                while let Some(mut part) = stream.recv_data().await.map_err(|_| StatusCode::BAD_REQUEST)? {
                    if octets.len() + part.remaining() > MESSAGE_OCTETS_MAX {
                        return Err(StatusCode::PAYLOAD_TOO_LARGE);
                    }
                    octets.extend_from_slice(&part.copy_to_bytes(part.remaining()));
                }
                Ok(octets)
            };
            timeout(receive, body).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
        }
    };
    let (head, body) = respond(query, (asking, backlog), hall).await.into_parts();
    let sending = async {
        stream.send_response(http::Response::from_parts(head, ())).await.ok()?;
        if !body.is_empty() {
            stream.send_data(body).await.ok()?;
        }
        // Until the client has it all.
        stream.finish().await.ok()
    };
    let Ok(sent) = timeout(hall.limits.send, sending).await else {
        hall.count(Event::SlowToRead);
        stream.stop_stream(Code::H3_EXCESSIVE_LOAD);
        return None;
    };
    sent
}
