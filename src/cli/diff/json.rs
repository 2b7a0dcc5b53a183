//! What changes, for programs.

use serde_json::{Value, json};

use super::records;
use crate::policy::Family;
use crate::preview::text::{given_text, rtype};
use crate::preview::{Move, Moved, Moves, Record, Setting, Share, Subject, Weight};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

pub(super) fn text(moves: &Moves) -> String {
    let value = json!({
        "changed": !moves.is_none(),
        "zones": { "added": names(&moves.zones_added), "removed": names(&moves.zones_removed) },
        "names": {
            "compared": moves.names,
            "added": names(&moves.names_added),
            "removed": names(&moves.names_removed),
        },
        "moves": moves.moved.iter().map(moved).collect::<Vec<_>>(),
        "settings": moves.settings.iter().map(setting).collect::<Vec<_>>(),
        "records": moves.records.iter().map(|change| json!({
            "owner": change.owner.to_string(),
            "type": change.rtype.to_string(),
            "old": change.old.as_ref().map(|set| record(change.rtype, set)),
            "new": change.new.as_ref().map(|set| record(change.rtype, set)),
        })).collect::<Vec<_>>(),
        "queries": moves.queries.map(|asked| json!({
            "all": asked.all,
            "balanced": asked.balanced,
            "moved": asked.moved,
        })),
    });
    format!("{value:#}\n")
}

fn names(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}

fn moved(moved: &Moved) -> Value {
    let rows = moved.change.moves.iter().enumerate().map(|(at, row)| {
        json!({
            "places": row.places,
            "clients": match row.weight {
                Weight::Part(part) => Some(part),
                Weight::Unknown | Weight::OnlyIpv6 => None,
            },
            "only_ipv6": row.weight == Weight::OnlyIpv6,
            "moved": row.part,
            "queries": moved.asked.get(at),
            "old": shares(row, Side::Old),
            "new": shares(row, Side::New),
        })
    });
    json!({ "names": names(&moved.names), "rows": rows.collect::<Vec<_>>() })
}

enum Side {
    Old,
    New,
}

fn shares(row: &Move, side: Side) -> Value {
    let of = match side {
        Side::Old => &row.old,
        Side::New => &row.new,
    };
    let share = |share: &Share| {
        json!({
            "pool": (!share.pool.is_empty()).then_some(&*share.pool),
            "endpoint": (!share.endpoint.is_empty()).then_some(&*share.endpoint),
            "gives": given_text(&share.given),
            "share": f64::from(share.ppm) / 1e6,
        })
    };
    let families = Family::BOTH.map(|family| {
        let shares: Vec<Value> = of[family as usize].iter().map(share).collect();
        (rtype(family).to_owned(), Value::from(shares))
    });
    Value::Object(families.into_iter().collect())
}

fn setting(setting: &Setting) -> Value {
    let (name, pool) = match &setting.of {
        Subject::Name(name) => (Some(name.to_string()), None),
        Subject::Pool(pool) => (None, Some(&**pool)),
    };
    json!({
        "zone": setting.zone.to_string(),
        "name": name,
        "pool": pool,
        "what": setting.what,
        "old": setting.old,
        "new": setting.new,
    })
}

fn record(rtype: Rtype, set: &Record) -> Value {
    let data: Vec<String> = set.rdata.iter().map(|rdata| records::text(rtype, rdata)).collect();
    json!({ "ttl": set.ttl, "data": data })
}
