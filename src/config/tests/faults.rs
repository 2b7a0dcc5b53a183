//! Every rule of the policy file, from the side of the file that breaks it.

use super::check_faults as check;

/// A sound pool, six lines with its monitor, for names to stand on.
macro_rules! on_a_pool {
    ($names:literal) => {
        concat!(
            "[monitors.m]\ntcp = { port = 80 }\n",
            "[pools.web]\npolicy = \"round-robin\"\nmonitor = \"m\"\nendpoints = [\"192.0.2.1\"]\n",
            $names
        )
    };
}

#[test]
fn the_file_has_four_tables() {
    check("zone = 1\n", &["1:8 `zone` must be a table such as { nameservers ="]);
    check("[name]\n", &["1:2 unknown key `name` in the policy file / did you mean `names`?"]);
    check("[monitor.web]\n", &["1:2 unknown key `monitor` in the policy file / did you mean `monitors`?"]);
    check("[zebras]\n", &["1:2 unknown key `zebras` in the policy file / known keys: zone, monitors, pools, names"]);
    check("\"\" = 1\n", &["1:1 unknown key `` in the policy file / known keys: zone, monitors, pools, names"]);
    check("names = \"www\"\n", &["1:9 `names` must be a table, which a line [names] begins, found"]);
    check("pools = []\n", &["1:9 `pools` must be a table, which a line [pools.world] begins,"]);
}

#[test]
fn faults_of_syntax_are_listed_alone() {
    check("a = \n b = 3\nc = [1,2", &["1:5 a key without a value", "3:9 not TOML: unclosed array, expected `]`"]);
    check("[pools.a]\n[pools.a]\n", &["2:8 `a` stands twice / a key or a table may stand only once in a"]);
    check("interval = 5s\n", &["1:12 `5s` is neither quoted nor a number, a date, `true` or / write \"5s\""]);
    check("interval: 5s\n", &["1:9 not TOML: invalid unquoted key, expected letters, numbers,"]);
    check("[pools.a\n", &["1:9 not TOML: unclosed table, expected `]`"]);
    check("x = \"a\n", &["1:7 not TOML: invalid basic string, expected `\"`"]);
    check("x = { a = 1 b = 2 }\n", &["1:11 `1 b` is neither quoted nor a number, a date, `true` or / write \"1 b\""]);
    check("x = tru\n", &["1:5 not TOML: invalid boolean, expected `true`"]);
    check("\0", &["1:1 not TOML: invalid unquoted key, expected letters, numbers,"]);
}

#[test]
fn the_zone_is_checked() {
    check(
        "[zone]\n",
        &[
            "1:2 [zone] has no `nameservers` / add nameservers = [\"ns1.example.com\",",
            "1:2 [zone] has no `contact` / add contact = \"hostmaster.example.com\"",
        ],
    );
    check(
        "[zone]\nnameservers = []\ncontact = \"hostmaster.example.com\"\n",
        &["2:15 `nameservers` is empty: a zone must have at least one / give the names that the parent zone"],
    );
    check(
        "[zone]\nnameservers = \"ns1.example.com\"\ncontact = 7\n",
        &[
            "2:15 `nameservers` must be an array such as [\"ns1.example.com\",",
            "3:11 `contact` must be a string such as",
        ],
    );
    check(
        "[zone]\nnameservers = [3, \"a..b\", \"@\", \".\", \"ns1.example.com\", \"NS1.example.com.\"]\ncontact = \"first.last@example.com\"\n",
        &[
            "2:16 each of `nameservers` must be a string such as",
            "2:19 `nameservers`: a name cannot have an empty label (two dots",
            "2:27 `nameservers` must be a domain name such as",
            "2:32 `nameservers` must be a domain name such as",
            "2:56 the nameserver ns1.example.com. stands twice @ 2:37",
            "3:11 `contact` must be a domain name: DNS writes the `@` of a / write \"first\\\\.last.example.com\" (RFC 1035",
        ],
    );
    check(
        "[zone]\nnameservers = [\"ns1\"]\ncontact = \"hostmaster.example.com\"\nserial = -1\nrefresh = \"0s\"\nretry = \"1500ms\"\nexpire = \"100000d\"\nttl = 60\nnegative-ttl = \"2w\"\nminimum = \"1h\"\n",
        &[
            "4:10 `serial` must be 0 to 4294967295, found -1",
            "5:11 `refresh` must be 1s to 24855d3h14m7s, found 0s",
            "6:9 `retry` must be whole seconds, since DNS counts in seconds,",
            "7:10 `expire` must be 1s to 24855d3h14m7s, found 100000d",
            "8:7 `ttl` is a time and needs a unit, found the integer 60 / write \"60s\" for seconds, \"60ms\" for",
            "9:16 `negative-ttl` must be 1s to 7d, found 2w",
            "10:1 unknown key `minimum` in [zone] / known keys: nameservers, contact, ttl,",
        ],
    );
    check(
        "[zone]\nnameservers = [{ name = \"ns1.example.net\", addresses = [\"192.0.2.1\"] }, { adresses = [] }, { name = \"ns2.example.com\", addresses = [\"192.0.2.1\", \"192.0.2.1\", \"224.0.0.1\"] }]\ncontact = \"hostmaster.example.com\"\n",
        &[
            "2:56 the nameserver ns1.example.net. lies outside example.com. / leave `addresses` out: they belong to the",
            "2:73 a nameserver has no `name` / add name = \"ns1.example.com\"",
            "2:75 unknown key `adresses` in a nameserver / did you mean `addresses`?",
            "2:146 the address 192.0.2.1 stands twice @ 2:133",
            "2:159 224.0.0.1 is a multicast address, which no single host",
        ],
    );
}

