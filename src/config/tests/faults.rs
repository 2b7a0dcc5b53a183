//! Every rule of `[zone]`, of `[monitors]` and of the file as a whole, from the side that breaks it.

use super::check_faults as check;

#[test]
fn the_file_has_four_tables() {
    check("zone = 1\n", &["1:8 `zone` must be a table such as { nameservers ="]);
    check("[name]\n", &["1:2 unknown key `name` in the policy file / did you mean `names`?"]);
    check("[monitor.web]\n", &["1:2 unknown key `monitor` in the policy file / did you mean `monitors`?"]);
    check("[zebras]\n", &["1:2 unknown key `zebras` in the policy file / known keys: ecs, zone, monitors, pools,"]);
    check("\"\" = 1\n", &["1:1 unknown key `` in the policy file / known keys: ecs, zone, monitors, pools,"]);
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
        &["1:2 [zone] has neither `nameservers` nor `contact` / beside a master file it holds serial = \"auto\" and"],
    );
    check(
        "[zone]\nttl = \"1h\"\ncontact = \"a.example.com\"\n",
        &["1:2 [zone] has no `nameservers` / add nameservers ="],
    );
    check("[zone]\nnameservers = [\"ns.example.net\"]\n", &["1:2 [zone] has no `contact` / add contact ="]);
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
    check(
        "[monitors.web]\n",
        &["1:11 monitor `web` has no probe / add one of http, https, tcp, tls, grpc, icmp, ping, dns, exec, push"],
    );
    check(
        "[monitors.web]\nhttp = {}\ntcp = { port = 1 }\n",
        &["3:1 monitor `web` has two probes, `http` and `tcp` / a monitor has exactly one: make two @ 2:1"],
    );
    check("[monitors.web]\npush = {}\ninterval = '5s'\n", &["2:1 `push` has no `lease` / add lease = \"30s\""]);
    check("[monitors.web]\npush = { lease = '100ms' }\n", &["2:18 `lease` must be 1s to 1d, found 100ms"]);
    check(
        "[monitors.web]\npush = { lease = '30s' }\ninterval = '5s'\ntimeout = '1s'\n",
        &[
            "3:1 a monitor that waits for reports has no `interval` / its lease says how soon",
            "4:1 a monitor that waits for reports has no `timeout` / its lease says how soon",
        ],
    );
    check(
        "[monitors.web]\nudp = {}\n",
        &[
            "2:1 the probe `udp` in monitor `web` is not supported / known probes: http, https, tcp, tls, grpc, icmp, ping, dns, exec, push",
        ],
    );
    check("[monitors.web]\nhtp = {}\n", &["2:1 unknown key `htp` in monitor `web` / did you mean `http`?"]);
    check("[monitors.web]\ntcp = 443\n", &["2:7 `tcp` must be a table such as { port = 443 }, found"]);
    check("[monitors.web]\ntcp = {}\n", &["2:1 `tcp` has no `port` / add port = 443"]);
    check("[monitors.web]\ntcp = { port = 0 }\n", &["2:16 `port` must be 1 to 65535, found 0"]);
    check("[monitors.web]\ntcp = { port = 65536 }\n", &["2:16 `port` must be 1 to 65535, found 65536"]);
    check("[monitors.web]\ntcp = { port = \"443\" }\n", &["2:16 `port` must be a whole number from 1 to 65535,"]);
    check("[monitors.web]\ntcp = { port = 99999999999999999999 }\n", &["2:16 `port` must be 1 to 65535, found"]);
    let back = |key: &str, fault: &str| check(&format!("[monitors.web]\nhttp = {{}}\n{key}\n"), &[fault]);
    back("hold-down = 10", "3:13 `hold-down` must be a time such as \"10s\" or a table such as");
    back("hold-down = '10ms'", "3:13 `hold-down` must be 100ms to 1d, found 10ms");
    back("hold-down = '2d'", "3:13 `hold-down` must be 100ms to 1d, found 2d");
    back("hold-down = { frist = '1s' }", "3:15 unknown key `frist` in `hold-down` / did you mean `first`?");
    back("hold-down = { most = '0s' }", "3:22 `most` must be 100ms to 1d, found 0s");
    back("hold-down = { most = '5s' }", "3:22 `most` of 5s is shorter than `first` of 10s (the default) / each death");
    back("hold-down = { first = '9s', most = '5s' }", "3:36 `most` of 5s is shorter than `first` of 9s / each death");
    back("hold-down = { window = '2w' }", "3:24 `window` must be 100ms to 7d, found 2w");
    back("slow-start = '500ms'", "3:14 `slow-start` must be 1s to 1h, found 500ms");
    back("slow-start = 30", "3:14 `slow-start` is a time and needs a unit, found the integer 30 / write \"30s\"");
    back("failback = 'never'", "3:12 `failback` must be \"auto\" or \"manual\", found \"never\" / \"manual\" keeps");
    back("failback = false", "3:12 `failback` must be a string such as \"auto\", found");
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
        "[monitors.web]\nhttp = {}\ncolour = \"red\"\nudp = 3\n",
        &[
            "3:1 unknown key `colour` in monitor `web` / known keys: http, https, tcp,",
            "4:1 the probe `udp` in monitor `web` is not supported / known probes: http, https, tcp, tls, grpc, icmp, ping, dns, exec, push",
        ],
    );
    check(
        "monitors.m.tcp.port = 80\nmonitors.m.colour = \"red\"\n",
        &["2:12 unknown key `colour` in monitor `m` / known keys: http, https, tcp,"],
    );
}

