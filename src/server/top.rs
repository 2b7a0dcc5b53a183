//! What was heard over the last seconds, put into rankings.
//!
//! Queries that were heard are kept one by one, each with how many it stands for, for [`SPAN`] and no more than
//! [`SAMPLES_MAX`]; they are only counted up when somebody asks. So nothing has to be forgotten cleverly: who sends a
//! million names that do not exist fills a window, not a table.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::admin::api::{Ranking, Rate, Top};
use crate::answer::{Outcome, Transport};
use crate::config::Atlas;
use crate::geo::Folded;
use crate::moment::Moment;
use crate::observe::{Choice, Heard, name_text};
use crate::policy::{Client, SCOPE_V4_MAX, SCOPE_V6_MAX};
use crate::system::time_of_day;
use crate::wire::header::mnemonic;
use crate::wire::qname::Qname;
use crate::wire::query::Query;
use crate::wire::rtype::Rtype;

/// What is looked back on.
pub(super) const SPAN: Duration = Duration::from_secs(10);

/// Queries that are kept: half as many again as are heard in [`SPAN`] when all goes well. Some 200 octets each, 6 MiB,
/// and only while somebody asks.
const SAMPLES_MAX: usize = 30_000;

/// Lines of a ranking.
const FIRST_MAX: usize = 100;

/// What was heard lately.
#[derive(Debug, Default)]
pub(super) struct Window {
    samples: VecDeque<Sample>,
    qname: Qname,
}

#[derive(Debug)]
struct Sample {
    at: Moment,
    /// How many queries it stands for.
    weight: f64,
    name: String,
    rtype: Option<Rtype>,
    rcode: Option<u16>,
    transport: Transport,
    client: IpAddr,
    endpoints: Vec<String>,
}

impl Window {
    /// Takes up what was heard, at a share that one query stands for `weight` of.
    pub(super) fn take(&mut self, heard: &Heard<'_>, weight: f64) {
        let head = &heard.head;
        let query = Query::read(heard.request, &mut self.qname);
        let name = query.as_ref().map_or_else(|_| "?".to_owned(), |_| name_text(self.qname.octets()));
        let choice = head.balancing.as_ref().map(|balancing| Choice::of(balancing, heard.steps));
        let endpoints =
            choice.iter().flat_map(Choice::endpoints).map(|(pool, endpoint)| format!("{pool}/{endpoint}")).collect();
        let steered = head.balancing.as_ref().and_then(|balancing| balancing.steered);
        let client = steered.map_or(head.peer.address, |steered| steered.client.address());
        let sample = Sample {
            at: head.at,
            weight,
            name,
            rtype: query.ok().filter(|query| !query.question.is_empty()).map(|query| query.qtype),
            rcode: rcode(head.outcome, heard.response),
            transport: head.peer.transport,
            client: Folded::from(client).address(),
            endpoints,
        };
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// What came since `began`, or since [`SPAN`] before `now` if that is later. `lost` found no room.
    pub(super) fn top(&mut self, (began, now): (Moment, Moment), lost: u64, atlas: &Atlas) -> Top {
        let mut from = began.max(now - SPAN);
        if self.samples.len() == SAMPLES_MAX {
            // More came than is kept: only since the first that is.
            from = from.max(self.samples.front().map_or(from, |sample| sample.at));
        }
        // Workers are apart by a few milliseconds, so that their samples are not in order to the last.
        self.samples.retain(|sample| sample.at >= from);
        // Between the first second and the last; never so short that a rate would mean nothing.
        let over = now.since(from).as_secs_f64().max(0.1);
        // The sum of nothing is a negative zero.
        let weight: f64 = self.samples.iter().map(|sample| sample.weight).sum::<f64>() + 0.0;
        let heard = self.samples.len();
        let samples = &self.samples;
        let ranking = |what: &dyn Fn(&Sample) -> Vec<String>| ranking(samples, over, what);
        let mut places: HashMap<IpAddr, String> = HashMap::new();
        for sample in samples {
            places.entry(sample.client).or_insert_with(|| place(sample.client, atlas));
        }
        Top {
            at: jiff::Timestamp::try_from(time_of_day()).unwrap_or_default(),
            over,
            rate: weight / over,
            sampled: if weight > 0.0 { heard as f64 / weight } else { 1.0 },
            heard: heard as u64,
            lost,
            names: ranking(&|sample| vec![sample.name.clone()]),
            types: ranking(&|sample| vec![sample.rtype.map_or_else(|| "?".to_owned(), |rtype| rtype.to_string())]),
            rcodes: ranking(&|sample| vec![rcode_text(sample.rcode)]),
            transports: ranking(&|sample| vec![transport_text(sample.transport).to_owned()]),
            clients: ranking(&|sample| places.get(&sample.client).cloned().into_iter().collect()),
            endpoints: ranking(&|sample| sample.endpoints.clone()),
        }
    }
}

fn ranking(samples: &VecDeque<Sample>, over: f64, what: &dyn Fn(&Sample) -> Vec<String>) -> Ranking {
    let mut sums: HashMap<String, f64> = HashMap::new();
    for sample in samples {
        for what in what(sample) {
            *sums.entry(what).or_default() += sample.weight;
        }
    }
    let mut first: Vec<Rate> = sums.into_iter().map(|(what, sum)| Rate { what, rate: sum / over }).collect();
    // Those that came equally often in one order, so that they do not change places with each look.
    first.sort_by(|one, other| other.rate.total_cmp(&one.rate).then_with(|| one.what.cmp(&other.what)));
    let others = first.split_off(first.len().min(FIRST_MAX)).iter().map(|rate| rate.rate).sum::<f64>();
    Ranking { first, others: others + 0.0 }
}

/// The country, or else the continent, or else the network.
fn place(client: IpAddr, atlas: &Atlas) -> String {
    let (place, _) = atlas.places().lookup(client);
    match (place.country, place.continent) {
        (Some(country), _) => country.to_string(),
        (None, Some(continent)) => continent.code().to_owned(),
        (None, None) => {
            let bits = if client.is_ipv4() { SCOPE_V4_MAX } else { SCOPE_V6_MAX };
            format!("{}/{bits}", Client::within(client).address())
        }
    }
}

/// The code of an outcome; of what was answered elsewhere, as its header says.
fn rcode(outcome: Option<Outcome>, response: &[u8]) -> Option<u16> {
    match outcome {
        Some(Outcome::Answered(rcode)) => Some(rcode as u16),
        Some(Outcome::Dropped(_)) => None,
        None => response.get(3).map(|flags| u16::from(flags & 0x0f)),
    }
}

fn rcode_text(rcode: Option<u16>) -> String {
    let Some(rcode) = rcode else { return "dropped".to_owned() };
    mnemonic(rcode).map_or_else(|| format!("RCODE{rcode}"), str::to_owned)
}

fn transport_text(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
        Transport::Https | Transport::Http3 => "HTTPS",
        Transport::Quic => "QUIC",
    }
}
