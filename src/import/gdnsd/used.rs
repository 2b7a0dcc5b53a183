//! What names lead to, and the rest of a configuration, which is not carried over: that is said, thing by thing.

use std::collections::HashSet;

use super::super::{Fate, Imported};
use super::made::SPECIAL;
use super::vscf::{Node, Table, get};

/// What was looked up for any zone, whatever came of it.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// By plugin and name.
    resources: HashSet<(String, String)>,
    maps: HashSet<(String, String)>,
    service_types: HashSet<String>,
}

/// Plugins whose stanza is of resources, each under its name.
const PLAIN: [&str; 4] = ["multifo", "simplefo", "weighted", "static"];

/// Plugins whose resources stand in a stanza of their own.
const META: [&str; 2] = ["metafo", "geoip"];

impl Used {
    pub(super) fn resource(&mut self, plugin: &str, name: &str) {
        self.resources.insert((plugin.to_owned(), name.to_owned()));
    }

    pub(super) fn map(&mut self, plugin: &str, name: &str) {
        self.maps.insert((plugin.to_owned(), name.to_owned()));
    }

    pub(super) fn service_type(&mut self, name: &str) {
        self.service_types.insert(name.to_owned());
    }

    /// Notes what of `config` nothing led to.
    pub(super) fn note_the_rest(&self, config: &Node, imported: &mut Imported) {
        let none = Table::new();
        for (plugin, node) in config.stanza("plugins") {
            let table = node.table().unwrap_or(&none);
            let resources = match plugin.as_str() {
                plain if PLAIN.contains(&plain) => table,
                meta if META.contains(&meta) => get(table, "resources").and_then(Node::table).unwrap_or(&none),
                _ => {
                    // One that only judges has options in its stanza, if anything.
                    let judges = |(name, node): &(String, Node)| {
                        self.service_types.contains(name) && node.get("plugin").and_then(Node::text) == Some(plugin)
                    };
                    let is_used = self.resources.iter().any(|(used, _)| used == plugin)
                        || config.stanza("service_types").iter().any(judges);
                    if !is_used {
                        imported.note(Fate::Lost, &node.at, format!("plugin {plugin}: no name leads to it"));
                    }
                    continue;
                }
            };
            for (name, node) in resources.iter().filter(|(name, _)| !SPECIAL.contains(&name.as_str())) {
                if !self.resources.contains(&(plugin.clone(), name.clone())) {
                    imported.note(Fate::Lost, &node.at, format!("{plugin}!{name}: no name leads to it"));
                }
            }
            for (name, node) in get(table, "maps").and_then(Node::table).unwrap_or(&none) {
                if META.contains(&plugin.as_str()) && !self.maps.contains(&(plugin.clone(), name.clone())) {
                    let what = format!("map {name} of {plugin}: nothing that a name leads to is chosen by it");
                    imported.note(Fate::Lost, &node.at, what);
                }
            }
        }
        for (name, node) in config.stanza("service_types") {
            if !self.service_types.contains(name) {
                let what = format!("service type {name}: nothing that a name leads to is judged by it");
                imported.note(Fate::Lost, &node.at, what);
            }
        }
    }
}
