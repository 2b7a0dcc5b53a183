//! gdnsd: its configuration folder (`config`, `zones/`, `geoip/`), with the names that plugins answer.
//!
//! | gdnsd | here |
//! |---|---|
//! | `multifo` | `round-robin`, all living addresses |
//! | `simplefo` | `failover` |
//! | `weighted`, with groups | `weighted`, pools in it |
//! | `metafo` | `failover` over pools |
//! | `geoip` | `geo` over pools, `nearest` for city-auto-mode |
//! | `static` | a pool of one |
//! | `up_thresh` | `min-alive`, and `serve-all` where the name has nothing else |
//! | `http_status`, `tcp_connect`, `extmon` | monitors `http`, `tcp`, `exec` |
//! | `DYNA`, `DYNC` with `MAX/MIN` | a name with `ttl = { min, max }` |
//!
//! Zone files may `$INCLUDE` what lies in the folder too. What of the configuration no name leads to is listed.
//!
//! Source: `gdnsd.config(5)` and `gdnsd.zonefile(5)` of gdnsd 3.8.

mod plugins;
mod geoip;
mod made;
mod service_types;
mod used;
mod vscf;
mod zone_text;

use std::path::{Path, PathBuf};

use self::plugins::Resources;
use self::used::Used;
use self::vscf::{Node, Table};
use self::zone_text::{Dynamic, STAND_IN, TakenOut};
use super::draft::{Kept, Steered};
use super::{Draft, Fate, Faults, Imported};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::wire::name::Name;
use crate::zone::master::{self, Dialect};

/// Seconds of a record whose file says nothing (`zones_default_ttl`).
const DEFAULT_TTL: u32 = 86_400;

/// Options that have a place elsewhere.
const OPTIONS: &[(&str, &str)] = &[
    ("listen", "goes into listen of bellwether.toml"),
    ("dns_port", "goes into listen of bellwether.toml"),
    ("udp_threads", "is workers of bellwether.toml"),
    ("nsid", "is [dns] nsid of bellwether.toml"),
    ("nsid_ascii", "is [dns] nsid of bellwether.toml"),
    ("chaos_response", "is [dns] version of bellwether.toml"),
    ("http_listen", "the admin API ([admin]) has status and metrics"),
    ("edns_client_subnet", "is ecs = false at the top of a policy file"),
    ("min_ttl", "TTLs are served as they stand"),
    ("max_ttl", "TTLs are served as they stand"),
    ("acme_challenge_ttl", "there are no ACME challenges; TXT records take a reload"),
];

/// Reads a configuration folder.
///
/// # Errors
/// Every fault of the zone files, or the first of the configuration.
pub fn read(folder: &Path) -> Result<Imported, Faults> {
    let mut imported = Imported::default();
    let file = folder.join("config");
    // "You can simply not have a config file at all."
    let config = match file.exists() {
        true => vscf::read(&file).map_err(|fault| vec![*fault])?,
        false => Node { value: vscf::Value::Table(Table::new()), at: String::new() },
    };
    let mut faults = Faults::new();
    for (key, node) in config.get("options").and_then(Node::table).into_iter().flatten() {
        if let Some((_, where_to)) = OPTIONS.iter().find(|(known, _)| known == key) {
            imported.note(Fate::ToDo, &node.at, format!("{key}: {where_to}"));
        }
    }
    let Ok(default_ttl) = default_ttl(&config) else {
        let wrong = "zones_default_ttl must be a number of seconds";
        return Err(vec![Diagnostic::error(Place::of_file(&file), wrong)]);
    };
    let zones = folder.join("zones");
    let files = match zone_files(&zones) {
        Ok(files) => files,
        Err(error) => {
            return Err(vec![Diagnostic::error(Place::of_file(&zones), format!("cannot be read: {error}"))]);
        }
    };
    let mut source = Source { config: &config, default_ttl, folder, used: Used::default() };
    for file in files {
        match source.read_zone(&file, &mut imported) {
            Ok(draft) => imported.zones.push(draft),
            Err(found) => faults.extend(found),
        }
    }
    source.used.note_the_rest(&config, &mut imported);
    if faults.is_empty() { Ok(imported) } else { Err(faults) }
}

