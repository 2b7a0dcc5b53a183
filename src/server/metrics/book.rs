//! The sheets of all workers summed up, over reloads: what a worker has laid aside is taken into the book, once, and what
//! it writes now is added at each look. So no count ever goes back.

use std::sync::Arc;

use crate::answer::{Cells, Counters, Sheet, TTLS, Transport};
use crate::snapshot::Layout;

/// Everything that sheets hold, summed.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) layout: Arc<Layout>,
    /// By row of zones.
    pub(super) zones: Vec<Cells>,
    /// By transport, in the order of [`Transport::ALL`].
    pub(super) transports: [Cells; Transport::ALL.len()],
    /// By row of endpoints.
    pub(super) given: Vec<[[u64; 2]; 2]>,
    pub(super) ttls: Vec<u64>,
    /// By what the client subnet was worth.
    pub(super) subnets: Vec<(&'static str, u64)>,
}

impl Sums {
    fn new(layout: &Arc<Layout>) -> Self {
        Self {
            zones: vec![Cells::default(); layout.zone_rows()],
            transports: Default::default(),
            given: vec![[[0; 2]; 2]; layout.endpoints().len()],
            ttls: vec![0; TTLS],
            subnets: Vec::new(),
            layout: Arc::clone(layout),
        }
    }

    /// The same, laid out as `layout` has it; what has no row there is forgotten.
    fn laid_out(self, layout: &Arc<Layout>) -> Self {
        if Arc::ptr_eq(&self.layout, layout) {
            return self;
        }
        let mut moved = Self::new(layout);
        let (zones, endpoints) = self.layout.rows_in(layout);
        moved.place(zones.into_iter().zip(self.zones), endpoints.into_iter().zip(self.given));
        Self { transports: self.transports, ttls: self.ttls, subnets: self.subnets, ..moved }
    }

    fn place(
        &mut self,
        zones: impl Iterator<Item = (Option<usize>, Cells)>,
        given: impl Iterator<Item = (Option<usize>, [[u64; 2]; 2])>,
    ) {
        for (row, cells) in zones {
            if let Some(sum) = row.and_then(|row| self.zones.get_mut(row)) {
                sum.add(&cells);
            }
        }
        for (row, counts) in given {
            if let Some(sum) = row.and_then(|row| self.given.get_mut(row)) {
                sum.iter_mut().flatten().zip(counts.iter().flatten()).for_each(|(sum, more)| *sum += more);
            }
        }
    }

    fn add(&mut self, sheet: &Sheet) {
        let mut all = Cells::default();
        let zones: Vec<(usize, Cells)> = sheet.responses().inspect(|(_, cells)| all.add(cells)).collect();
        // After the rows: see there.
        for (transport, cells) in sheet.stream_responses() {
            self.transports[transport as usize].add(&cells);
            all = all.without(&cells);
        }
        self.transports[Transport::Udp as usize].add(&all);
        if Arc::ptr_eq(&self.layout, sheet.layout()) {
            self.place(zones.into_iter().map(|(row, cells)| (Some(row), cells)), (0..).map(Some).zip(sheet.given()));
        } else {
            let (rows, endpoints) = sheet.layout().rows_in(&self.layout);
            let zones = zones.into_iter().map(|(row, cells)| (rows.get(row).copied().flatten(), cells));
            self.place(zones, endpoints.into_iter().zip(sheet.given()));
        }
        self.ttls.iter_mut().zip(sheet.ttls()).for_each(|(sum, more)| *sum += more);
        if self.subnets.is_empty() {
            self.subnets = sheet.subnets().map(|(worth, _)| (worth, 0)).collect();
        }
        self.subnets.iter_mut().zip(sheet.subnets()).for_each(|((_, sum), (_, more))| *sum += more);
    }
}

/// What was counted on sheets that are laid aside.
#[derive(Debug, Default)]
pub(super) struct Book(Option<Sums>);

impl Book {
    /// All that the workers behind `counters` have counted, as `layout` has it. Costs some microseconds for each zone.
    pub(super) fn sum(&mut self, layout: &Arc<Layout>, counters: &[Arc<Counters>]) -> Sums {
        let sheets: Vec<Arc<Sheet>> = counters.iter().filter_map(|counters| counters.sheet()).collect();
        let mut now = self.take_in(layout, &sheets).clone();
        sheets.iter().for_each(|sheet| now.add(sheet));
        now
    }

    /// Takes in what the workers behind `counters` have laid aside, so that it does not pile up where nobody asks.
    pub(super) fn fold(&mut self, layout: &Arc<Layout>, counters: &[Arc<Counters>]) {
        let sheets: Vec<Arc<Sheet>> = counters.iter().filter_map(|counters| counters.sheet()).collect();
        self.take_in(layout, &sheets);
    }

    fn take_in(&mut self, layout: &Arc<Layout>, sheets: &[Arc<Sheet>]) -> &Sums {
        let mut past = self.0.take().map_or_else(|| Sums::new(layout), |past| past.laid_out(layout));
        for sheet in sheets {
            let mut before = sheet.take_before();
            while let Some(sheet) = before {
                past.add(&sheet);
                before = sheet.take_before();
            }
        }
        self.0.insert(past)
    }
}
