//! Which answer a client gets now: the snapshot, the verdicts and the places as they are, put before [`crate::explain`].

use super::Keeper;
use crate::admin::api::{ExplainQuery, Explanation};
use crate::admin::{Picture, Refusal};
use crate::explain::{self, Question, Scene};

impl Keeper {
    /// What `query` asks for, to be found out on a thread that may take its time.
    pub(super) fn explaining(&self, query: ExplainQuery) -> Picture<Result<Explanation, Refusal>> {
        let (snapshot, board) = (self.snapshots.load_full(), self.board.clone());
        let (atlas, now) = (self.atlas.clone(), self.clock.now());
        let ledger = self.prober.ledger();
        Picture::new(move || {
            let place = |client: crate::policy::Client| atlas.places().lookup(client.address()).0;
            let reports = ledger.reports();
            let probe = |wanted| {
                let report = reports.iter().find(|report| report.probe == wanted);
                report.map(|report| report.target.to_string())
            };
            let scene = Scene { snapshot: &snapshot, board: &board, place: &place, probe: &probe, now };
            explain::explain(&question(query)?, &scene).map_err(Refusal::Invalid)
        })
    }
}

/// What is asked, in our own words.
fn question(query: ExplainQuery) -> Result<Question, Refusal> {
    let ExplainQuery { name, rtype, client, resolver } = query;
    let malformed = |key: &str, fault: String| Refusal::Malformed(format!("`{key}`: {fault}"));
    let rtype = rtype.as_deref().unwrap_or("A");
    Ok(Question {
        name: explain::name(&name).map_err(|fault| malformed("name", fault))?,
        rtype: explain::rtype(rtype).map_err(|fault| malformed("type", fault))?,
        client,
        resolver,
    })
}
