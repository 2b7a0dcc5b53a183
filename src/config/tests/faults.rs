//! Every rule of `[zone]`, of `[monitors]` and of the file as a whole, from the side that breaks it.

use super::check_faults as check;

#[test]
fn the_file_has_four_tables() {
    check("zone = 1\n", &["1:8 `zone` must be a table such as { nameservers ="]);
    check("[name]\n", &["1:2 unknown key `name` in the policy file / did you mean `names`?"]);
    check("[monitor.web]\n", &["1:2 unknown key `monitor` in the policy file / did you mean `monitors`?"]);
    check("[zebras]\n", &["1:2 unknown key `zebras` in the policy file / known keys: zone, monitors, pools,"]);
    check("\"\" = 1\n", &["1:1 unknown key `` in the policy file / known keys: zone, monitors, pools,"]);
    check("names = \"www\"\n", &["1:9 `names` must be a table, which a line [names]"]);
    check("pools = []\n", &["1:9 `pools` must be a table, which a line [pools.world]"]);
}

#[test]
fn faults_of_syntax_are_listed_alone() {
    check("a = \n b = 3\nc = [1,2", &["1:5 a key without a value", "3:9 not TOML: unclosed array, expected `]`"]);
    check("[pools.a]\n[pools.a]\n", &["2:8 `a` stands twice / a key or a table may stand only"]);
    check("interval = 5s\n", &["1:12 `5s` is neither quoted nor a number, a date, `true` / write \"5s\""]);
    check("interval: 5s\n", &["1:9 not TOML: invalid unquoted key, expected letters,"]);
    check("[pools.a\n", &["1:9 not TOML: unclosed table, expected `]`"]);
    check("x = \"a\n", &["1:7 not TOML: invalid basic string, expected `\"`"]);
    check("x = { a = 1 b = 2 }\n", &["1:11 `1 b` is neither quoted nor a number, a date, / write \"1 b\""]);
    check("x = tru\n", &["1:5 not TOML: invalid boolean, expected `true`"]);
    check("\0", &["1:1 not TOML: invalid unquoted key, expected letters,"]);
}

#[test]
fn the_zone_is_checked() {
    check(
        "[zone]\n",
        &["1:2 [zone] has no `nameservers` / add nameservers =", "1:2 [zone] has no `contact` / add contact ="],
    );
    check(
        "[zone]\nnameservers = []\ncontact = \"hostmaster.example.com\"\n",
        &["2:15 `nameservers` is empty: a zone must have at least / give the names that the parent zone"],
    );
    check(
        "[zone]\nnameservers = \"ns1.example.com\"\ncontact = 7\n",
        &["2:15 `nameservers` must be an array such as", "3:11 `contact` must be a string such as"],
    );
    check(
        "[zone]\n\
         nameservers = [3, \"a..b\", \"@\", \".\", \"ns1.example.com\", \"NS1.example.com.\"]\n\
         contact = \"first.last@example.com\"\n",
        &[
            "2:16 each of `nameservers` must be a string such as",
            "2:19 `nameservers`: a name cannot have an empty label",
            "2:27 `nameservers` must be a domain name such as",
            "2:32 `nameservers` must be a domain name such as",
            "2:56 the nameserver ns1.example.com. stands twice @ 2:37",
            "3:11 `contact` must be a domain name: DNS writes the `@` / write \"first\\\\.last.example.com\"",
        ],
    );
    check(
        "[zone]\n\
         nameservers = [\"ns1\"]\n\
         contact = \"hostmaster.example.com\"\n\
         serial = -1\n\
         refresh = \"0s\"\n\
         retry = \"1500ms\"\n\
         expire = \"100000d\"\n\
         ttl = 60\n\
         negative-ttl = \"2w\"\n\
         minimum = \"1h\"\n",
        &[
            "4:10 `serial` must be 0 to 4294967295, found -1",
            "5:11 `refresh` must be 1s to 24855d3h14m7s, found 0s",
            "6:9 `retry` must be whole seconds, since DNS counts in",
            "7:10 `expire` must be 1s to 24855d3h14m7s, found 100000d",
            "8:7 `ttl` is a time and needs a unit, found the integer / write \"60s\" for seconds, \"60ms\" for",
            "9:16 `negative-ttl` must be 1s to 7d, found 2w",
            "10:1 unknown key `minimum` in [zone] / known keys: nameservers, contact,",
        ],
    );
    check(
        "[zone]\n\
         nameservers = [{ name = \"ns1.example.net\", addresses = [\"192.0.2.1\"] },\n\
         { adresses = [] },\n\
         { name = \"ns2.example.com\", addresses = [\"192.0.2.1\",\n\
         \"192.0.2.1\",\n\
         \"224.0.0.1\"] }]\n\
         contact = \"hostmaster.example.com\"\n",
        &[
            "2:56 the nameserver ns1.example.net. lies outside / leave `addresses` out: they belong",
            "3:1 a nameserver has no `name` / add name = \"ns1.example.com\"",
            "3:3 unknown key `adresses` in a nameserver / did you mean `addresses`?",
            "5:1 the address 192.0.2.1 stands twice @ 4:42",
            "6:1 224.0.0.1 is a multicast address, which no single",
        ],
    );
}

