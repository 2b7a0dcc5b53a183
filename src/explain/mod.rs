//! Which answer a client gets, and why: what `bellwether explain` and `GET /v1/explain` say.
//!
//! The answer comes from [`crate::answer::answer`] itself, over a snapshot; a witness in the worker hears how it comes
//! about. Knows nothing of files, of HTTP or of who asks: a snapshot of files with every endpoint up and one of a running
//! server are the same to it.

mod hearing;
mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};
use hickory_proto::rr::{Name as HickoryName, RecordType};
use hickory_proto::serialize::binary::BinDecodable as _;

use crate::admin::api::Explanation;
use crate::answer::{Counters, Outcome, Peer, Response, Transport, Worker, answer};
use crate::geo::Place;
use crate::health::{Board, ProbeId};
use crate::moment::Moment;
use crate::policy::{Client, SCOPE_V4_MAX, SCOPE_V6_MAX};
use crate::snapshot::Snapshot;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use hearing::Hearing;
use report::Report;

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name that is asked for.
    pub name: Name,
    /// The type that is asked for.
    pub rtype: Rtype,
    /// The client, told as a resolver would tell it: /24 or /56 of its address, by ECS.
    pub client: Option<IpAddr>,
    /// The resolver that asks; without one, the client itself does.
    pub resolver: Option<IpAddr>,
}

/// What the answer is made from.
pub struct Scene<'a> {
    /// The zones and the pools of now.
    pub snapshot: &'a Snapshot,
    /// The verdicts that the pools were compiled from.
    pub board: &'a Board,
    /// What is known of a client's network.
    pub place: &'a dyn Fn(Client) -> Place,
    /// What a probe asks, in words; `None` for one that nobody knows.
    pub probe: &'a dyn Fn(ProbeId) -> Option<String>,
    /// When it is asked.
    pub now: Moment,
}

/// The name in `text`, absolute with or without its final dot.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<Name, String> {
    Name::from_host(text).map_err(|error| error.to_string())
}

/// The type that `text` names, in any case.
///
/// # Errors
/// What would be right.
pub fn rtype(text: &str) -> Result<Rtype, String> {
    let example = "write a record type, such as A, AAAA, MX or TYPE65";
    let rtype: Rtype = text.to_ascii_uppercase().parse().map_err(|_| example.to_owned())?;
    match rtype.0 {
        251 | 252 => {
            Err(format!("{rtype} asks for a whole zone, which nobody balances: who may have it, [transfer] says"))
        }
        // OPT and NXNAME; TKEY, TSIG, MAILB and MAILA: refused before any zone is looked at.
        41 | 128 | 249..=254 => Err(format!("no name has records of {rtype}: {example}")),
        _ => Ok(rtype),
    }
}

/// Puts `question` and says what came of it. Turns begin at their first step. Costs memory for every cursor of the
/// snapshot, as a worker does: not for the thread that keeps it.
///
/// # Errors
/// Why it could not be put or was not answered.
pub fn explain(question: &Question, scene: &Scene<'_>) -> Result<Explanation, String> {
    let Question { client, resolver, .. } = *question;
    let mut worker = Worker::with_witness(Arc::<Counters>::default(), 0, Hearing::default());
    worker.adopt(scene.snapshot);
    let request = request(question).map_err(|error| format!("the question cannot be put: {error}"))?;
    let mut octets = vec![0; usize::from(u16::MAX)];
    let mut response = Response::new(&mut octets);
    let address = resolver.or(client).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let peer = Peer { address, transport: Transport::Tcp };
    let outcome = answer(scene.snapshot, &mut worker, peer, scene.now, &request, &mut response);
    let Outcome::Answered(rcode) = outcome else { return Err("the question was not answered".to_owned()) };
    let message =
        Message::from_vec(response.octets()).map_err(|error| format!("the answer cannot be read: {error}"))?;
    let report = Report {
        name: &question.name,
        rtype: question.rtype,
        client: client.map(|client| (client, (scene.place)(Client::within(client)))),
        resolver: resolver.map(|resolver| (resolver, (scene.place)(Client::asking_from(resolver)))),
        snapshot: scene.snapshot,
        board: scene.board,
        probe: scene.probe,
        hearing: worker.witness(),
        message: &message,
        rcode,
    };
    Ok(report.explanation())
}

/// The question as a resolver would put it.
fn request(question: &Question) -> Result<Vec<u8>, ProtoError> {
    // By its octets: hickory's own reading of text refuses names that can be served, such as those of RFC 2317.
    let name = HickoryName::from_bytes(question.name.as_wire())?;
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name, RecordType::from(question.rtype.0)));
    let mut edns = Edns::new();
    if let Some(client) = question.client {
        let bits = if client.is_ipv4() { SCOPE_V4_MAX } else { SCOPE_V6_MAX };
        let subnet = ClientSubnet::new(Client::within(client).address(), bits, 0);
        edns.options_mut().insert(EdnsOption::Subnet(subnet));
    }
    message.edns = Some(edns);
    message.to_vec()
}