/// The zone files, in the order of their names; a leading dot hides one.
fn zone_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn default_ttl(config: &Node) -> Result<u32, std::num::ParseIntError> {
    let stated = config.get("options").and_then(|options| options.get("zones_default_ttl"));
    stated.map_or(Ok(DEFAULT_TTL), |node| node.text().unwrap_or_default().parse())
}

/// What all zones come from.
struct Source<'s> {
    config: &'s Node,
    default_ttl: u32,
    folder: &'s Path,
    used: Used,
}

impl Source<'_> {
    fn read_zone(&mut self, file: &Path, imported: &mut Imported) -> Result<Draft, Faults> {
        let fault = |message: String| vec![Diagnostic::error(Place::of_file(file), message)];
        // A slash, of reverse zones below /24, is an @ in the file's name.
        let name = file.file_name().map(|name| name.to_string_lossy().replace('@', "/")).unwrap_or_default();
        let apex = Name::from_host(&name).map_err(|error| fault(format!("its name is no zone's: {error}")))?;
        let mut taken = TakenOut::default();
        let mut draft = Draft::new(apex.to_lowercase());
        let mut found: Vec<(Name, u32, usize)> = Vec::new();
        let mut rewrite = |file: &Path, text: &str| taken.rewrite(file, text);
        let dialect = Dialect { rewrite: &mut rewrite, ttl: self.default_ttl };
        let outcome = master::read_dialect(file, self.included_from(file), &apex, dialect, &mut |record| {
            let Ok(owner) = Name::from_wire(record.owner) else { return };
            match <[u8; 4]>::try_from(record.rdata) {
                Ok(number) if record.rtype == STAND_IN => {
                    found.push((owner, record.ttl, u32::from_be_bytes(number) as usize));
                }
                _ => draft.keep(Kept { owner, ttl: record.ttl, rtype: record.rtype, rdata: record.rdata.to_vec() }),
            }
        });
        for (at, directive) in taken.directives {
            let what = format!("{directive}: how many answers there are says `answers` of a name");
            imported.note(Fate::Lost, at, what);
        }
        let mut faults = outcome.diagnostics;
        faults.retain(|fault| fault.severity == Severity::Error);
        if !faults.is_empty() {
            return Err(faults);
        }
        let places = self.folder.join("geoip");
        let ignores_all =
            self.config.get("options").and_then(|options| options.get("edns_client_subnet")).and_then(Node::text);
        let mut steered = Vec::new();
        let mut resources = Resources::new(self.config, &places, &mut draft, imported, &mut self.used);
        for (owner, ttl, number) in found {
            let Some(dynamic) = taken.dynamics.get(number) else { continue };
            let Some(made) = resources.pool(&dynamic.target, 0) else {
                resources.imported.note(Fate::Lost, &dynamic.at, format!("{owner} DYNA {}", dynamic.target));
                continue;
            };
            let mut settings = Vec::new();
            let pool = resources.draft.pool(&made.pool);
            let default = pool.filter(|pool| pool.policy == "round-robin").map_or(1, |_| made.answers.min(8));
            if made.answers != default && !pool.is_some_and(|pool| pool.has_alias()) {
                settings.push(("answers", made.answers.to_string()));
            }
            if made.ignores_ecs || ignores_all == Some("false") {
                settings.push(("ecs", "false".to_owned()));
            }
            steered.push((owner, Steered { pool: made.pool, ttl: range(dynamic, ttl), settings }));
        }
        for (owner, steered) in steered {
            draft.steer(owner.to_lowercase(), steered);
        }
        Ok(draft)
    }

    /// Where files must lie that `file` includes: in the configuration folder, or beside it where a link to elsewhere
    /// has led to it.
    fn included_from<'f>(&'f self, file: &'f Path) -> &'f Path {
        let beside = file.parent().unwrap_or(self.folder);
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let is_within = real(beside).zip(real(self.folder)).is_some_and(|(beside, all)| beside.starts_with(all));
        if is_within { self.folder } else { beside }
    }
}

/// The least is half of the greatest where it is not given.
fn range(dynamic: &Dynamic, max: u32) -> (u32, u32) {
    (dynamic.ttl_min.unwrap_or(max / 2).clamp(1, max.max(1)), max.max(1))
}
