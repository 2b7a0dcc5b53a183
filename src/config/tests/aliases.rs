//! Endpoints that are aliases: what they mean, and where they may not stand.

use super::{check_faults as check, check_warnings, name, sound};
use crate::policy::{AliasId, Answers, Given, MinAlive};
use crate::zone::Beside;

/// Pools of each kind, a line each from the second on, and then `rest` from line 8.
fn pools(rest: &str) -> String {
    let head = "monitors.m.tcp.port = 80\n\
        [pools]\n\
        one = { policy = 'failover', endpoints = [{ cname = 'www.cdn.example.net' }] }\n\
        two = { policy = 'round-robin', endpoints = [{ name = 'x', cname = 'X.example.net.' }, { cname = 'y.example.net' }] }\n\
        host = { policy = 'failover', monitor = 'm', endpoints = ['192.0.2.1'] }\n\
        mixed = { policy = 'failover', monitor = 'm', endpoints = ['192.0.2.1', { cname = 'www.example.com' }] }\n\
        deep = { policy = 'failover', members = ['host', 'mixed'] }\n";
    format!("{head}{rest}")
}

#[test]
fn aliases_are_read() {
    let policies = sound(&pools(
        "[names]\none = 'one'\ntwo = 'two'\nhost = 'host'\ndeep = 'deep'\nlone = { pool = 'two', answers = 1 }\n",
    ))
    .0;
    let targets = ["www.cdn.example.net", "x.example.net", "y.example.net", "www.example.com"].map(name);
    assert_eq!(*policies.aliases, targets);
    let endpoints: Vec<_> = policies
        .pools
        .endpoints
        .iter()
        .map(|endpoint| (&*endpoint.name, endpoint.given, !endpoint.judged.probes.is_empty()))
        .collect();
    let alias = |name, number| (name, Given::Alias(AliasId(number)), false);
    let address = ("192.0.2.1", Given::Address("192.0.2.1".parse().expect("an address")), true);
    assert_eq!(
        endpoints,
        [
            alias("www.cdn.example.net", 0),
            alias("x", 1),
            alias("y.example.net", 2),
            address,
            address,
            alias("www.example.com", 3)
        ]
    );
    let names: Vec<_> = policies.names.iter().map(|name| (name.answers, name.beside)).collect();
    let alone = (Answers::Best(1), Beside::Nothing);
    assert_eq!(names, [alone, alone, (Answers::Best(1), Beside::OtherTypes), alone, alone]);
    // What no monitor can judge has no part in a promise.
    assert_eq!(
        policies.names.iter().map(|name| name.plan.monitored).collect::<Vec<_>>(),
        [false, false, true, true, false]
    );
}

#[test]
fn an_alias_is_a_host_name() {
    let check = |endpoint: &str, expected: &[&str]| {
        check(&format!("[pools.a]\npolicy = 'failover'\nendpoints = [\n{endpoint}\n]\n"), expected);
    };
    check("{ cname = 'a..b' }", &["4:11 `cname`: a name cannot have an empty"]);
    check("{ cname = '.' }", &["4:11 `cname` must be a domain name such as \"www.cdn.example.net\", found \".\""]);
    check("{ cname = '@' }", &["4:11 `cname` must be a domain name"]);
    check("{ cname = 7 }", &["4:11 `cname` must be a string such as \"www.cdn.example.net\", found the integer 7"]);
    check("{ cnmae = 'www.example.net' }", &["4:3 unknown key `cnmae` in an endpoint / did you mean `cname`?"]);
    check(
        "{ address = '192.0.2.1', cname = 'www.example.net' }",
        &["4:26 an endpoint has either an `address` or a `cname` / make them two endpoints @ 4:3"],
    );
    check(
        "{ cname = 'www.example.net' }, { name = 'b', cname = 'WWW.example.net.' }",
        &["4:32 the alias to www.example.net. stands twice @ 4:1"],
    );
    check(
        "{ name = 'a', cname = 'www.example.net' }, { name = 'a', cname = 'ftp.example.net' }",
        &["4:44 the endpoint `a` stands twice @ 4:1"],
    );
}

