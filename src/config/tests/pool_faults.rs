//! Every rule of `[pools]` and of `[names]`, from the side of the file that breaks it.

use super::check_faults as check;

/// A sound pool, six lines with its monitor, for names to stand on.
macro_rules! on_a_pool {
    ($names:literal) => {
        concat!(
            "[monitors]\nm = { tcp = { port = 80 }, interval = \"5s\", fast = \"1s\", timeout = \"2s\" }\n",
            "[pools.web]\npolicy = \"round-robin\"\nmonitor = \"m\"\nendpoints = [\"192.0.2.1\"]\n",
            $names
        )
    };
}

#[test]
fn pools_are_checked() {
    check("[pools]\na = \"round-robin\"\n", &["2:5 `a` must be a table such as { policy ="]);
    check(
        "[pools.a]\n",
        &[
            "1:8 pool `a` has no `policy` / add policy = \"round-robin\"",
            "1:8 pool `a` has no members / give it endpoints = [\"192.0.2.10\"]",
        ],
    );
    check(
        "[pools.a]\npolicy = \"round-robin\"\nendpoints = []\n",
        &["1:8 pool `a` has no members / give it endpoints = [\"192.0.2.10\"]"],
    );
    check(
        "[pools.a]\npolicy = \"latency\"\ntolerance = \"2s\"\nendpoints = [\"192.0.2.1\"]\n",
        &["3:13 `tolerance` must be 0s to 1s, found 2s"],
    );
    check(
        "[pools.a]\npolicy = \"wieghted\"\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 unknown policy \"wieghted\" / did you mean `weighted`?"],
    );
    check(
        "[pools.a]\npolicy = \"fastest\"\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 unknown policy \"fastest\" / known policies: round-robin,"],
    );
    check(
        "[pools.a]\npolicy = 3\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 `policy` must be a string such as \"round-robin\","],
    );
    check(
        "[monitors.web]\n\
         http = {}\n\
         [pools.a]\n\
         policy = \"failover\"\n\
         monitor = \"wbe\"\n\
         endpoints = [\"192.0.2.1\"]\n",
        &["5:11 there is no monitor `wbe` / did you mean `web`?"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         monitor = \"web\"\n\
         endpoints = [\"192.0.2.1\"]\n",
        &["3:11 there is no monitor `web` / the monitors of this file: none"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         monitor = 1\n\
         endpoints = \"192.0.2.1\"\n",
        &[
            "3:11 `monitor` must be a string such as \"web\", found the",
            "4:13 `endpoints` must be an array such as [\"192.0.2.10\",",
        ],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.10:80\",\n\
         \"www.example.com\",\n\
         \"0.0.0.0\",\n\
         \"::\",\n\
         \"224.0.0.1\",\n\
         \"ff02::1\",\n\
         \"255.255.255.255\",\n\
         \"::ffff:192.0.2.1\", 7, \"192.0.2.0/24\"]\n",
        &[
            "3:14 \"192.0.2.10:80\" is not an IP address / leave the port out: what is probed",
            "4:1 \"www.example.com\" is not an IP address / write an IPv4 or IPv6 address such",
            "5:1 0.0.0.0 is the unspecified address, which no client",
            "6:1 :: is the unspecified address, which no client can",
            "7:1 224.0.0.1 is a multicast address, which no single",
            "8:1 ff02::1 is a multicast address, which no single",
            "9:1 255.255.255.255 is the broadcast address, which no",
            "10:1 ::ffff:192.0.2.1 is an IPv4 address mapped to IPv6, / write \"192.0.2.1\"",
            "10:21 each of `endpoints` must be a string such as",
            "10:24 \"192.0.2.0/24\" is not an IP address / write an IPv4 or IPv6 address such",
        ],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\n\
         \"192.0.2.1\",\n\
         { address = \"192.0.2.1\" },\n\
         { name = \"x\", address = \"192.0.2.2\" },\n\
         { name = \"x\", address = \"192.0.2.3\" },\n\
         ]\n",
        &["5:1 the address 192.0.2.1 stands twice @ 4:1", "7:1 the endpoint `x` stands twice @ 6:1"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [{ name = \"a/b\", address = \"192.0.2.2\" },\n\
         { name = \"c\" },\n\
         { name = 3, address = \"192.0.2.4\" },\n\
         { adress = \"192.0.2.3\" }]\n",
        &[
            "3:23 the name of an endpoint cannot have a `/`, which",
            "4:1 an endpoint has no `address` / add address = \"192.0.2.10\"",
            "5:10 `name` must be a string such as \"fra1\", found the",
            "6:3 unknown key `adress` in an endpoint / did you mean `address`?",
        ],
    );
    check(
        "[pools.a]\n\
         policy = \"weighted\"\n\
         endpoints = [{ address = \"192.0.2.1\", weight = -1 },\n\
         { address = \"192.0.2.2\", weight = 1048576 },\n\
         { address = \"192.0.2.3\", weight = 1.5 }]\n",
        &[
            "3:48 `weight` must be 0 to 1048575, found -1",
            "4:35 `weight` must be 0 to 1048575, found 1048576",
            "5:35 `weight` must be a whole number from 0 to 1048575,",
        ],
    );
    check(
        "[pools.a]\n\
         policy = \"weighted\"\n\
         endpoints = [{ address = \"192.0.2.1\", weight = 1048575 },\n\
         { address = \"192.0.2.2\", weight = 2 }]\n",
        &["1:8 the weights of pool `a` sum to 1048577: more than / use smaller weights in about the"],
    );
    check(
        "[pools.a]\n\
         policy = \"weighted\"\n\
         endpoints = [{ address = \"192.0.2.1\", weight = 1048574 },\n\
         { address = \"192.0.2.2\", weight = 1048570 },\n\
         { address = \"192.0.2.3\", weight = 1048572 }]\n",
        &["1:8 the weights of pool `a` sum to 3145716, 1572858 / use smaller weights in about the"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         members = [{ pool = \"b\", weight = 2, continents = [\"EU\"] }, \"b\", \"c\", {}]\n\
         [pools.b]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n",
        &[
            "3:61 the member `b` stands twice @ 3:21",
            "3:66 there is no pool `c` / did you mean `a`?",
            "3:71 a member has no `pool` / add pool = \"frankfurt\"",
        ],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
         min-alive = 3\n",
        &["4:13 `min-alive` is 3, but the pool has 2 members: it / give 1 to 2, or a share such as"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
         min-alive = 0\n",
        &["4:13 `min-alive` must be 1 to 65536, found 0"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
         min-alive = \"101%\"\n",
        &["4:13 `min-alive` must be a count or a share from \"1%\" to / write 2 for two members, \"50%\" for"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
         min-alive = \"half\"\n",
        &["4:13 `min-alive` must be a count or a share from \"1%\" to / write 2 for two members, \"50%\" for"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
         min-alive = 0.5\n",
        &["4:13 `min-alive` must be a number of members such as 2"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         min-alive = \"0%\"\n",
        &["4:13 `min-alive` must be a count or a share from \"1%\" to / write 2 for two members, \"50%\" for"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         min-alive = \"+5%\"\n",
        &["4:13 `min-alive` must be a count or a share from \"1%\" to / write 2 for two members, \"50%\" for"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         place = { latitude = 90.5, longitude = -181 }\n",
        &["4:22 `latitude` must be -90 to 90, found 90.5", "4:40 `longitude` must be -180 to 180, found -181"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         place = { latitude = nan, longtitude = \"8.7\" }\n",
        &[
            "4:22 `latitude` must be -90 to 90, found nan",
            "4:27 unknown key `longtitude` in a place / did you mean `longitude`?",
        ],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         place = \"EU\"\n\
         otherwise = \"nearest\"\n",
        &["4:9 `place` must be a table such as { latitude = 50.1,"],
    );
    check(
        "[pools.eu.fra]\npolicy = \"failover\"\n",
        &["1:8 `eu.fra` is not quoted, which makes it keys within / write a name that has a dot in"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoint = [\"192.0.2.1\"]\n",
        &["3:1 unknown key `endpoint` in pool `a` / did you mean `endpoints`?"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nmembers = [\"a\"]\n",
        &["3:12 the pools are nested in a loop: a → a / a pool cannot be a member of"],
    );
    check(
        "[pools.a]\n\
         policy = \"failover\"\n\
         members = [\"b\"]\n\
         [pools.b]\n\
         policy = \"failover\"\n\
         members = [\"c\"]\n\
         [pools.c]\n\
         policy = \"failover\"\n\
         members = [\n\
         \"b\",\n\
         { pool = \"a\" },\n\
         ]\n",
        &[
            "10:1 the pools are nested in a loop: b → c → b / a pool cannot be a member of",
            "11:10 the pools are nested in a loop: a → b → c → a / a pool cannot be a member of",
        ],
    );
    check(
        "[monitors.m]\n\
         udp = {}\n\
         [pools.a]\n\
         policy = \"failover\"\n\
         monitor = \"m\"\n\
         members = [\"b\"]\n\
         [pools]\n\
         b = 3\n",
        &[
            "2:1 the probe `udp` in monitor `m` is not supported by / known probes: http, https, tcp, tls, grpc, icmp, ping, dns, exec, push",
            "8:5 `b` must be a table such as { policy =",
        ],
    );
}

#[test]
fn names_are_checked() {
    check("[names]\nwww = { failover = \"30s\" }\n", &["2:1 name \"www\" has no `pool` / add pool = \"world\""]);
    check(
        "[names]\nwww = \"wrold\"\nftp = 3\n",
        &[
            "2:7 there is no pool `wrold` / the pools of this file: none",
            "3:7 `ftp` must be a table such as { pool = \"world\",",
        ],
    );
    check(
        on_a_pool!(
            "[names]\n\
         \"www.example.net.\" = \"web\"\n\
         \"a..b\" = \"web\"\n\
         \"\" = \"web\"\n"
        ),
        &[
            "8:1 the name www.example.net. lies outside the zone / names without a final dot are",
            "9:1 \"a..b\" is not a name: a name cannot have an empty",
            "10:1 \"\" is not a name: a name cannot be empty",
        ],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = \"web\"\n\
         \"WWW\" = \"web\"\n\
         \"www.example.com.\" = { pool = \"web\" }\n"
        ),
        &["9:1 the name www.example.com. stands twice @ 8:1", "10:1 the name www.example.com. stands twice @ 8:1"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = 30 }\n"),
        &["8:34 `failover` is a time and needs a unit, found the / write \"30s\" for seconds, \"30ms\" for"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", failover = \"500ms\" }\n"
        ),
        &["8:34 `failover` must be 1s to 365d, found 500ms"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failver = \"30s\" }\n"),
        &["8:23 unknown key `failver` in name \"www\" / did you mean `failover`?"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"13s\" }\n"),
        &[
            "8:34 interval 5s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 1s = 14s / the nearest budget that fits is @ 2:1",
        ],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", failover = \"30s\", ttl-min = \"18s\" }\n"
        ),
        &[
            "8:34 interval 5s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 18s = 31s / the nearest budget that fits is @ 2:1",
        ],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", failover = \"30s\", ttl = { min = \"5s\", max = \"24s\" } }\n"
        ),
        &["8:34 interval 5s + timeout 2s + ttl max 24s = 31s / the nearest budget that fits is @ 2:1"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", failover = \"30s\", ttl = { min = \"5s\", max = \"31s\" } }\n"
        ),
        &["8:67 the greatest TTL, 31s, is longer than the budget of / a cache may keep an answer for its @ 8:34"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", failover = \"30s\", ttl-min = \"31s\" }\n"
        ),
        &["8:51 the least TTL, 31s, is longer than the budget of 30s / a cache may keep an answer for its @ 8:34"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", ttl-min = \"2s\", ttl = { min = \"5s\", max = \"60s\" } }\n"
        ),
        &["8:23 `ttl-min` and `ttl` both set the least TTL / leave one of them out @ 8:39"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", ttl = \"60s\" }\n"),
        &["8:29 `ttl` must be a table such as { min = \"5s\", max ="],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", ttl = { min = \"60s\", max = \"5s\" } }\n"
        ),
        &["8:29 `ttl` has a `min` of 1m over its `max` of 5s"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", ttl = { min = \"1500ms\" } }\n"
        ),
        &["8:23 `ttl` has no `max` / add max = \"60s\"", "8:37 `min` must be whole seconds, since DNS counts in"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", ttl = { min = \"0s\", max = \"8d\" } }\n"
        ),
        &["8:37 `min` must be 1s to 7d, found 0s", "8:49 `max` must be 1s to 7d, found 8d"],
    );
    check(on_a_pool!("[names]\nwww = { pool = \"web\", answers = 0 }\n"), &["8:33 `answers` must be 1 to 64, found 0"]);
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", answers = 65 }\n"),
        &["8:33 `answers` must be 1 to 64, found 65"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", answers = \"many\" }\n"),
        &["8:33 `answers` must be a whole number from 1 to 64 or"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", when-all-down = \"serve-al\" }\n"
        ),
        &["8:39 `when-all-down` knows no \"serve-al\" / did you mean `serve-all`?"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", when-all-down = \"fail\" }\n"
        ),
        &["8:39 `when-all-down` knows no \"fail\" / known words, beside a list of"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", when-all-down = [] }\n"),
        &["8:39 `when-all-down` must list 1 to 64 addresses, found 0 / for an answer without addresses"],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", when-all-down = [\"192.0.2.9\", \"192.0.2.9\", \"x\"] }\n"
        ),
        &[
            "8:53 the address 192.0.2.9 stands twice @ 8:40",
            "8:66 \"x\" is not an IP address / write an IPv4 or IPv6 address such",
        ],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www = { pool = \"web\", when-all-down = true }\n"
        ),
        &["8:39 `when-all-down` must be a word such as \"serve-all\""],
    );
    check(
        on_a_pool!(
            "[names]\n\
         www.eu = \"web\"\n\
         ftp.us.west = { pool = \"web\" }\n"
        ),
        &[
            "8:1 `www.eu` is not quoted, which makes it keys within / write a name that has a dot in",
            "9:1 `ftp.us.west` is not quoted, which makes it keys / write a name that has a dot in",
        ],
    );
    check(
        "[pools.web]\n\
         policy = \"failover\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         [names]\n\
         www = { pool = \"wbe\" }\n\
         zebra = \"quagga\"\n",
        &[
            "5:16 there is no pool `wbe` / did you mean `web`?",
            "6:9 there is no pool `quagga` / the pools of this file: web",
        ],
    );
    check(
        "[monitors.m]\n\
         tcp = { port = 80 }\n\
         [monitors.slow]\n\
         tcp = { port = 80 }\n\
         interval = \"1m\"\n\
         [pools.a]\n\
         policy = \"failover\"\n\
         monitor = \"slow\"\n\
         endpoints = [\"192.0.2.1\"]\n\
         [pools.web]\n\
         policy = \"failover\"\n\
         monitor = \"m\"\n\
         members = [\"a\"]\n\
         endpoints = [\"192.0.2.2\"]\n\
         [names]\n\
         www = { pool = \"web\", failover = \"30s\" }\n",
        &[
            "16:34 interval 60s + timeout 250ms + 2 × (fast 100ms + timeout 250ms) + ttl-min 1s = 61.95s / the nearest budget that fits is @ 3:11",
        ],
    );
}

#[test]
fn what_is_probed_instead_is_checked() {
    macro_rules! endpoint {
        ($endpoint:literal) => {
            concat!(
                "monitors.m.dns.name = \"a.example.org\"\n[pools.web]\npolicy = \"round-robin\"\nmonitor = \"m\"\n",
                "endpoints = [{ ",
                $endpoint,
                " }]\n"
            )
        };
    }
    check(
        endpoint!("address = \"192.0.2.1\", probe = \"db:80\""),
        &["5:47 `probe` must be what is probed in this endpoint's stead, found \"db:80\" / write an address, one with"],
    );
    check(endpoint!("address = \"192.0.2.1\", probe = 0"), &["5:47 `probe` must be 1 to 65535, found 0"]);
    check(endpoint!("address = \"192.0.2.1\", probe = \"10.0.0.5:0\""), &["5:47 `probe` has the port 0"]);
    check(endpoint!("address = \"192.0.2.1\", probe = \"224.0.0.1\""), &["5:47 224.0.0.1 is a multicast address"]);
    check(
        endpoint!("cname = \"a.example.net\", probe = 80"),
        &["5:41 an endpoint with a `cname` is not probed, so it can have no `probe` @ 5:16"],
    );
}
