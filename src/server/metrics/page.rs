//! A page of metrics in the making: families one after another, each with its help and its samples.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Labels and what they say.
pub(super) type Labels<'l, const N: usize> = [(&'static str, &'l str); N];

/// What a family is called, without what its unit and its type add, and what it means.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) unit: Option<Unit>,
    pub(super) help: &'static str,
}

impl Family {
    /// In no unit.
    pub(super) const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, unit: None, help }
    }

    /// In seconds.
    pub(super) const fn seconds(name: &'static str, help: &'static str) -> Self {
        Self { name, unit: Some(Unit::Seconds), help }
    }

    /// In octets, which are called bytes here.
    pub(super) const fn octets(name: &'static str, help: &'static str) -> Self {
        Self { name, unit: Some(Unit::Bytes), help }
    }
}

/// The page. Empty brackets are left out where there are no labels.
pub(super) struct Page<'p>(pub(super) DescriptorEncoder<'p>);

impl Page<'_> {
    /// Counts, which `_total` is put behind the names of.
    pub(super) fn counters<'l, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.family(family, MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, count)| {
            if N == 0 {
                return metric.encode_counter::<NoLabelSet, u64, f64>(&count, None);
            }
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&count, None)
        })
    }

    /// What goes up and down.
    pub(super) fn gauges<'l, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        let mut metric = self.family(family, MetricType::Gauge)?;
        samples.into_iter().try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }

    /// One of those, without labels.
    pub(super) fn gauge(&mut self, family: &Family, value: f64) -> fmt::Result {
        self.family(family, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Histograms: the sum, and how many fell into the class up to each bound, infinity the last of them.
    pub(super) fn histograms<'l, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64, Vec<(f64, u64)>)>,
    ) -> fmt::Result {
        let mut metric = self.family(family, MetricType::Histogram)?;
        samples.into_iter().try_for_each(|(labels, sum, classes)| {
            let count = classes.iter().map(|(_, count)| count).sum();
            if N == 0 {
                return metric.encode_histogram::<NoLabelSet>(sum, count, &classes, None);
            }
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &classes, None)
        })
    }

    /// What is always 1 and says something by its labels.
    pub(super) fn info<const N: usize>(&mut self, family: &Family, labels: Labels<'_, N>) -> fmt::Result {
        self.family(family, MetricType::Info)?.encode_info(&labels)
    }

    /// A count, without labels, of seconds say.
    pub(super) fn counter(&mut self, family: &Family, value: f64) -> fmt::Result {
        self.family(family, MetricType::Counter)?.encode_counter::<NoLabelSet, f64, f64>(&value, None)
    }

    fn family<'s>(&'s mut self, family: &'s Family, kind: MetricType) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)
    }
}
