//! What must hold of every client, every weight and every option, through the whole of `answer()`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bellwether::answer::{Outcome, Transport};
use bellwether::health::{Board, Health};
use bellwether::wire::edns::PAYLOAD;
use bellwether::wire::header::Rcode;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::served::{Desk, Words, cut, query_with_ecs, served, subnet};

const ZONE: &str = "
$TTL 300
@   3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@   NS  ns1
ns1 A   192.0.2.53
";

fn desk(pools: &str, names: &str) -> Desk {
    Desk::new(vec![served(Words { apex: "example.com", zone: ZONE, pools, names }, &Board::new())])
}

/// The answer to A for the subnet of `bits` around `client`: its last address, and the scope.
fn ask(desk: &mut Desk, name: &str, client: IpAddr, bits: u8) -> (Option<Ipv4Addr>, u8) {
    let data = subnet(cut(client, bits), bits);
    let request = query_with_ecs(&format!("{name}.example.com."), 1, &data);
    let (outcome, octets) = desk.ask(Transport::Udp, &request);
    assert_eq!(outcome, Outcome::Answered(Rcode::NoError), "{name} for {client}");
    // The option's data are the last of the response, behind the OPT record and the option's head; the address is
    // the last of what stands before them.
    let scope = octets[octets.len() - data.len() + 3];
    let before = &octets[..octets.len() - data.len() - 15];
    let answered = octets[7] > 0;
    (answered.then(|| before.last_chunk::<4>().map(|&octets| Ipv4Addr::from(octets))).flatten(), scope)
}

/// Clients where something is known, in the forms that carry IPv4, and anywhere.
fn clients() -> impl Strategy<Value = IpAddr> {
    let v4 = prop_oneof![
        prop::sample::select(vec![0xc000_0200_u32, 0xc633_6400, 0xcb00_7100]),
        any::<u32>(),
        (0xc000_0000_u32..0xc001_0000),
    ];
    let v6 = prop_oneof![
        any::<u128>().prop_map(|rest| 0x2001_0db8 << 96 | rest >> 32),
        any::<u128>().prop_map(|rest| 1 << 125 | rest >> 3),
        any::<u128>(),
    ];
    let forms = [0x0064_ff9b_u128 << 96, 0xffff_0000_0000_0000, 0x2002 << 112];
    prop_oneof![
        v4.clone().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        v6.prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        (v4, 0..forms.len()).prop_map(move |(bits, form)| {
            let shift = if form == 2 { 80 } else { 0 };
            IpAddr::V6(Ipv6Addr::from_bits(forms[form] | u128::from(bits) << shift))
        }),
    ]
}

/// `address` up to its first `bits`, and `noise` behind them.
fn beside(address: IpAddr, bits: u8, noise: u128) -> IpAddr {
    match (cut(address, bits), address) {
        (IpAddr::V4(network), _) => {
            let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(network.to_bits() | noise as u32 & rest))
        }
        (IpAddr::V6(network), _) => {
            let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(network.to_bits() | noise & rest))
        }
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Pools without turns, so that an answer is all of what a client is eligible for.
const STEADY: &str = "
eu     failover    192.0.2.1 192.0.2.2
near   nearest     192.0.2.3@50,8 192.0.2.4@39,-77 192.0.2.5@35,139
hash   hash        192.0.2.6 192.0.2.7 192.0.2.8
narrow hash:16,32  192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9
coarse hash:3,1    192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9
fast   latency:0   192.0.2.3@50,8 192.0.2.4@39,-77 192.0.2.5@35,139
geo    geo:near    eu[EU] hash[country=US] narrow[JP-13] near
nets   geo:nearest eu@1,1[198.51.100.0/24,2001:db8::/33] narrow@2,80[2001:db8:4000::/35] near@5,5[192.0.0.0/16]
below  failover    nets geo hash
";

