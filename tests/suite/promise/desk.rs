//! Who answers in a world: the pools as they are compiled and chosen from when served.

use std::net::{IpAddr, Ipv4Addr};

use bellwether::health::{Board, Health, ProbeId};
use bellwether::moment::Moment;
use bellwether::policy::{Answers, Client, Cursor, Family, Forced, Hand, Live, Picks, PoolId, View, Want, choose};
use bellwether::random::Random;

use super::Mutant;
use super::draw::Layout;

/// Who answers: the compiled pools, and a worker's cursors.
pub(super) struct Desk<'l> {
    pub(super) layout: &'l Layout,
    pub(super) board: Board,
    pub(super) live: Option<Live>,
    pub(super) stale: bool,
    pub(super) cursors: Vec<Cursor>,
    pub(super) random: Random,
    pub(super) answers: Answers,
    pub(super) picks: Picks,
}

impl<'l> Desk<'l> {
    pub(super) fn new(layout: &'l Layout, random: &mut Random) -> Self {
        let answers = match random.below(4) {
            0 => Answers::EachMember,
            1 => Answers::Spread(2),
            _ => Answers::Best(1 + random.below(3) as u8),
        };
        let cursors = vec![Cursor::default(); layout.pools.pools.len()];
        let random = random.split();
        Self { layout, board: Board::new(), live: None, stale: true, cursors, random, answers, picks: Picks::default() }
    }

    /// Enters what is told of an endpoint; pools are compiled once it is asked for them.
    pub(super) fn hear(&mut self, mutant: Mutant, number: u32, health: Health) {
        let blind = mutant == Mutant::NestedIgnored && self.layout.nested[number as usize];
        let flip = if blind { Moment::NEVER } else { health.flip };
        self.board.set(ProbeId(number), Health { flip, ..health });
        self.stale = true;
    }

    /// Chooses for one of three clients at `now`: for how long the choice may be kept.
    pub(super) fn ask(&mut self, ttl: impl Fn(Moment, Moment) -> u32, now: Moment) -> u32 {
        let pools = &self.layout.pools;
        if self.stale {
            self.live = Some(Live::compile(pools, &self.board, &Forced::default(), self.live.as_ref()));
            self.stale = false;
        }
        let Some(live) = &self.live else { return 1 };
        // Of Frankfurt, Virginia and Tokyo.
        let client = [[192, 0, 2, 1], [198, 51, 100, 1], [203, 0, 113, 1]][self.random.below(3) as usize];
        let hand = Hand {
            cursors: &mut self.cursors,
            low: PoolId(0),
            random: &mut self.random,
            client: &Client::within(IpAddr::V4(Ipv4Addr::from(client))),
            witness: &mut (),
        };
        let want = Want { root: self.layout.root, family: Family::V4, answers: self.answers, view: View::Living };
        choose(pools, live, want, hand, &mut self.picks);
        ttl(self.picks.flip(), now)
    }
}
