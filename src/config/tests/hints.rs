//! `hints = "pool"`: what must be there for it, in the policy file and in the master file.

use super::folders::{UNMONITORED, check, master};

fn pool(endpoint: &str, hints: &str) -> String {
    format!(
        "[pools.p]\npolicy = 'failover'\nendpoints = [{endpoint}]\n[names]\nwww = {{ pool = 'p', hints = {hints} }}\n"
    )
}

#[test]
fn hints_need_a_record_that_leads_to_the_name() {
    let policy = pool("'192.0.2.1'", "'pool'");
    let check = |records: &str, expected: &[&str]| {
        let files = [("example.com.zone", &*master(records)), ("example.com.toml", &policy)];
        check(&files, expected);
    };
    let sound = format!("example.com.toml 1:8 {UNMONITORED}");
    check("www HTTPS 1 . alpn=h2\n", &[&sound]);
    check("_dns.x SVCB 1 www\n", &[&sound]);
    check("www HTTPS 1 . mandatory=alpn alpn=h2 ipv4hint=192.0.2.9\n", &[&sound]);
    // Hints of other names may be what they like.
    check("www HTTPS 1 .\nwww HTTPS 2 x.example.net. mandatory=ipv4hint ipv4hint=192.0.2.9\n", &[&sound]);
    let idle = "example.com.toml 5:1 www.example.com. has `hints`, and no HTTPS or SVCB record of the zone leads to it \
                / www.example.com. HTTPS 1 . alpn=h2";
    check("", &[idle]);
    check("@ HTTPS 0 www\nwww HTTPS 1 other.example.net.\n", &[idle]);
    check(
        "www HTTPS 1 . mandatory=ipv6hint ipv6hint=2001:db8::9\n",
        &["example.com.zone 4:1 this HTTPS record of www.example.com. makes address hints mandatory \
           / take ipv4hint and ipv6hint out @ 5:1"],
    );
}

#[test]
fn hints_are_a_pools_addresses() {
    let check = |policy: &str, expected: &str| {
        let files = [("example.com.zone", &*master("svc HTTPS 1 www\n")), ("example.com.toml", policy)];
        assert!(check(&files, &[expected]).is_none());
    };
    check(&pool("'192.0.2.1'", "'zone'"), "example.com.toml 5:29 `hints` knows no \"zone\" / write hints = \"pool\"");
    check(&pool("'192.0.2.1'", "true"), "example.com.toml 5:29 ");
    check(
        &pool("{ name = 'cdn', cname = 'x.example.net' }", "'pool'"),
        "example.com.toml 5:21 may be an alias, which has no addresses / at the name that the alias stands for",
    );
}