#[test]
fn no_split_holds_aliases_and_addresses() {
    let mixed = "endpoints = ['192.0.2.1', { cname = 'www.example.net' }]";
    for policy in ["round-robin", "random", "weighted", "least-load", "hash"] {
        let refused = "3:27 pool `a` shares clients out among aliases and addresses / policy = \"failover\" @ 3:14";
        check(&format!("[pools.a]\npolicy = '{policy}'\n{mixed}\n"), &[refused]);
        let only = "endpoints = [{ cname = 'ftp.example.net' }, { cname = 'www.example.net' }]";
        sound(&format!("[pools.a]\npolicy = '{policy}'\n{only}\n[names]\nwww = 'a'\n"));
    }
    sound(&format!("[pools.a]\npolicy = 'failover'\n{mixed}\n[names]\nwww = 'a'\n"));
    sound(&format!("[pools.a]\npolicy = 'geo'\notherwise = 'failover'\n{mixed}\n[names]\nwww = 'a'\n"));
    let place = "place = { latitude = 0, longitude = 0 }";
    sound(&format!("[pools.a]\npolicy = 'nearest'\n{place}\n{mixed}\n[names]\nwww = 'a'\n"));
    // Through pools in pools, each told of once.
    check(
        &pools("split = { policy = 'weighted', members = ['host', 'one'] }\n"),
        &["8:51 pool `split` shares clients out among aliases and addresses / policy = \"failover\" @ 8:43"],
    );
    check(
        &pools(
            "split = { policy = 'hash', members = ['deep'] }\n\
                out = { policy = 'random', members = ['split', 'host'] }\n\
                over = { policy = 'random', members = ['split', 'one'] }\n",
        ),
        &["8:39 pool `split` shares clients out among aliases and addresses / policy = \"failover\" @ 8:39"],
    );
    sound(&pools(
        "far = { policy = 'random', members = ['one', 'two'] }\nfirst = { policy = 'failover', members = ['far', 'host'] }\n",
    ));
}

#[test]
fn names_that_may_be_aliases_are_checked() {
    let check = |names: &str, expected: &[&str]| check(&pools(&format!("[names]\n{names}")), expected);
    let apex = "9:1 example.com. is the top of the zone and cannot be an alias / give it addresses";
    check("'@' = 'one'\n", &[&format!("{apex} @ 3:43")]);
    check("'example.com.' = { pool = 'deep' }\n", &[&format!("{apex} @ 7:50")]);
    check(
        "www = { pool = 'one', answers = 2 }\n",
        &["9:33 www.example.com. may be an alias, and then there is one answer / write answers = 1 @ 3:43"],
    );
    check(
        "www = { pool = 'two', answers = 'all' }\n",
        &["9:33 www.example.com. may be an alias, and then there is one answer / write answers = 1 @ 4:46"],
    );
    check(
        "ftp = { pool = 'two', answers = 2, spread = true }\n",
        &["9:33 ftp.example.com. may be an alias, and then there is one answer / write answers = 1 @ 4:46"],
    );
    check("WWW = 'mixed'\n", &["6:73 an alias of www.example.com. to itself / name the host @ 9:1"]);
    check("www = { pool = 'deep' }\n", &["6:73 an alias of www.example.com. to itself / name the host @ 9:1"]);
    sound(&pools("[names]\nftp = 'deep'\nwww = 'host'\nall = { pool = 'host', answers = 'all' }\n"));
}

#[test]
fn that_nothing_watches_an_alias_is_told() {
    let blind = "nothing watches www.example.net.: an alias always counts as alive / its clients are led nowhere else";
    check_warnings(
        "[pools.a]\npolicy = 'failover'\nendpoints = [{ cname = 'www.example.net' }]\n[names]\nwww = 'a'\n",
        &[&format!("3:24 {blind}")],
    );
    check_warnings(
        "monitors.m.tcp.port = 1\n[pools.a]\npolicy = 'failover'\nmonitor = 'm'\n\
         endpoints = ['192.0.2.1', { cname = 'www.example.net' }]\n[names]\nwww = 'a'\n",
        &[&format!("5:37 {blind}")],
    );
}

#[test]
fn pools_may_live_by_weight() {
    let pool = |policy: &str, min_alive: &str| {
        format!(
            "monitors.m.tcp.port = 1\n[pools.a]\npolicy = '{policy}'\nmonitor = 'm'\n\
             endpoints = [{{ address = '192.0.2.1', weight = 3 }}, '192.0.2.2']\nmin-alive = '{min_alive}'\n\
             [names]\nwww = 'a'\n"
        )
    };
    for (text, percent) in [("50% of weight", 50), ("1% of weight", 1), ("100% of weight", 100), ("75%  of weight", 75)]
    {
        let policies = sound(&pool("weighted", text)).0;
        assert_eq!(policies.pools.pools[0].min_alive, MinAlive::PercentOfWeight(percent), "{text}");
    }
    // Weights mean something then, whatever the policy.
    check_warnings(&pool("failover", "50% of weight"), &[]);
    check_warnings(&pool("failover", "50%"), &["5:39 `weight` has no effect / leave the weight out"]);
    for wrong in
        ["0% of weight", "101% of weight", "half of weight", "50 of weight", "of weight", "50% of wieght", "50% of"]
    {
        let help = "\"50% of weight\" for half of what they weigh";
        check(&pool("weighted", wrong), &[&format!("6:13 `min-alive` must be a count or a share / {help}")]);
    }
}
