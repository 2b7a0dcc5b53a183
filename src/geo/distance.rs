//! Which members are near: the order of policy `nearest`.
//!
//! By great-circle distance with Route 53's bias: a positive bias b makes a distance d·(1 − b/100), a negative one
//! d/(1 + b/100) with b as it stands. Source: Amazon Route 53 Developer Guide, "How Amazon Route 53 uses bias to
//! route traffic".
//!
//! How many different orders there are is bounded, since each is a class and splits the map. n members have
//! n(n−1)/2 lines on the globe where two of them are equally far, and those cut it into as many pieces as their
//! square: 14,400 for 16 members, 24 million for 100. So an order names the [`NEAREST_MAX`] nearest members and
//! leaves the rest to the operator's order, and where [`ORDERS_MAX`] would still be passed, half as many, and
//! again, until it is not. A client notices only when that many members near it are dead at once.

use std::collections::HashMap;

use super::classes::Numbers;
use super::place::{Coordinates, Place};

/// Members named in an order, at most; those behind follow in the operator's order.
pub const NEAREST_MAX: usize = 16;

/// Different orders in one map, at most: 2 MiB of them at 16 members each.
const ORDERS_MAX: usize = 1 << 16;

/// Mean radius of the Earth in kilometres (IUGG). It only makes distances readable: an order does not depend on it.
const EARTH_KM: f64 = 6371.0088;

/// The most that a bias is, either way.
pub const BIAS_MAX: i8 = 99;

/// How much nearer (positive) or farther (negative) a member is made, in percent: −[`BIAS_MAX`] to [`BIAS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bias(i8);

impl Bias {
    /// `None` when out of range.
    pub const fn new(percent: i8) -> Option<Self> {
        if percent >= -BIAS_MAX && percent <= BIAS_MAX { Some(Self(percent)) } else { None }
    }

    /// What a distance is multiplied with: 0.01 to 100.
    fn factor(self) -> f64 {
        let share = f64::from(self.0) / 100.0;
        if self.0 >= 0 { 1.0 - share } else { 1.0 / (1.0 + share) }
    }
}

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Which member.
    pub member: u16,
    /// Its position.
    pub coordinates: Coordinates,
    /// Its bias.
    pub bias: Bias,
}

/// A position as a point of the unit sphere.
pub(super) type Point = [f64; 3];

/// Members ready to be measured to.
#[derive(Debug)]
struct Sites(Vec<(u16, Point, f64)>);

impl Sites {
    fn of(sites: &[Site]) -> Self {
        Self(sites.iter().map(|site| (site.member, point(site.coordinates), site.bias.factor())).collect())
    }

    /// The nearest members to `from`, at most [`NEAREST_MAX`], ties in the order of their numbers.
    fn nearest(&self, from: Coordinates) -> Box<[u16]> {
        let from = point(from);
        let mut biased: Vec<(f64, u16)> =
            self.0.iter().map(|&(member, at, factor)| (distance_km(from, at) * factor, member)).collect();
        let order = |a: &(f64, u16), b: &(f64, u16)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if biased.len() > NEAREST_MAX {
            biased.select_nth_unstable_by(NEAREST_MAX, order);
            biased.truncate(NEAREST_MAX);
        }
        biased.sort_unstable_by(order);
        biased.into_iter().map(|(_, member)| member).collect()
    }
}

