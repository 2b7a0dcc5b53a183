//! How many connections there are, in all and of each client, and who goes when there are too many.
//!
//! A connection that waits for a query waits at the gate too: when another comes and there is no room, the one that
//! has waited for longest is told to go. So a flood of idle connections pushes itself out, and nobody who asks
//! something is turned away for it (RFC 7766 §6.2.3).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::limits::Limits;
use super::tally::{Event, Tally};
use crate::answer::rate::ClientNetwork;

/// Connections over the limit that may be open while those that were told to go are going.
const LEAVING_MAX: usize = 64;

/// Where connections are counted.
#[derive(Debug)]
pub(super) struct Gate {
    connections_max: usize,
    per_client_max: usize,
    open: Mutex<Open>,
    /// One permit for each connection that is to make room and has not been told; who waits longest gets the first.
    pressed: Semaphore,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// Never more entries than connections.
    clients: HashMap<ClientNetwork, usize>,
}

/// One connection's place. It is given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    client: Option<ClientNetwork>,
}

impl Gate {
    pub(super) fn new(limits: &Limits, tally: Arc<Tally>) -> Self {
        Self {
            connections_max: limits.connections,
            per_client_max: limits.connections_per_client,
            open: Mutex::default(),
            pressed: Semaphore::new(0),
            tally,
        }
    }

    /// A place for one more connection; `None` when there is none and nobody who waits could make room. Whoever then gives
    /// the connection up counts that: it may try again.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.open();
        if open.count >= self.connections_max.saturating_add(LEAVING_MAX) {
            return None;
        }
        open.count += 1;
        if self.pressed.available_permits() < self.over(&open) {
            self.pressed.add_permits(1);
        }
        drop(open);
        self.tally.count(Event::Accepted);
        Some(Place { gate: Arc::clone(self), client: None })
    }

    /// Waits until this connection, of all that wait the longest, must make room.
    pub(super) async fn pressed(&self) {
        match self.pressed.acquire().await {
            Ok(permit) => permit.forget(),
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// How many connections there are too many.
    fn over(&self, open: &Open) -> usize {
        open.count.saturating_sub(self.connections_max)
    }

    /// Whether half of all places are taken, or half of those that the client at `address` may have: then strangers
    /// are asked to prove their address first. So a forger takes no more than half of another's places.
    pub(super) fn is_crowded(&self, address: IpAddr) -> bool {
        let open = self.open();
        let of_client = open.clients.get(&ClientNetwork::of(address)).copied().unwrap_or(0);
        open.count > self.connections_max / 2 || of_client > self.per_client_max / 2
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        // Counts are whole at every moment at which a panic could be.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Says whose connection it is; `false` when that client has as many as it may have.
    #[must_use]
    pub(super) fn take_for(&mut self, address: IpAddr) -> bool {
        let client = ClientNetwork::of(address);
        let mut open = self.gate.open();
        let count = open.clients.entry(client).or_default();
        if *count >= self.gate.per_client_max {
            drop(open);
            self.gate.tally.count(Event::RefusedClient);
            return false;
        }
        *count += 1;
        drop(open);
        self.client = Some(client);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.open();
        open.count = open.count.saturating_sub(1);
        // Who goes by itself makes room as well.
        if self.gate.pressed.available_permits() > self.gate.over(&open)
            && let Ok(permit) = self.gate.pressed.try_acquire()
        {
            permit.forget();
        }
        if let Some(client) = self.client
            && let Some(count) = open.clients.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                open.clients.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections: usize, connections_per_client: usize) -> Arc<Gate> {
        let limits = Limits { connections, connections_per_client, ..Limits::default() };
        Arc::new(Gate::new(&limits, Arc::default()))
    }

    fn take(gate: &Arc<Gate>, address: &str) -> Option<Place> {
        let mut place = gate.enter()?;
        place.take_for(address.parse().expect("an address")).then_some(place)
    }

    #[test]
    fn a_client_is_a_network() {
        let gate = gate(100, 2);
        let held = ["192.0.2.1", "192.0.2.200", "192.0.3.1", "2001:db8::1", "2001:db8:0:ff::1"]
            .map(|address| take(&gate, address).unwrap_or_else(|| panic!("{address} is let in")));
        assert!(take(&gate, "192.0.2.7").is_none());
        assert!(take(&gate, "::ffff:192.0.2.7").is_none());
        assert!(take(&gate, "2001:db8:0:80::9").is_none());
        assert!(take(&gate, "2001:db8:0:100::1").is_some());
        assert_eq!(gate.tally.of(Event::RefusedClient), 3);
        drop(held);
        assert!(take(&gate, "192.0.2.7").is_some());
        let open = gate.open();
        assert_eq!((open.count, open.clients.len()), (0, 0));
    }

    #[test]
    fn strangers_are_asked_once_half_is_taken() {
        let is_crowded = |gate: &Gate, address: &str| gate.is_crowded(address.parse().expect("an address"));
        let wide = gate(100, 4);
        let _held: Vec<_> = (0..2).map(|_| take(&wide, "192.0.2.1").expect("room")).collect();
        assert!(!is_crowded(&wide, "192.0.2.9"));
        let _third = take(&wide, "192.0.2.2").expect("room");
        assert!(is_crowded(&wide, "192.0.2.9"));
        assert!(!is_crowded(&wide, "192.0.3.9"));
        let narrow = gate(2, 2);
        let _held = ["192.0.2.1", "192.0.3.1"].map(|address| take(&narrow, address).expect("room"));
        assert!(is_crowded(&narrow, "192.0.4.1"));
    }

    #[tokio::test]
    async fn who_waits_longest_makes_room() {
        let gate = gate(2, 100);
        let held = [gate.enter().expect("room"), gate.enter().expect("room")];
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for name in ["first", "second"] {
            let (gate, told) = (Arc::clone(&gate), told.clone());
            tokio::spawn(async move {
                gate.pressed().await;
                let _ = told.send(name);
            });
            tokio::task::yield_now().await;
        }
        let _third = gate.enter().expect("the first makes room");
        assert_eq!(order.recv().await, Some("first"));
        let _fourth = gate.enter().expect("the second makes room");
        assert_eq!(order.recv().await, Some("second"));
        drop(held);
        // Nobody waits; who does next must go. But not when somebody has gone by then.
        let fifth = gate.enter().expect("somebody will make room");
        drop(fifth);
        let waiting = gate.pressed();
        let not_pressed = tokio::time::timeout(std::time::Duration::from_millis(20), waiting).await;
        assert!(not_pressed.is_err());
    }

    #[test]
    fn a_flood_of_the_busy_ends_at_the_limit() {
        let gate = gate(3, 1_000);
        let held: Vec<_> = std::iter::repeat_with(|| gate.enter()).take_while(Option::is_some).collect();
        assert_eq!(held.len(), 3 + LEAVING_MAX);
        assert_eq!(gate.tally.of(Event::Accepted), held.len() as u64);
    }
}