#[test]
fn clients_within_one_scope_are_answered_alike() {
    let names = ["near", "fast", "hash", "narrow", "coarse", "geo", "nets", "below"];
    let words = names.map(|name| format!("{name} {name} 9 5 30 serve-all\n")).concat();
    let mut board = Board::new();
    let desk = RefCell::new(desk(STEADY, &words));
    let endpoints = desk.borrow().snapshot.served()[0].steering.pools.endpoints.len();
    let health = prop::collection::vec(prop::bool::weighted(0.3), endpoints);
    let board = RefCell::new(&mut board);
    let cases = (clients(), 0..names.len(), any::<u128>(), health);
    let held = TestRunner::new(Config::with_cases(2_000)).run(&cases, |(client, name, noise, down)| {
        let (mut desk, mut board) = (desk.borrow_mut(), board.borrow_mut());
        let health = |&down: &bool| if down { Health::DOWN } else { Health::UP };
        let changes: Vec<(u32, Health)> = (0..).zip(down.iter().map(health)).collect();
        desk.turn(&mut board, &changes);
        let (answer, scope) = ask(&mut desk, names[name], client, bits_of(client));
        // A subnet that nobody can locate is answered for the resolver, for itself alone.
        prop_assume!(scope < bits_of(client));
        let other = beside(client, scope, noise);
        let found = ask(&mut desk, names[name], other, bits_of(other));
        prop_assume!(found.1 < bits_of(other));
        prop_assert_eq!(found, (answer, scope), "{} for {} and {}", names[name], client, other);
        Ok(())
    });
    held.unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn a_member_that_leaves_a_hash_moves_one_in_a_hundred() {
    const CLIENTS: u32 = 20_000;
    let mut pools = "hash hash".to_owned();
    for member in 1..=100 {
        write!(pools, " 192.0.2.{member}").expect("a string");
    }
    let mut board = Board::new();
    let mut desk = desk(&pools, "hash hash 1 5 30 serve-all");
    // Of 20.0.0.0/8 and 2400::/16.
    let clients: Vec<IpAddr> = (0..CLIENTS)
        .map(|client| match client % 2 {
            0 => IpAddr::V4(Ipv4Addr::from_bits(0x1400_0000 | client << 8)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(0x2400 << 112 | u128::from(client) << 72)),
        })
        .collect();
    let all = |desk: &mut Desk| -> Vec<(Option<Ipv4Addr>, u8)> {
        clients.iter().map(|&client| ask(desk, "hash", client, if client.is_ipv4() { 24 } else { 56 })).collect()
    };
    let before = all(&mut desk);
    for gone in [1_u8, 50, 100] {
        desk.turn(&mut board, &[(u32::from(gone) - 1, Health::DOWN)]);
        let after = all(&mut desk);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        let its_own = |(before, _): &&(&(Option<Ipv4Addr>, u8), _)| before.0 == Some(Ipv4Addr::new(192, 0, 2, gone));
        assert!(moved.iter().all(|pair| its_own(&pair)), "a client of another member moved");
        let share = moved.len() as f64 / f64::from(CLIENTS);
        assert!((0.007..=0.013).contains(&share), "{share} of the clients moved");
        desk.turn(&mut board, &[(u32::from(gone) - 1, Health::UP)]);
        assert_eq!(all(&mut desk), before, "it is back, and so are they");
    }
}

proptest! {
    #![proptest_config(Config::with_cases(48))]

    #[test]
    fn a_hash_of_any_weights_moves_only_whom_it_must(
        weights in prop::collection::vec(0_u32..9, 2..9), gone in any::<prop::sample::Index>(), seed in any::<u16>(),
    ) {
        let mut pools = "hash hash".to_owned();
        for (weight, member) in weights.iter().zip(1..) {
            write!(pools, " 192.0.2.{member}*{weight}").expect("a string");
        }
        let mut desk = desk(&pools, "hash hash 1 5 30 serve-all");
        let clients: Vec<IpAddr> = (0..64_u32)
            .map(|client| IpAddr::V4(Ipv4Addr::from_bits(0x1400_0000 | (u32::from(seed) ^ client) << 8)))
            .collect();
        let all = |desk: &mut Desk| clients.iter().map(|&client| ask(desk, "hash", client, 24).0).collect::<Vec<_>>();
        let before = all(&mut desk);
        let gone = gone.index(weights.len()) as u8;
        desk.turn(&mut Board::new(), &[(u32::from(gone), Health::DOWN)]);
        let lost = Some(Ipv4Addr::new(192, 0, 2, gone + 1));
        for (before, after) in before.into_iter().zip(all(&mut desk)) {
            prop_assert!(after != lost);
            prop_assert!(before == lost || before == after);
        }
    }

    #[test]
    fn weights_are_exact_over_a_turn(
        weights in prop::collection::vec(0_u32..40, 1..10), offset in 0_u32..100, nested in any::<bool>(),
    ) {
        let mut pools = "shares weighted".to_owned();
        for (weight, member) in weights.iter().zip(1..) {
            write!(pools, " 192.0.2.{member}*{weight}").expect("a string");
        }
        pools.push_str("\nspare failover 203.0.113.1\nfirst failover shares spare\ngeo geo:spare first[EU] spare");
        let name = if nested { "geo" } else { "shares" };
        let mut desk = desk(&pools, "shares shares 1 5 30 serve-all\ngeo geo 1 5 30 serve-all");
        // Two clients of one class take the same turn.
        let clients = ["192.0.2.0", "2001:db8::"].map(|text| text.parse::<IpAddr>().expect("an address"));
        let next = |at: u32, desk: &mut Desk| {
            let client = clients[at as usize % 2];
            ask(desk, name, client, if client.is_ipv4() { 24 } else { 56 }).0
        };
        // A turn may begin anywhere; where all weigh nothing, all share alike.
        for at in 0..offset {
            next(at, &mut desk);
        }
        let weights: Vec<u32> = if weights.iter().all(|&weight| weight == 0) { vec![1; weights.len()] } else { weights };
        let turn: u32 = weights.iter().sum();
        let mut counts = BTreeMap::new();
        for at in 0..turn {
            *counts.entry(next(at, &mut desk)).or_insert(0) += 1;
        }
        for (&weight, member) in weights.iter().zip(1..) {
            prop_assert_eq!(counts.get(&Some(Ipv4Addr::new(192, 0, 2, member))).copied().unwrap_or(0), weight);
        }
    }
}

proptest! {
    #![proptest_config(Config::with_cases(1_000))]

    /// Octets at random are hardly ever whole: half of them are given a family and a length that may be right.
    #[test]
    fn any_client_subnet_is_answered_or_refused(
        mut data in prop::collection::vec(any::<u8>(), 0..40), family in 0_u8..4, is_whole in any::<bool>(), name in 0_usize..3,
    ) {
        if let (true, Some(head)) = (is_whole, data.first_chunk_mut::<4>()) {
            *head = [0, family, head[2] % 130, 0];
            let octets = 4 + usize::from(data[2]).div_ceil(8);
            data.resize(octets, 0);
        }
        let names = "geo geo 1 5 30 serve-all\nhash hash 9 5 30 serve-all\nnear near 1 5 30 serve-all no-ecs";
        thread_local!(static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) });
        DESK.with_borrow_mut(|slot| {
            let desk = slot.get_or_insert_with(|| desk(STEADY, names));
            let name = ["geo.example.com.", "hash.example.com.", "near.example.com."][name];
            let request = query_with_ecs(name, 1, &data);
            for transport in [Transport::Udp, Transport::Tcp] {
                let (outcome, octets) = desk.ask(transport, &request);
                prop_assert!(octets.len() <= usize::from(PAYLOAD));
                match outcome {
                    Outcome::Answered(Rcode::FormErr) => prop_assert_eq!((octets[3] & 0xf, octets[7]), (1, 0)),
                    outcome => {
                        prop_assert_eq!(outcome, Outcome::Answered(Rcode::NoError));
                        let (echoed, scope) = (&octets[octets.len() - data.len()..], octets[octets.len() - data.len() + 3]);
                        prop_assert_eq!((&echoed[..3], &echoed[4..]), (&data[..3], &data[4..]));
                        prop_assert!(scope <= 128 && (data[1] != 1 || scope <= 24 || scope == data[2]));
                    }
                }
            }
            Ok(())
        })?;
    }
}