pub(super) fn point(coordinates: Coordinates) -> Point {
    let (latitude, longitude) = (coordinates.latitude().to_radians(), coordinates.longitude().to_radians());
    [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
}

/// Great-circle distance by the haversine formula. The haversine of the angle between two points of the unit
/// sphere is a quarter of the square of the straight line between them; so written it takes no sine for each pair.
pub(super) fn distance_km(a: Point, b: Point) -> f64 {
    let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    2.0 * EARTH_KM * (square / 4.0).sqrt().min(1.0).asin()
}

/// The orders of the members for many places.
#[derive(Debug)]
pub(super) struct Orders {
    /// By place: which order.
    pub(super) by_place: Vec<u32>,
    /// Members, the nearest first. The first is empty: of clients whose position is not known.
    pub(super) orders: Vec<Box<[u16]>>,
}

impl Orders {
    /// The orders of `sites` for clients at `places`. A client of unknown coordinates is taken to be in the middle
    /// of its country; of unknown country, it has no order.
    pub(super) fn of(sites: &[Site], places: &[Place]) -> Self {
        let sites = Sites::of(sites);
        let mut numbers = Numbers::default();
        numbers.of(Box::default());
        let mut measured = HashMap::new();
        let by_place = places
            .iter()
            .map(|place| match place.position() {
                None => 0,
                Some(at) => *measured.entry(at).or_insert_with(|| numbers.of(sites.nearest(at))),
            })
            .collect();
        Self { by_place, orders: numbers.into_things() }.bounded(ORDERS_MAX)
    }

    /// With at most `orders_max` orders: fewer members in each, where there are more.
    fn bounded(self, orders_max: usize) -> Self {
        let mut length = NEAREST_MAX;
        let mut bounded = self;
        while bounded.orders.len() > orders_max && length > 1 {
            length /= 2;
            let mut numbers = Numbers::default();
            let shorter: Vec<u32> =
                bounded.orders.iter().map(|order| numbers.of(order[..order.len().min(length)].into())).collect();
            bounded.by_place.iter_mut().for_each(|order| *order = shorter[*order as usize]);
            bounded.orders = numbers.into_things();
        }
        bounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Coordinates {
        Coordinates::of_degrees(latitude, longitude).expect("on the globe")
    }

    const FRANKFURT: (f64, f64) = (50.1, 8.7);
    const VIRGINIA: (f64, f64) = (38.9, -77.4);
    const TOKYO: (f64, f64) = (35.7, 139.7);

    #[test]
    fn distances_are_those_of_the_haversine_formula() {
        let check = |a: (f64, f64), b: (f64, f64)| {
            let (phi, psi) = (a.0.to_radians(), b.0.to_radians());
            let haversine = |angle: f64| (angle / 2.0).sin().powi(2);
            let whole = haversine(psi - phi) + phi.cos() * psi.cos() * haversine((b.1 - a.1).to_radians());
            let expected = 2.0 * EARTH_KM * whole.sqrt().min(1.0).asin();
            let found = distance_km(point(at(a.0, a.1)), point(at(b.0, b.1)));
            assert!((found - expected).abs() < 1e-3, "{a:?} to {b:?}: {found} km, not {expected}");
            expected
        };
        assert!((check(FRANKFURT, VIRGINIA) - 6540.0).abs() < 20.0);
        check(FRANKFURT, TOKYO);
        check((0.0, 179.9), (0.0, -179.9));
        check((90.0, 0.0), (-90.0, 0.0));
        check((60.0, 10.0), (60.0, 10.01));
        assert_eq!(check(TOKYO, TOKYO), 0.0);
    }

    #[test]
    fn the_nearest_comes_first_and_bias_moves_the_line() {
        let check = |biases: [i8; 3], from: (f64, f64), expected: [u16; 3]| {
            let sites =
                [FRANKFURT, VIRGINIA, TOKYO].into_iter().zip(biases).enumerate().map(|(member, (site, bias))| {
                    let bias = Bias::new(bias).expect("in range");
                    Site { member: member as u16, coordinates: at(site.0, site.1), bias }
                });
            let sites: Vec<_> = sites.collect();
            assert_eq!(*Sites::of(&sites).nearest(at(from.0, from.1)), expected, "{biases:?} from {from:?}");
        };
        let (london, denver, iceland) = ((51.5, -0.1), (39.7, -105.0), (64.1, -21.9));
        check([0, 0, 0], london, [0, 1, 2]);
        check([0, 0, 0], denver, [1, 0, 2]);
        check([0, 0, 0], iceland, [0, 1, 2]);
        // 2,400 km to Frankfurt and 4,500 km to Virginia: half of those 4,500 is less.
        check([0, 50, 0], iceland, [1, 0, 2]);
        check([-50, 0, 0], iceland, [1, 0, 2]);
        check([0, 0, 99], denver, [2, 1, 0]);
        check([0, -99, 0], denver, [0, 2, 1]);
        assert_eq!([Bias::new(100), Bias::new(-100), Bias::new(i8::MIN)], [None; 3]);
        assert!((Bias(-50).factor() - 2.0).abs() < 1e-12 && (Bias(25).factor() - 0.75).abs() < 1e-12);
    }

    #[test]
    fn ties_go_by_number_and_the_list_ends() {
        let site = |member| Site { member, coordinates: at(1.0, 1.0), bias: Bias::default() };
        let sites: Vec<_> = (0..40).rev().map(site).collect();
        let expected: Vec<u16> = (0..NEAREST_MAX as u16).collect();
        assert_eq!(*Sites::of(&sites).nearest(at(2.0, 2.0)), expected);
    }

    #[test]
    fn a_client_of_a_country_is_in_its_middle_and_of_nowhere_has_no_order() {
        let sites: Vec<_> = [FRANKFURT, VIRGINIA]
            .iter()
            .enumerate()
            .map(|(member, site)| Site {
                member: member as u16,
                coordinates: at(site.0, site.1),
                bias: Bias::default(),
            })
            .collect();
        let country = |code| Place { country: super::super::Country::of_code(code), ..Place::default() };
        let known = Place { coordinates: Some(at(40.0, -75.0)), ..country("DE") };
        let orders = Orders::of(&sites, &[Place::default(), country("PL"), country("CA"), known]);
        let lists: Vec<&[u16]> = orders.by_place.iter().map(|&order| &*orders.orders[order as usize]).collect();
        assert_eq!(lists, [&[][..], &[0, 1], &[1, 0], &[1, 0]]);
    }

    #[test]
    fn orders_are_bounded_by_naming_fewer() {
        let list = |order: u16| (0..NEAREST_MAX as u16).map(|at| order % (2 << (at / 2)) * 16 + at).collect();
        let orders: Vec<Box<[u16]>> = (0..256).map(list).collect();
        let whole = Orders { by_place: (0..256).collect(), orders: orders.clone() };
        let bounded = whole.bounded(40);
        assert_eq!(bounded.orders.len(), 16, "the first eight of each");
        for (place, &order) in bounded.by_place.iter().enumerate() {
            let order = &bounded.orders[order as usize];
            assert!(!order.is_empty() && orders[place].starts_with(order));
        }
    }
}
