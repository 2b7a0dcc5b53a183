//! What was known before this process began to serve: from the file, or from the process that it takes over from.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::super::drain::Ttls;
use super::super::earlier::KeptTtl;
use super::super::overrides::Kept as Forced;
use super::file::{self, Kept, Key};
use crate::config::{KeptSerial, StateFile};
use crate::diagnostic::plural;
use crate::policy::{LastGood, Pools};
use crate::probe::{Restored, Target};
use crate::system::unix_ms_now;
use crate::wire::name::Name;

/// What was known before; taken up by the first zones that are served.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Recalled {
    kept: Option<Kept>,
    overrides: Vec<Forced>,
    earlier: Vec<KeptTtl>,
    ttls: BTreeMap<String, Ttls>,
    serials: Vec<KeptSerial>,
}

impl Recalled {
    /// Reads the file. One that is damaged, too old or not there is as none: the first two are logged.
    pub(in super::super) fn read(settings: &StateFile) -> Self {
        let shown = settings.file.display();
        let kept = match file::read(&settings.file) {
            Ok(Some(kept)) => {
                let age = Duration::from_millis(unix_ms_now().abs_diff(kept.written));
                if age <= settings.max_age {
                    tracing::info!("{shown}: taken up {}, of {age:?} ago", plural(kept.probes.len(), "verdict"));
                    Some(kept)
                } else {
                    tracing::info!("{shown} was written {age:?} ago: everything is probed afresh");
                    // What was forced stays forced, however long ago; secondaries have the serials that they have; and
                    // what caches have forgotten says so itself.
                    Some(Kept { probes: HashMap::new(), last_good: Vec::new(), ..kept })
                }
            }
            Ok(None) => None,
            Err(fault) => {
                tracing::error!("{shown} is of no use: {fault}; everything is probed afresh");
                None
            }
        };
        Self::of(kept)
    }

    /// What another process said of itself a moment ago.
    ///
    /// # Errors
    /// It is damaged, or of another version.
    pub(in super::super) fn told(octets: &[u8]) -> Result<Self, String> {
        let kept = file::parse(octets).map_err(|fault| fault.to_string())?;
        Ok(Self::of(Some(kept)))
    }

    fn of(kept: Option<Kept>) -> Self {
        let Some(mut kept) = kept else { return Self::default() };
        let (overrides, earlier) = (std::mem::take(&mut kept.overrides), std::mem::take(&mut kept.earlier));
        let (ttls, serials) = (std::mem::take(&mut kept.ttls), std::mem::take(&mut kept.serials));
        Self { kept: Some(kept), overrides, earlier, ttls, serials }
    }

    /// Verdicts that can be taken up.
    pub(in super::super) fn verdicts(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.probes.len())
    }

    /// What operators had forced.
    pub(in super::super) fn take_overrides(&mut self) -> Vec<Forced> {
        std::mem::take(&mut self.overrides)
    }

    /// How long caches hold what had longer TTLs.
    pub(in super::super) fn take_earlier(&mut self) -> Vec<KeptTtl> {
        std::mem::take(&mut self.earlier)
    }

    /// The greatest TTLs that were given, by zone.
    pub(in super::super) fn take_ttls(&mut self) -> BTreeMap<String, Ttls> {
        std::mem::take(&mut self.ttls)
    }

    /// The serials of zones that move by themselves.
    pub(in super::super) fn take_serials(&mut self) -> Vec<KeptSerial> {
        std::mem::take(&mut self.serials)
    }

    /// What was thought of `target`.
    pub(in super::super) fn verdict(&self, target: &Target) -> Option<Restored> {
        self.kept.as_ref()?.probes.get(&Key::of(target)).copied()
    }

    /// What pools of a zone were when they last lived, if they were dead.
    pub(in super::super) fn last_good(&self, zone: &Name, pools: &Pools) -> Vec<LastGood> {
        let kept = self.kept.as_ref().map(|kept| &*kept.last_good).unwrap_or_default();
        let zone = zone.to_string();
        let known = |last: &LastGood| pools.pools.iter().any(|pool| pool.name == last.pool);
        kept.iter().filter(|(of, last)| *of == zone && known(last)).map(|(_, last)| last.clone()).collect()
    }

    /// It is in use, or is not wanted.
    pub(in super::super) fn taken_up(&mut self) {
        self.kept = None;
    }
}