#[test]
fn what_probes_ask_is_checked() {
    macro_rules! monitor {
        ($probe:literal) => {
            concat!("[monitors.m]\n", $probe, "\n")
        };
    }
    check(monitor!("tcp = { port = 80, send = \"\" }"), &["2:27 `send` is empty: leave it out"]);
    check(
        monitor!("tcp = { port = 80, send = \"a\", send-hex = \"61\" }"),
        &["2:32 `tcp` has both `send` and `send-hex` / leave one out: they say the same thing @ 2:20"],
    );
    check(
        monitor!("tcp = { port = 80, expect-hex = \"0d a\" }"),
        &["2:33 `expect-hex` must be pairs of hexadecimal digits, found \"0d a\" / write \"0d 0a\"; spaces"],
    );
    check(monitor!("icmp = { port = 1 }"), &["2:10 unknown key `port` in `icmp` / known keys: none"]);
    check(monitor!("dns = {}"), &["2:1 `dns` has no `name` / add name = \"www.example.com\""]);
    check(
        monitor!("dns = { name = \"www.example.org\", type = \"AAA\" }"),
        &["2:42 unknown type \"AAA\" / did you mean `AAAA`?"],
    );
    check(
        monitor!("dns = { name = \"www.example.org\", rcode = \"servfial\" }"),
        &["2:43 unknown rcode \"servfial\" / did you mean `SERVFAIL`?"],
    );
    check(
        monitor!("dns = { name = \"www.example.org\", answer = [\"192.0.2.1\", \"2001:db8::1\"] }"),
        &["2:58 `answer` must be data of type A, found \"2001:db8::1\" / write an address such as \"192.0.2.1\""],
    );
    check(
        monitor!("exec = { command = [\"check\", \"-v\"] }"),
        &["2:21 the program \"check\" is not an absolute path / no folder is searched, and no shell is asked"],
    );
    check(
        monitor!("exec = { command = [\"/nowhere/check\"] }"),
        &["2:21 the program \"/nowhere/check\" does not exist / name a program that this system has"],
    );
    check(monitor!("exec = { command = [\"/tmp\"] }"), &["2:21 the program \"/tmp\" is not a file / name a program"]);
    check(
        monitor!("exec = { command = [] }"),
        &["2:20 `command` must have 1 to 100 words, found 0 / write the program"],
    );
    check(
        monitor!("exec = { command = [\"/bin/sh\"], exit = [] }"),
        &["2:40 `exit` is empty, so / leave it out for 0"],
    );
    check(
        monitor!("exec = { command = [\"/bin/sh\"], environment = { BELLWETHER_X = \"1\", 2A = \"\" } }"),
        &["2:49 the variable `BELLWETHER_X` begins with BELLWETHER_", "2:69 the variable `2A` must be letters"],
    );
}