#[test]
fn monitors_are_checked() {
    check("[monitors]\nweb = \"http\"\n", &["2:7 `web` must be a table such as { tcp = { port = 443 } },"]);
    check("[monitors.web]\n", &["1:11 monitor `web` has no probe / add one of http, https, tcp, such as http ="]);
    check(
        "[monitors.web]\nhttp = {}\ntcp = { port = 1 }\n",
        &["3:1 monitor `web` has two probes, `http` and `tcp` / a monitor has exactly one: make two @ 2:1"],
    );
    check(
        "[monitors.web]\nicmp = {}\n",
        &["2:1 the probe `icmp` in monitor `web` is not supported by this / known probes: http, https, tcp"],
    );
    check("[monitors.web]\nhtp = {}\n", &["2:1 unknown key `htp` in monitor `web` / did you mean `http`?"]);
    check("[monitors.web]\ntcp = 443\n", &["2:7 `tcp` must be a table such as { port = 443 }, found the"]);
    check("[monitors.web]\ntcp = {}\n", &["2:1 `tcp` has no `port` / add port = 443"]);
    check("[monitors.web]\ntcp = { port = 0 }\n", &["2:16 `port` must be 1 to 65535, found 0"]);
    check("[monitors.web]\ntcp = { port = 65536 }\n", &["2:16 `port` must be 1 to 65535, found 65536"]);
    check(
        "[monitors.web]\ntcp = { port = \"443\" }\n",
        &["2:16 `port` must be a whole number from 1 to 65535, found the"],
    );
    check(
        "[monitors.web]\ntcp = { port = 99999999999999999999 }\n",
        &["2:16 `port` must be 1 to 65535, found 99999999999999999999"],
    );
    check("[monitors.web]\nhttp = { path = \"healthz\" }\n", &["2:17 `path` must begin with `/`, found \"healthz\""]);
    check(
        "[monitors.web]\nhttp = { path = \"/a b\" }\n",
        &["2:17 `path` can have only printable ASCII without spaces: write"],
    );
    check(
        "[monitors.web]\nhttp = { path = \"/a#b\" }\n",
        &["2:17 `path` cannot have a `#`: fragments are never sent, found"],
    );
    check(
        "[monitors.web]\nhttp = { verify = false }\n",
        &["2:10 unknown key `verify` in `http` / known keys: path, host, port, status, body"],
    );
    check(
        "[monitors.web]\nhttps = { verify = \"no\" }\n",
        &["2:20 `verify` must be `true` or `false`, found the string \"no\""],
    );
    check(
        "[monitors.web]\nhttp = { host = \"192.0.2.1\" }\n",
        &["2:17 `host` must be a name, not an address, found \"192.0.2.1\" / leave it out, and each endpoint is asked"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"[::1]\" }\n",
        &["2:17 `host` must be a name, not an address, found \"[::1]\" / leave it out, and each endpoint is asked"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"0x7f.1\" }\n",
        &["2:17 `host` must be a name, not an address, found \"0x7f.1\" / leave it out, and each endpoint is asked"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"www.example.com:80\" }\n",
        &["2:17 `host` must be a name without a port, found / the port has a key of its own: port = 8080"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"wéb.example.com\" }\n",
        &["2:17 `host` must be in ASCII, found \"wéb.example.com\" / write an international name in its xn-- form"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"a b\" }\n",
        &[
            "2:17 `host` can have only letters, digits, hyphens and dots, / write a host name such as \"www.example.com\"",
        ],
    );
    check(
        "[monitors.web]\nhttp = { host = \"\" }\n",
        &["2:17 `host` must be a host name, found \"\" / write a host name such as \"www.example.com\""],
    );
    check(
        "[monitors.web]\nhttp = { host = \"a..b\" }\n",
        &["2:17 `host` must be a host name, found \"a..b\" / write a host name such as \"www.example.com\""],
    );
    check(
        "[monitors.web]\nhttp = { status = [] }\n",
        &["2:19 `status` is empty, so that no answer would be a success / leave it out for 200-299"],
    );
    check(
        "[monitors.web]\nhttp = { status = 200 }\n",
        &["2:19 `status` must be an array such as [\"200-299\", 304], found"],
    );
    check(
        "[monitors.web]\nhttp = { status = [\"2xx\", \"299-200\", \"99\", 600, 1.5, \"200-\"] }\n",
        &[
            "2:20 \"2xx\" is not a status code from 100 to 599, nor a range of / write \"204\" or \"200-299\"",
            "2:27 \"299-200\" is not a status code from 100 to 599, nor a range / write \"204\" or \"200-299\"",
            "2:38 \"99\" is not a status code from 100 to 599, nor a range of / write \"204\" or \"200-299\"",
            "2:44 `status` must be 100 to 599, found 600",
            "2:49 each of `status` must be a string such as \"200-299\", found",
            "2:54 \"200-\" is not a status code from 100 to 599, nor a range of / write \"204\" or \"200-299\"",
        ],
    );
    check(
        "[monitors.web]\nhttp = { body = \"\" }\n",
        &["2:17 `body` is empty, which every body contains: leave it out"],
    );
    check(
        "[monitors.web]\nhttp = { body = 1 }\n",
        &["2:17 `body` must be a string such as \"ok\", found the integer 1"],
    );
    check(
        "[monitors.web]\nhttp = {}\ninterval = 5\nfast = \"1\"\ntimeout = \"soon\"\nfall = 0\nrise = 101\n",
        &[
            "3:12 `interval` is a time and needs a unit, found the integer 5 / write \"5s\" for seconds, \"5ms\" for",
            "4:8 `fast`: a time needs a unit, found \"1\" / write \"1s\" for seconds, \"1ms\" for",
            "5:11 `timeout`: not a time, found \"soon\" / write a time as \"500ms\", \"5s\", \"2m\", \"1h\"",
            "6:8 `fall` must be 1 to 100, found 0",
            "7:8 `rise` must be 1 to 100, found 101",
        ],
    );
    check(
        "[monitors.web]\nhttp = {}\ninterval = \"50ms\"\nfast = \"1s1m\"\ntimeout = \"5S\"\n",
        &[
            "3:12 `interval` must be 100ms to 1d, found 50ms",
            "4:8 `fast`: a time names each unit once, the larger before the / write a time as \"500ms\", \"5s\", \"2m\", \"1h\"",
            "5:11 `timeout`: the units of time are w, d, h, m, s and ms, / write a time as \"500ms\", \"5s\", \"2m\", \"1h\"",
        ],
    );
    check(
        "[monitors.web]\nhttp = {}\nfast = \"10s\"\n",
        &["3:8 `fast` of 10s is longer than the interval of 5s (the / fast is the shorter pace, kept while a"],
    );
    check(
        "[monitors.web]\nhttp = {}\ninterval = \"1s\"\ntimeout = \"2s\"\nfast=\"1s1ms\"\n",
        &[
            "4:11 `timeout` of 2s is longer than the interval of 1s / a probe would still wait when the next one @ 3:12",
            "5:6 `fast` of 1s1ms is longer than the interval of 1s / fast is the shorter pace, kept while a @ 3:12",
        ],
    );
    check(
        "[monitors.\"a/b\"]\nhttp = {}\n[monitors.\"\"]\nhttp = {}\n[monitors.\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]\nhttp = {}\n[monitors.\"a\\tb\"]\nhttp = {}\n",
        &[
            "1:11 the name of a monitor cannot have a `/`, which parts pool",
            "3:11 the name of a monitor cannot be empty, found \"\"",
            "5:11 the name of a monitor cannot be longer than 63 characters,",
            "7:11 the name of a monitor cannot have control characters, found",
        ],
    );
    check(
        "[monitors.web.eu]\nhttp = {}\n",
        &["1:11 `web.eu` is not quoted, which makes it keys within a table / write a name that has a dot in quotes:"],
    );
    check(
        "[monitors.web]\nhttp = {}\ncolour = \"red\"\nicmp = 3\n",
        &[
            "3:1 unknown key `colour` in monitor `web` / known keys: http, https, tcp, interval,",
            "4:1 the probe `icmp` in monitor `web` is not supported by this / known probes: http, https, tcp",
        ],
    );
}

#[test]
fn pools_are_checked() {
    check("[pools]\na = \"round-robin\"\n", &["2:5 `a` must be a table such as { policy = \"round-robin\","]);
    check(
        "[pools.a]\n",
        &[
            "1:8 pool `a` has no `policy` / add policy = \"round-robin\"",
            "1:8 pool `a` has no members / give it endpoints = [\"192.0.2.10\"] or",
        ],
    );
    check(
        "[pools.a]\npolicy = \"round-robin\"\nendpoints = []\n",
        &["1:8 pool `a` has no members / give it endpoints = [\"192.0.2.10\"] or"],
    );
    check(
        "[pools.a]\npolicy = \"geo\"\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 the policy `geo` is not supported by this version / known policies: round-robin, weighted,"],
    );
    check(
        "[pools.a]\npolicy = \"wieghted\"\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 unknown policy \"wieghted\" / did you mean `weighted`?"],
    );
    check(
        "[pools.a]\npolicy = \"fastest\"\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 unknown policy \"fastest\" / known policies: round-robin, weighted,"],
    );
    check(
        "[pools.a]\npolicy = 3\nendpoints = [\"192.0.2.1\"]\n",
        &["2:10 `policy` must be a string such as \"round-robin\", found the"],
    );
    check(
        "[monitors.web]\nhttp = {}\n[pools.a]\npolicy = \"failover\"\nmonitor = \"wbe\"\nendpoints = [\"192.0.2.1\"]\n",
        &["5:11 there is no monitor `wbe` / did you mean `web`?"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nmonitor = \"web\"\nendpoints = [\"192.0.2.1\"]\n",
        &["3:11 there is no monitor `web` / the monitors of this file: none"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nmonitor = 1\nendpoints = \"192.0.2.1\"\n",
        &[
            "3:11 `monitor` must be a string such as \"web\", found the integer",
            "4:13 `endpoints` must be an array such as [\"192.0.2.10\", {",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.10:80\", \"www.example.com\", \"0.0.0.0\", \"::\", \"224.0.0.1\", \"ff02::1\", \"255.255.255.255\", \"::ffff:192.0.2.1\", 7, \"192.0.2.0/24\"]\n",
        &[
            "3:14 \"192.0.2.10:80\" is not an IP address / leave the port out: what is probed is the",
            "3:31 \"www.example.com\" is not an IP address / write an IPv4 or IPv6 address such as",
            "3:50 0.0.0.0 is the unspecified address, which no client can",
            "3:61 :: is the unspecified address, which no client can reach",
            "3:67 224.0.0.1 is a multicast address, which no single host",
            "3:80 ff02::1 is a multicast address, which no single host serves",
            "3:91 255.255.255.255 is the broadcast address, which no single",
            "3:110 ::ffff:192.0.2.1 is an IPv4 address mapped to IPv6, which / write \"192.0.2.1\"",
            "3:130 each of `endpoints` must be a string such as \"192.0.2.10\",",
            "3:133 \"192.0.2.0/24\" is not an IP address / write an IPv4 or IPv6 address such as",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\n  \"192.0.2.1\",\n  { address = \"192.0.2.1\" },\n  { name = \"x\", address = \"192.0.2.2\" },\n  { name = \"x\", address = \"192.0.2.3\" },\n]\n",
        &["5:3 the address 192.0.2.1 stands twice @ 4:3", "7:3 the endpoint `x` stands twice @ 6:3"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [{ name = \"a/b\", address = \"192.0.2.2\" }, { name = \"c\" }, { name = 3, address = \"192.0.2.4\" }, { adress = \"192.0.2.3\" }]\n",
        &[
            "3:23 the name of an endpoint cannot have a `/`, which parts pool",
            "3:55 an endpoint has no `address` / add address = \"192.0.2.10\"",
            "3:80 `name` must be a string such as \"fra1\", found the integer 3",
            "3:110 unknown key `adress` in an endpoint / did you mean `address`?",
        ],
    );
    check(
        "[pools.a]\npolicy = \"weighted\"\nendpoints = [{ address = \"192.0.2.1\", weight = -1 }, { address = \"192.0.2.2\", weight = 1048576 }, { address = \"192.0.2.3\", weight = 1.5 }]\n",
        &[
            "3:48 `weight` must be 0 to 1048575, found -1",
            "3:88 `weight` must be 0 to 1048575, found 1048576",
            "3:133 `weight` must be a whole number from 0 to 1048575, found",
        ],
    );
    check(
        "[pools.a]\npolicy = \"weighted\"\nendpoints = [{ address = \"192.0.2.1\", weight = 1048575 }, { address = \"192.0.2.2\", weight = 2 }]\n",
        &["1:8 the weights of pool `a` sum to 1048577: more than 1048576 / use smaller weights in about the same"],
    );
    check(
        "[pools.a]\npolicy = \"weighted\"\nendpoints = [{ address = \"192.0.2.1\", weight = 1048574 }, { address = \"192.0.2.2\", weight = 1048570 }, { address = \"192.0.2.3\", weight = 1048572 }]\n",
        &["1:8 the weights of pool `a` sum to 3145716, 1572858 without / use smaller weights in about the same"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nmembers = [{ pool = \"b\", weight = 2, continents = [\"EU\"] }, \"b\", \"c\", {}]\n[pools.b]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\n",
        &[
            "3:38 the key `continents` in a member is not supported by this / known keys: pool, weight",
            "3:61 the member `b` stands twice @ 3:21",
            "3:66 there is no pool `c` / did you mean `a`?",
            "3:71 a member has no `pool` / add pool = \"frankfurt\"",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\nmin-alive = 3\n",
        &["4:13 `min-alive` is 3, but the pool has 2 members: it could / give 1 to 2, or a share such as \"50%\""],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\nmin-alive = 0\n",
        &["4:13 `min-alive` must be 1 to 65536, found 0"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\nmin-alive = \"101%\"\n",
        &[
            "4:13 `min-alive` must be a count or a share from \"1%\" to \"100%\", / write 2 for two members, \"50%\" for half of",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\nmin-alive = \"half\"\n",
        &[
            "4:13 `min-alive` must be a count or a share from \"1%\" to \"100%\", / write 2 for two members, \"50%\" for half of",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\nmin-alive = 0.5\n",
        &["4:13 `min-alive` must be a number of members such as 2 or a"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\nmin-alive = \"0%\"\n",
        &[
            "4:13 `min-alive` must be a count or a share from \"1%\" to \"100%\", / write 2 for two members, \"50%\" for half of",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\nmin-alive = \"+5%\"\n",
        &[
            "4:13 `min-alive` must be a count or a share from \"1%\" to \"100%\", / write 2 for two members, \"50%\" for half of",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\nplace = { latitude = 90.5, longitude = -181 }\n",
        &["4:22 `latitude` must be -90 to 90, found 90.5", "4:40 `longitude` must be -180 to 180, found -181"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\nplace = { latitude = nan, longtitude = \"8.7\" }\n",
        &[
            "4:22 `latitude` must be -90 to 90, found nan",
            "4:27 unknown key `longtitude` in a place / did you mean `longitude`?",
        ],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\nplace = \"EU\"\notherwise = \"nearest\"\n",
        &[
            "4:9 `place` must be a table such as { latitude = 50.1,",
            "5:1 the key `otherwise` in pool `a` is not supported by this / known keys: policy, monitor, endpoints,",
        ],
    );
    check(
        "[pools.eu.fra]\npolicy = \"failover\"\n",
        &["1:8 `eu.fra` is not quoted, which makes it keys within a table / write a name that has a dot in quotes:"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nendpoint = [\"192.0.2.1\"]\n",
        &["3:1 unknown key `endpoint` in pool `a` / did you mean `endpoints`?"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nmembers = [\"a\"]\n",
        &["3:12 the pools are nested in a loop: a → a / a pool cannot be a member of itself, nor of"],
    );
    check(
        "[pools.a]\npolicy = \"failover\"\nmembers = [\"b\"]\n[pools.b]\npolicy = \"failover\"\nmembers = [\"c\"]\n[pools.c]\npolicy = \"failover\"\nmembers = [\n  \"b\",\n  { pool = \"a\" },\n]\n",
        &[
            "10:3 the pools are nested in a loop: b → c → b / a pool cannot be a member of itself, nor of",
            "11:12 the pools are nested in a loop: a → b → c → a / a pool cannot be a member of itself, nor of",
        ],
    );
    check(
        "[monitors.m]\nicmp = {}\n[pools.a]\npolicy = \"failover\"\nmonitor = \"m\"\nmembers = [\"b\"]\n[pools]\nb = 3\n",
        &[
            "2:1 the probe `icmp` in monitor `m` is not supported by this / known probes: http, https, tcp",
            "8:5 `b` must be a table such as { policy = \"round-robin\",",
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
            "3:7 `ftp` must be a table such as { pool = \"world\", failover =",
        ],
    );
    check(
        on_a_pool!("[names]\n\"www.example.net.\" = \"web\"\n\"a..b\" = \"web\"\n\"\" = \"web\"\n"),
        &[
            "8:1 the name www.example.net. lies outside the zone example.com. / names without a final dot are relative to",
            "9:1 \"a..b\" is not a name: a name cannot have an empty label",
            "10:1 \"\" is not a name: a name cannot be empty",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = \"web\"\n\"WWW\" = \"web\"\n\"www.example.com.\" = { pool = \"web\" }\n"),
        &["9:1 the name www.example.com. stands twice @ 8:1", "10:1 the name www.example.com. stands twice @ 8:1"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = 30 }\n"),
        &["8:34 `failover` is a time and needs a unit, found the integer 30 / write \"30s\" for seconds, \"30ms\" for"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"500ms\" }\n"),
        &["8:34 `failover` must be 1s to 365d, found 500ms"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failver = \"30s\" }\n"),
        &["8:23 unknown key `failver` in name \"www\" / did you mean `failover`?"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"13s\" }\n"),
        &[
            "8:34 a budget of 13s cannot be kept: interval 5s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 1s = 14s / the nearest budget that fits is \"14s\" @ 1:11",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"30s\", ttl-min = \"18s\" }\n"),
        &[
            "8:34 a budget of 30s cannot be kept: interval 5s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 18s = 31s / the nearest budget that fits is \"31s\" @ 1:11",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"30s\", ttl = { min = \"5s\", max = \"24s\" } }\n"),
        &[
            "8:34 a budget of 30s cannot be kept: interval 5s + timeout 2s + ttl max 24s = 31s / the nearest budget that fits is \"31s\" @ 1:11",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"30s\", ttl = { min = \"5s\", max = \"31s\" } }\n"),
        &[
            "8:67 the greatest TTL, 31s, is longer than the budget of 30s / a cache may keep an answer for its whole TTL @ 8:34",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", failover = \"30s\", ttl-min = \"31s\" }\n"),
        &[
            "8:51 the least TTL, 31s, is longer than the budget of 30s / a cache may keep an answer for its whole TTL @ 8:34",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", ttl-min = \"2s\", ttl = { min = \"5s\", max = \"60s\" } }\n"),
        &["8:23 `ttl-min` and `ttl` both set the least TTL / leave one of them out @ 8:39"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", ttl = \"60s\" }\n"),
        &["8:29 `ttl` must be a table such as { min = \"5s\", max = \"60s\" },"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", ttl = { min = \"60s\", max = \"5s\" } }\n"),
        &["8:29 `ttl` has a `min` of 1m over its `max` of 5s"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", ttl = { min = \"1500ms\" } }\n"),
        &[
            "8:23 `ttl` has no `max` / add max = \"60s\"",
            "8:37 `min` must be whole seconds, since DNS counts in seconds,",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", ttl = { min = \"0s\", max = \"8d\" } }\n"),
        &["8:37 `min` must be 1s to 7d, found 0s", "8:49 `max` must be 1s to 7d, found 8d"],
    );
    check(on_a_pool!("[names]\nwww = { pool = \"web\", answers = 0 }\n"), &["8:33 `answers` must be 1 to 64, found 0"]);
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", answers = 65 }\n"),
        &["8:33 `answers` must be 1 to 64, found 65"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", answers = \"many\" }\n"),
        &["8:33 `answers` must be a whole number from 1 to 64 or \"all\","],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", when-all-down = \"serve-al\" }\n"),
        &["8:39 `when-all-down` knows no \"serve-al\" / did you mean `serve-all`?"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", when-all-down = \"fail\" }\n"),
        &["8:39 `when-all-down` knows no \"fail\" / known words, beside a list of addresses:"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", when-all-down = [] }\n"),
        &["8:39 `when-all-down` must list 1 to 64 addresses, found 0 / for an answer without addresses write"],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", when-all-down = [\"192.0.2.9\", \"192.0.2.9\", \"x\"] }\n"),
        &[
            "8:53 the address 192.0.2.9 stands twice @ 8:40",
            "8:66 \"x\" is not an IP address / write an IPv4 or IPv6 address such as",
        ],
    );
    check(
        on_a_pool!("[names]\nwww = { pool = \"web\", when-all-down = true }\n"),
        &["8:39 `when-all-down` must be a word such as \"serve-all\" or a"],
    );
    check(
        on_a_pool!("[names]\nwww.eu = \"web\"\nftp.us.west = { pool = \"web\" }\n"),
        &[
            "8:1 `www.eu` is not quoted, which makes it keys within a table / write a name that has a dot in quotes:",
            "9:1 `ftp.us.west` is not quoted, which makes it keys within a / write a name that has a dot in quotes:",
        ],
    );
    check(
        "[pools.web]\npolicy = \"failover\"\nendpoints = [\"192.0.2.1\"]\n[names]\nwww = { pool = \"wbe\" }\nzebra = \"quagga\"\n",
        &[
            "5:16 there is no pool `wbe` / did you mean `web`?",
            "6:9 there is no pool `quagga` / the pools of this file: web",
        ],
    );
    check(
        "[monitors.m]\ntcp = { port = 80 }\n[monitors.slow]\ntcp = { port = 80 }\ninterval = \"1m\"\n[pools.a]\npolicy = \"failover\"\nmonitor = \"slow\"\nendpoints = [\"192.0.2.1\"]\n[pools.web]\npolicy = \"failover\"\nmonitor = \"m\"\nmembers = [\"a\"]\nendpoints = [\"192.0.2.2\"]\n[names]\nwww = { pool = \"web\", failover = \"30s\" }\n",
        &[
            "16:34 a budget of 30s cannot be kept: interval 60s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 1s = 69s / the nearest budget that fits is \"1m9s\" @ 3:11",
        ],
    );
}