#[test]
fn monitors_are_checked() {
    check("[monitors]\nweb = \"http\"\n", &["2:7 `web` must be a table such as { tcp = { port = 443"]);
    check("[monitors.web]\n", &["1:11 monitor `web` has no probe / add one of http, https, tcp, such"]);
    check(
        "[monitors.web]\nhttp = {}\ntcp = { port = 1 }\n",
        &["3:1 monitor `web` has two probes, `http` and `tcp` / a monitor has exactly one: make two @ 2:1"],
    );
    check(
        "[monitors.web]\nicmp = {}\n",
        &["2:1 the probe `icmp` in monitor `web` is not supported / known probes: http, https, tcp"],
    );
    check("[monitors.web]\nhtp = {}\n", &["2:1 unknown key `htp` in monitor `web` / did you mean `http`?"]);
    check("[monitors.web]\ntcp = 443\n", &["2:7 `tcp` must be a table such as { port = 443 }, found"]);
    check("[monitors.web]\ntcp = {}\n", &["2:1 `tcp` has no `port` / add port = 443"]);
    check("[monitors.web]\ntcp = { port = 0 }\n", &["2:16 `port` must be 1 to 65535, found 0"]);
    check("[monitors.web]\ntcp = { port = 65536 }\n", &["2:16 `port` must be 1 to 65535, found 65536"]);
    check("[monitors.web]\ntcp = { port = \"443\" }\n", &["2:16 `port` must be a whole number from 1 to 65535,"]);
    check("[monitors.web]\ntcp = { port = 99999999999999999999 }\n", &["2:16 `port` must be 1 to 65535, found"]);
    check("[monitors.web]\nhttp = { path = \"healthz\" }\n", &["2:17 `path` must begin with `/`, found \"healthz\""]);
    check("[monitors.web]\nhttp = { path = \"/a b\" }\n", &["2:17 `path` can have only printable ASCII without"]);
    check(
        "[monitors.web]\nhttp = { path = \"/a#b\" }\n",
        &["2:17 `path` cannot have a `#`: fragments are never sent,"],
    );
    check(
        "[monitors.web]\nhttp = { verify = false }\n",
        &["2:10 unknown key `verify` in `http` / known keys: path, host, port,"],
    );
    check("[monitors.web]\nhttps = { verify = \"no\" }\n", &["2:20 `verify` must be `true` or `false`, found the"]);
    check(
        "[monitors.web]\nhttp = { host = \"192.0.2.1\" }\n",
        &["2:17 `host` must be a name, not an address, found / leave it out, and each endpoint is"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"[::1]\" }\n",
        &["2:17 `host` must be a name, not an address, found \"[::1]\" / leave it out, and each endpoint is"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"0x7f.1\" }\n",
        &["2:17 `host` must be a name, not an address, found / leave it out, and each endpoint is"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"www.example.com:80\" }\n",
        &["2:17 `host` must be a name without a port, found / the port has a key of its own: port"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"wéb.example.com\" }\n",
        &["2:17 `host` must be in ASCII, found \"wéb.example.com\" / write an international name in its"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"a b\" }\n",
        &["2:17 `host` can have only letters, digits, hyphens and / write a host name such as"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"\" }\n",
        &["2:17 `host` must be a host name, found \"\" / write a host name such as"],
    );
    check(
        "[monitors.web]\nhttp = { host = \"a..b\" }\n",
        &["2:17 `host` must be a host name, found \"a..b\" / write a host name such as"],
    );
    check(
        "[monitors.web]\nhttp = { status = [] }\n",
        &["2:19 `status` is empty, so that no answer would be a / leave it out for 200-299"],
    );
    check("[monitors.web]\nhttp = { status = 200 }\n", &["2:19 `status` must be an array such as [\"200-299\", 304],"]);
    check(
        "[monitors.web]\n\
         http = { status = [\"2xx\", \"299-200\", \"99\", 600, 1.5, \"200-\"] }\n",
        &[
            "2:20 \"2xx\" is not a status code from 100 to 599, nor a / write \"204\" or \"200-299\"",
            "2:27 \"299-200\" is not a status code from 100 to 599, nor / write \"204\" or \"200-299\"",
            "2:38 \"99\" is not a status code from 100 to 599, nor a / write \"204\" or \"200-299\"",
            "2:44 `status` must be 100 to 599, found 600",
            "2:49 each of `status` must be a string such as",
            "2:54 \"200-\" is not a status code from 100 to 599, nor a / write \"204\" or \"200-299\"",
        ],
    );
    check("[monitors.web]\nhttp = { body = \"\" }\n", &["2:17 `body` is empty, which every body contains: leave"]);
    check("[monitors.web]\nhttp = { body = 1 }\n", &["2:17 `body` must be a string such as \"ok\", found the"]);
    check(
        "[monitors.web]\n\
         http = {}\n\
         interval = 5\n\
         fast = \"1\"\n\
         timeout = \"soon\"\n\
         fall = 0\n\
         rise = 101\n",
        &[
            "3:12 `interval` is a time and needs a unit, found the / write \"5s\" for seconds, \"5ms\" for",
            "4:8 `fast`: a time needs a unit, found \"1\" / write \"1s\" for seconds, \"1ms\" for",
            "5:11 `timeout`: not a time, found \"soon\" / write a time as \"500ms\", \"5s\",",
            "6:8 `fall` must be 1 to 100, found 0",
            "7:8 `rise` must be 1 to 100, found 101",
        ],
    );
    check(
        "[monitors.web]\n\
         http = {}\n\
         interval = \"50ms\"\n\
         fast = \"1s1m\"\n\
         timeout = \"5S\"\n",
        &[
            "3:12 `interval` must be 100ms to 1d, found 50ms",
            "4:8 `fast`: a time names each unit once, the larger / write a time as \"500ms\", \"5s\",",
            "5:11 `timeout`: the units of time are w, d, h, m, s and / write a time as \"500ms\", \"5s\",",
        ],
    );
    check(
        "[monitors.web]\nhttp = {}\nfast = \"10s\"\n",
        &["3:8 `fast` of 10s is longer than the interval of 5s / fast is the shorter pace, kept"],
    );
    check(
        "[monitors.web]\n\
         http = {}\n\
         interval = \"1s\"\n\
         timeout = \"2s\"\n\
         fast=\"1s1ms\"\n",
        &[
            "4:11 `timeout` of 2s is longer than the interval of 1s / a probe would still wait when the @ 3:12",
            "5:6 `fast` of 1s1ms is longer than the interval of 1s / fast is the shorter pace, kept @ 3:12",
        ],
    );
    check(
        "[monitors.\"a/b\"]\n\
         http = {}\n\
         [monitors.\"\"]\n\
         http = {}\n\
         [monitors.\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]\n\
         http = {}\n\
         [monitors.\"a\\tb\"]\n\
         http = {}\n",
        &[
            "1:11 the name of a monitor cannot have a `/`, which",
            "3:11 the name of a monitor cannot be empty, found \"\"",
            "5:11 the name of a monitor cannot be longer than 63",
            "7:11 the name of a monitor cannot have control",
        ],
    );
    check(
        "[monitors.web.eu]\nhttp = {}\n",
        &["1:11 `web.eu` is not quoted, which makes it keys within / write a name that has a dot in"],
    );
    check(
        "[monitors.web]\nhttp = {}\ncolour = \"red\"\nicmp = 3\n",
        &[
            "3:1 unknown key `colour` in monitor `web` / known keys: http, https, tcp,",
            "4:1 the probe `icmp` in monitor `web` is not supported / known probes: http, https, tcp",
        ],
    );
    check(
        "monitors.m.tcp.port = 80\nmonitors.m.colour = \"red\"\n",
        &["2:12 unknown key `colour` in monitor `m` / known keys: http, https, tcp,"],
    );
}