#[test]
fn requests_are_checked() {
    let check = |table: &str, expected: &[&str]| check(&format!("[monitors.web]\n{table}\n"), expected);
    check("http = { method = \"POST\" }", &["2:19 unknown method \"POST\" / known methods: GET, HEAD, OPTIONS"]);
    check("http = { method = \"get\" }", &["2:19 unknown method \"get\" / did you mean `GET`?"]);
    check(
        "http = { method = \"HEAD\", body = \"ok\" }",
        &["2:34 an answer to HEAD has no body to look into / ask with GET, or leave @ 2:19"],
    );
    check(
        "http = { version = \"3\" }",
        &["2:20 \"3\" is no version of HTTP that is probed / write \"1.1\", \"2\", or"],
    );
    check("http = { version = 2 }", &["2:20 `version` must be a string such as \"2\", found the integer 2"]);
    check("http = { version = \"auto\" }", &["2:20 without TLS no version of HTTP can be agreed / write \"1.1\", or"]);
    check("http = { headers = \"a: b\" }", &["2:20 `headers` must be a table such as { Authorization ="]);
    check(
        "http.headers = { \"X Y\" = \"1\", Host = \"a\", TE = \"a\", A = \"b\\n\", B = \" c\", C = 1, \"\" = \"\" }",
        &[
            "2:18 `X Y` is no name of a header / letters, digits and hyphens",
            "2:31 the header Host is what `host` says / write host =",
            "2:43 the header `TE` is the probe's own / leave it out",
            "2:57 the header `A` has a value that cannot be sent / printable ASCII",
            "2:68 the header `B` has a value that cannot be sent / printable ASCII",
            "2:78 `C` must be a string such as \"Bearer abc\", found",
            "2:81 `` is no name of a header / letters, digits",
        ],
    );
    check("http.headers = { a = \"1\", A = \"2\" }", &["2:27 the header `a` stands twice @ 2:18"]);
    let long = format!("http.headers = {{ a = \"{}\" }}", "x".repeat(4_097));
    check(&long, &["2:22 the header `a` is longer than 4096 octets / servers refuse"]);
    let many: Vec<_> = (0..17).map(|number| format!("a{number} = \"\"")).collect();
    check(&format!("http.headers = {{ {} }}", many.join(", ")), &["2:16 `headers` has 17 fields, and can have 16"]);
}

#[test]
fn what_is_said_of_tls_is_checked() {
    let check = |table: &str, expected: &[&str]| check(&format!("[monitors.web]\n{table}\n"), expected);
    check("tls = {}", &["2:1 `tls` has no `port` / add port = 853"]);
    check("tls = { port = 1, alpn = [] }", &["2:26 `alpn` offers 0 protocols, and can offer 1 to 8 / leave it out"]);
    check("tls = { port = 1, alpn = [\"\"] }", &["2:27 \"\" is no name of a protocol / write one that is registered"]);
    check("tls = { port = 1, host = \"a\" }", &["2:19 unknown key `host` in `tls` / known keys: port, server-name,"]);
    check(
        "tls = { port = 1, server-name = \"::1\" }",
        &["2:33 `server-name` must be a name, not an address, / leave it"],
    );
    check("https = { expires = \"14\" }", &["2:21 `expires`: a time needs a unit / write \"14s\" for"]);
    check("https = { expires = \"2w53w\" }", &["2:21 `expires`: a time names each unit once / write a time"]);
    check("https = { expires = \"1000d\" }", &["2:21 `expires` must be 0s to 366d, found 1000d"]);
    check(
        "https = { ca = \"missing.pem\" }",
        &["2:16 missing.pem cannot be read: No such file / `ca` names a file in PEM"],
    );
    check("https = { ca = \"src\" }", &["2:16 src is not a file / `ca` names a file in PEM"]);
    check("https = { ca = \"Cargo.toml\" }", &["2:16 Cargo.toml holds no certificate in PEM"]);
    check("https = { ca = 1 }", &["2:16 `ca` must be a string such as \"ca.pem\", found"]);
    check(
        "https = { ca = \"ca.pem\", verify = false }",
        &["2:16 `ca` is never looked at where nothing is verified / leave one of the two out @ 2:35"],
    );
    check("https = { certificate = \"a.pem\" }", &["2:25 a client certificate needs its key / add key ="]);
    check("https = { key = \"a.pem\" }", &["2:17 a key needs its certificate / add certificate ="]);
    check(
        "https = { certificate = \"a.pem\", key = \"b.pem\" }",
        &["2:25 a.pem cannot be read / `certificate` names a", "2:40 b.pem cannot be read / `key` names a file"],
    );
    check("grpc = {}", &["2:1 `grpc` has no `port` / add port = 50051"]);
    check(
        "grpc = { port = 1, ca = \"a\" }",
        &["2:20 `ca` is for TLS, which this probe does not speak / add tls = true"],
    );
    check("grpc = { port = 1, service = \"a b\" }", &["2:30 \"a b\" is no name of a service / write it as"]);
}
