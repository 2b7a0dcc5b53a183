//! What one process tells the one that takes over from it, and what that makes of it.
//!
//! The old one tells everything twice: once for the new one to begin with, while it goes on itself, and once when the new
//! one is about to answer. From then on it neither obeys nor writes, so that nothing is forced that would be forgotten,
//! and no file is written by two; if the new one gives up it goes on as if nothing had been.

use std::io;
use std::sync::Arc;

use super::super::earlier::Earlier;
use super::super::state::{self, Beside, Lock, Recalled, State};
use super::super::status;
use super::holdings::Holdings;
use super::{Keeper, Scope, Standing};
use crate::config::StateFile;
use crate::diagnostic::plural;
use crate::policy::Live;

impl Keeper {
    /// Begins with what another process `told`, to wait until it has gone; or with what was `read` of the `state` file,
    /// which is this process's by its lock.
    pub(super) fn recall(
        &mut self,
        state: Option<(StateFile, Option<Lock>)>,
        (read, told): (Recalled, Option<Recalled>),
    ) {
        self.standing = if told.is_some() { Standing::Waiting } else { Standing::Serving };
        if let Some(told) = &told {
            tracing::info!("taken over: {}", plural(told.verdicts(), "verdict"));
        }
        self.recalled = told.unwrap_or(read);
        self.state = state.map(|(settings, lock)| State::new(settings, lock, self.clock.now()));
        let overrides = self.recalled.take_overrides();
        self.restore_overrides(overrides);
        let earlier = self.recalled.take_earlier();
        self.earlier = Earlier::from_kept(earlier, |time| status::moment(self.clock, time));
    }

    /// What is kept beside verdicts.
    pub(super) fn beside(&self) -> Beside {
        Beside {
            overrides: self.kept_overrides(),
            earlier: self.earlier.clone(),
            serials: self.holdings.shelf.serials(),
            clock: self.clock,
        }
    }

    /// Everything that is known now. Takes time in proportion to the probes; it is put into words by whoever waits.
    pub(in super::super) fn tell(&self) -> impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static {
        let (ledger, snapshot) = (self.prober.ledger(), self.snapshots.load_full());
        let beside = self.beside();
        move || state::tell(&ledger, &snapshot, beside)
    }

    /// Obeys who has asked, then nobody until it is thawed, and writes nothing more; answers and probes go on. A writing
    /// that is under way has ended then, and the file of the state is for another process to have.
    pub(in super::super) async fn freeze(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
        self.standing = Standing::Frozen;
        if let Some(state) = &mut self.state {
            state.let_go().await;
        }
    }

    /// Whether another process is about to answer.
    pub(in super::super) fn is_frozen(&self) -> bool {
        self.standing == Standing::Frozen
    }

    /// Tells who asks, and asked too late, that it stops.
    pub(in super::super) fn refuse_requests(&mut self) {
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
    }

    /// Goes on as before it was frozen.
    pub(in super::super) fn thaw(&mut self) {
        self.standing = Standing::Serving;
        self.keep_soon();
    }

    /// Is the one who serves from now on: what was forced at the other while this one warmed up is forced here, no
    /// serial is behind one that it gave, what caches hold of it is remembered, and the state is this one's to keep.
    /// Verdicts that turned there meanwhile this one's own probes find out.
    pub(in super::super) fn take_over(&mut self, mut last: Recalled) {
        let overrides = last.take_overrides();
        if overrides != self.kept_overrides() {
            self.restore_overrides(overrides);
            let next = self.snapshots.load().with_live(|served| {
                let forced = self.overrides.forced(served.zone.apex(), &served.steering.pools);
                let live = Live::compile(&served.steering.pools, &self.board, &forced, Some(&served.live));
                Some(Arc::new(live))
            });
            self.publish(next, None);
            self.watch_what_is_out();
        }
        let earlier = last.take_earlier();
        self.earlier = Earlier::from_kept(earlier, |time| status::moment(self.clock, time));
        let (snapshot, now) = (self.snapshots.load_full(), self.clock.now());
        self.remember_ttls(last.take_ttls(), &snapshot, now);
        // It may have read files while this one did.
        if let Some(shelf) = self.holdings.shelf.caught_up(last.take_serials()) {
            self.holdings = Arc::new(Holdings { shelf, zones: self.holdings.zones.clone() });
            self.reload("the process before had given greater serials", Scope::Zones);
        }
        self.standing = Standing::Serving;
        self.keep_soon();
    }
}
