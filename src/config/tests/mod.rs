//! What policy files mean, and the checks through which the rules are tested.

mod budgets;
mod aliases;
mod faults;
mod folders;
mod hints;
mod latency;
mod places;
mod pool_faults;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{Apex, Atlas, Nameserver, Policies, ZoneTable, read_policies};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::health::{Comeback, Failback, HoldDown, ProbeId, Timing};
use crate::policy::{
    Answers, DEPTH_MAX, EndpointId, Given, MEMBERS_MAX, Member, MinAlive, PolicyName, PoolId, Target, WhenAllDown,
};
use crate::probe::{
    self, DnsProbe, DnsTransport, ExecProbe, GrpcProbe, HttpProbe, HttpVersion, Method, Monitor, Probe, PushProbe,
    Rcode, TcpProbe, TlsCheck, TlsProbe, Trust,
};
use crate::ttl::TtlRange;
use crate::wire::name::Name;

const S: fn(u64) -> Duration = Duration::from_secs;

fn name(text: &str) -> Name {
    Name::from_host(text).expect("a name")
}

/// Reads `text` as the policy file of example.com, with a register that numbers targets as they come; and the
/// targets, by number.
fn read(text: &str) -> (Option<Policies>, Vec<Diagnostic>, Vec<probe::Target>) {
    let mut ids: HashMap<probe::Target, ProbeId> = HashMap::new();
    let mut targets = Vec::new();
    let mut register = |target: probe::Target| {
        *ids.entry(target.clone()).or_insert_with(|| {
            targets.push(target);
            ProbeId(targets.len() as u32 - 1)
        })
    };
    let (policies, faults) =
        read_policies(Path::new("z.toml"), text, &name("example.com"), &Atlas::default(), &mut register);
    (policies, faults, targets)
}

/// Reads `text`, which must be without errors.
fn sound(text: &str) -> (Policies, Vec<probe::Target>) {
    let (policies, faults, targets) = read(text);
    let faults: Vec<_> = faults.iter().map(|fault| fault.render(false)).collect();
    (policies.unwrap_or_else(|| panic!("{}", faults.join("\n"))), targets)
}

/// Checks that `text` has exactly the errors that are expected, in order, and that nothing comes of it. Each is
/// "line:column part of the message", then " / part of the help" and " @ line:column of the other end" where
/// there are such.
fn check_faults(text: &str, expected: &[&str]) {
    let (policies, faults, targets) = read(text);
    assert_eq!((policies, targets), (None, vec![]), "something came of\n{text}");
    let errors: Vec<_> = faults.iter().filter(|fault| fault.severity == Severity::Error).collect();
    let listed: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), expected.len(), "of\n{text}\n{}", listed.join("\n"));
    for (fault, expected) in errors.iter().zip(expected) {
        check_fault(fault, expected);
    }
}

/// Checks that `text` is sound and has exactly these warnings, as in [`check_faults`].
fn check_warnings(text: &str, expected: &[&str]) {
    let (policies, faults, _) = read(text);
    let listed: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(policies.is_some() && faults.len() == expected.len(), "of\n{text}\n{}", listed.join("\n"));
    for (fault, expected) in faults.iter().zip(expected) {
        assert_eq!(fault.severity, Severity::Warning);
        check_fault(fault, expected);
    }
}

fn check_fault(fault: &Diagnostic, expected: &str) {
    let (rest, other) = expected.split_once(" @ ").unwrap_or((expected, ""));
    let (rest, help) = rest.split_once(" / ").unwrap_or((rest, ""));
    let (at, message) = rest.split_once(' ').expect("a place and a message");
    let at_of = |place: &Place| format!("{}:{}", place.line, place.column);
    assert_eq!(at_of(&fault.place), at, "{fault}");
    assert!(fault.message.contains(message), "{message:?} is not in: {fault}");
    let found = fault.help.as_deref().unwrap_or_default();
    assert!(found.contains(help) && found.is_empty() == help.is_empty(), "{help:?} is not the help of: {fault}");
    assert_eq!(fault.other.as_ref().map(|(place, _)| at_of(place)).unwrap_or_default(), other, "of: {fault}");
}

/// The example of the README and of the design, with `failover` in place of `geo`.
const EXAMPLE: &str = r#"
# The file name is the zone. [zone] is needed only where there is no .zone file beside this one.
[zone]
nameservers = ["ns1.example.com", "ns2.example.com"]
contact     = "hostmaster.example.com"
ttl         = "1h"

[monitors.web]
https    = { path = "/healthz", host = "www.example.com", status = ["200-299"], body = "ok" }
interval = "5s"        # between probes while all is well
fast     = "1s"        # between probes while a verdict is forming
timeout  = "2s"
fall     = 3           # failures that turn up into down
rise     = 2           # successes that turn down into up

[pools.frankfurt]
policy    = "weighted"
monitor   = "web"
place     = { latitude = 50.1, longitude = 8.7 }
endpoints = [
  { name = "fra1", address = "192.0.2.10",  weight = 4 },
  { name = "fra2", address = "192.0.2.11",  weight = 1 },
  { name = "fra1-v6", address = "2001:db8::10" },
]

[pools.virginia]
policy    = "round-robin"
monitor   = "web"
place     = { latitude = 38.9, longitude = -77.4 }
endpoints = ["198.51.100.10", "198.51.100.11"]      # short form: name = address, weight = 1

[pools.world]
policy  = "failover"
members = [
  { pool = "frankfurt" },
  { pool = "virginia" },
]

[names]
"www" = { pool = "world", failover = "30s" }
"@"   = { pool = "world", failover = "30s", answers = 2, when-all-down = "serve-all" }
"#;

#[test]
fn the_example_means_what_it_says() {
    check_warnings(EXAMPLE, &[]);
    let (policies, targets) = sound(EXAMPLE);
    let Some(ZoneTable::Apex(apex)) = policies.apex else { panic!("no apex") };
    let nameserver = |text: &str| Nameserver { name: name(text), addresses: vec![] };
    assert_eq!(apex.nameservers, [nameserver("ns1.example.com"), nameserver("ns2.example.com")]);
    assert_eq!((apex.contact, apex.ttl, apex.serial), (name("hostmaster.example.com"), 3_600, None));
    assert_eq!(apex.place.line, 3);

    let pools: Vec<_> = policies
        .pools
        .pools
        .iter()
        .map(|pool| (&*pool.name, pool.policy.name(), pool.members.len(), pool.min_alive))
        .collect();
    assert_eq!(
        pools,
        [
            ("frankfurt", PolicyName::Weighted, 3, MinAlive::Count(1)),
            ("virginia", PolicyName::RoundRobin, 2, MinAlive::Count(1)),
            ("world", PolicyName::Failover, 2, MinAlive::Count(1)),
        ]
    );
    let weights: Vec<_> = policies.pools.pools[0].members.iter().map(|member| member.weight).collect();
    assert_eq!(weights, [4, 1, 1]);
    let member = |id| Member { target: Target::Pool(PoolId(id)), weight: 1 };
    assert_eq!(*policies.pools.pools[2].members, [member(0), member(1)]);
    let endpoints: Vec<_> = policies
        .pools
        .endpoints
        .iter()
        .map(|endpoint| (&*endpoint.name, endpoint.given, endpoint.judged.probes.first().map(|probe| probe.0)))
        .collect();
    let endpoint =
        |name, address: &str, probe| (name, Given::Address(address.parse().expect("an address")), Some(probe));
    assert_eq!(
        endpoints,
        [
            endpoint("fra1", "192.0.2.10", 0),
            endpoint("fra2", "192.0.2.11", 1),
            endpoint("fra1-v6", "2001:db8::10", 2),
            endpoint("198.51.100.10", "198.51.100.10", 3),
            endpoint("198.51.100.11", "198.51.100.11", 4),
        ]
    );
    let http = HttpProbe {
        host: Some("www.example.com".to_owned()),
        body: Some("ok".to_owned()),
        tls: Some(TlsCheck::verified()),
        ..HttpProbe::get(443, "/healthz")
    };
    assert_eq!(
        *targets[4].monitor,
        Monitor { probe: Probe::Http(http), timing: Timing::default(), comeback: Comeback::default() }
    );

    let [www, at] = &policies.names[..] else { panic!("two names") };
    assert_eq!((&www.owner, www.root, www.answers), (&name("www.example.com"), PoolId(2), Answers::Best(1)));
    assert_eq!(
        (www.place.line, www.place.column, www.place.text.as_str()),
        (40, 1, EXAMPLE.lines().nth(39).expect("a line"))
    );
    assert_eq!((www.plan.range, www.plan.failover), (TtlRange { min: 5, max: 23 }, S(30)));
    assert_eq!((&at.owner, at.answers), (&name("example.com"), Answers::Best(2)));
    assert_eq!(at.when_all_down, WhenAllDown::ServeAll);
}

#[test]
fn the_zone_has_defaults_and_takes_glue() {
    let text = r#"
        [zone]
        nameservers = [{ name = "NS1.Example.com", addresses = ["192.0.2.1", "2001:db8::1"] }, "ns.example.net."]
        contact = "first\\.last.example.com."
        serial = 2_026_010_100
        negative-ttl = "1m30s""#;
    let Some(ZoneTable::Apex(apex)) = sound(text).0.apex else { panic!("no apex") };
    let addresses = vec!["192.0.2.1".parse().expect("an address"), "2001:db8::1".parse().expect("an address")];
    let expected = Apex {
        place: apex.place.clone(),
        nameservers: vec![
            Nameserver { name: name("ns1.example.com"), addresses },
            Nameserver { name: name("ns.example.net"), addresses: vec![] },
        ],
        contact: name("first\\.last.example.com"),
        ttl: 3_600,
        serial: Some(2_026_010_100),
        refresh: 3_600,
        retry: 900,
        expire: 1_209_600,
        negative_ttl: 90,
    };
    assert_eq!(apex, expected);
}

#[test]
fn monitors_have_defaults_that_shrink_with_the_interval() {
    let check = |monitor: &str, expected: Monitor| {
        let text = format!(
            "[monitors.m]\n{monitor}\n[pools.p]\npolicy = \"failover\"\nmonitor = \"m\"\nendpoints = [\"192.0.2.1\"]"
        );
        assert_eq!(*sound(&text).1[0].monitor, expected, "{monitor}");
    };
    let timing = Timing::default();
    let comeback = Comeback::default();
    let http = |http: HttpProbe| Monitor { probe: Probe::Http(http), timing, comeback };
    let plain = HttpProbe::get(80, "/");
    let secure = HttpProbe { port: 443, tls: Some(TlsCheck::verified()), ..plain.clone() };
    let anyone = TlsCheck { trust: Trust::Anyone, ..TlsCheck::verified() };
    check("http = {}", http(plain.clone()));
    check("https = {}", http(secure.clone()));
    check(
        "https = { verify = false, port = 8443 }",
        http(HttpProbe { port: 8443, tls: Some(anyone.clone()), ..secure.clone() }),
    );
    check(
        "http.host = 'WWW.Example.com.'",
        http(HttpProbe { host: Some("www.example.com".to_owned()), ..plain.clone() }),
    );
    // In order, joined where they overlap or touch.
    let status = vec![200..=250, 302..=302, 404..=404];
    check("http.status = ['404', 302, '200-204', '205-250', '210-220']", http(HttpProbe { status, ..plain.clone() }));
    check("http.path = '/a?b=%20c'", http(HttpProbe { path: "/a?b=%20c".to_owned(), ..plain.clone() }));
    check("http.method = 'HEAD'", http(HttpProbe { method: Method::Head, ..plain.clone() }));
    check("http.version = '2'", http(HttpProbe { version: HttpVersion::Http2, ..plain.clone() }));
    check("https.version = 'auto'", http(HttpProbe { version: HttpVersion::Agreed, ..secure.clone() }));
    let headers = [("authorization", "Bearer abc"), ("x-probe", "1")].map(|(name, value)| (name.into(), value.into()));
    check(
        "http.headers = { X-Probe = '1', Authorization = 'Bearer abc' }",
        http(HttpProbe { headers: headers.into(), ..plain }),
    );
    let tls =
        TlsCheck { server_name: Some("a.example".to_owned()), warn_before: S(30 * 86_400), ..TlsCheck::verified() };
    check("https = { server-name = 'a.example', expires = '30d' }", http(HttpProbe { tls: Some(tls), ..secure }));

    let shaken = |probe: TlsProbe| Monitor { probe: Probe::Tls(probe), timing, comeback };
    let dot = TlsProbe { port: 853, alpn: Vec::new(), check: TlsCheck::verified() };
    check("tls.port = 853", shaken(dot.clone()));
    check("tls = { port = 853, alpn = ['dot'] }", shaken(TlsProbe { alpn: vec!["dot".to_owned()], ..dot.clone() }));
    check("tls = { port = 853, verify = false }", shaken(TlsProbe { check: anyone, ..dot }));

    let called = |probe: GrpcProbe| Monitor { probe: Probe::Grpc(probe), timing, comeback };
    let server = GrpcProbe { port: 50051, service: String::new(), host: None, tls: None };
    check("grpc.port = 50051", called(server.clone()));
    let service = GrpcProbe { service: "a.b.C".to_owned(), tls: Some(TlsCheck::verified()), ..server };
    check("grpc = { port = 50051, service = 'a.b.C', tls = true }", called(service));

    let tcp = |timing| Monitor { probe: Probe::Tcp(TcpProbe::connect(443)), timing, comeback };
    let ms = Duration::from_millis;
    check("tcp.port = 443\ninterval = '30s'", tcp(Timing { interval: S(30), ..timing }));
    check("tcp.port = 443\ninterval = '1500ms'", tcp(Timing { interval: ms(1_500), timeout: ms(1_500), ..timing }));
    let quick = Timing { interval: ms(200), fast: ms(200), timeout: ms(200), ..timing };
    check("tcp.port = 443\ninterval = '200ms'", tcp(quick));
    check(
        "tcp.port = 0x1bb\ninterval = '200ms'\nfast = '100ms'\nfall = 1\nrise = 100",
        tcp(Timing { fast: ms(100), fall: 1, rise: 100, ..quick }),
    );
    let said = TcpProbe { send: (*b"PING\r\n").into(), expect: (*b"\x00\xff").into(), ..TcpProbe::connect(6379) };
    check(
        "tcp = { port = 6379, send = \"PING\\r\\n\", expect-hex = '00 fF' }",
        Monitor { probe: Probe::Tcp(said), timing, comeback },
    );
    check("ping = {}", Monitor { probe: Probe::Icmp, timing, comeback });
    let gap = Duration::from_millis(100);
    let lease = Timing { interval: gap, fast: gap, timeout: S(30), fall: 1, rise: 1 };
    let push = Probe::Push(PushProbe { lease: S(30) });
    check("push = { lease = '30s' }", Monitor { probe: push.clone(), timing: lease, comeback });
    check("push.lease = '30s'\nfall = 2", Monitor { probe: push, timing: Timing { fall: 2, ..lease }, comeback });
    let dns = DnsProbe {
        port: 5353,
        name: "www.example.org.".to_owned(),
        record_type: "AAAA".to_owned(),
        rcode: Rcode(3),
        answer: vec!["2001:db8::1".to_owned()],
        transport: DnsTransport::Tcp,
        recursion: true,
    };
    check(
        "dns = { name = 'www.Example.org', port = 5353, type = 'aaaa', rcode = 'nxdomain', answer = '2001:DB8:0::1', \
         transport = 'tcp', recursion = true }",
        Monitor { probe: Probe::Dns(dns), timing, comeback },
    );
    let exec = ExecProbe {
        command: vec!["/bin/sh".to_owned(), "-c".to_owned()],
        environment: vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())],
        exit: vec![0, 1],
        port: None,
    };
    check(
        "exec = { command = ['/bin/sh', '-c'], environment = { B = '2', A = '1' }, exit = [1, 0, 1] }",
        Monitor { probe: Probe::Exec(exec), timing, comeback },
    );

    let back = |key: &str, comeback: Comeback| {
        let probe = Probe::Tcp(TcpProbe::connect(443));
        check(&format!("tcp.port = 443\n{key}"), Monitor { probe, timing, comeback });
    };
    let hold = |first: u64, most: u64, window: u64| Comeback {
        hold_down: HoldDown { first: S(first), most: S(most), window: S(window) },
        ..comeback
    };
    back("", hold(10, 300, 600));
    back("hold-down = '30s'", hold(30, 300, 600));
    back("hold-down = '0s'", Comeback { hold_down: HoldDown::OFF, ..comeback });
    back("hold-down = '10m'", hold(600, 600, 600));
    back("hold-down = { first = '5s', most = '5s', window = '1h' }", hold(5, 5, 3_600));
    back("hold-down.most = '1h'", hold(10, 3_600, 600));
    back("hold-down.first = '0s'", hold(0, 300, 600));
    back("slow-start = '30s'", Comeback { slow_start: S(30), ..comeback });
    back("slow-start = '0s'", comeback);
    back("failback = 'manual'", Comeback { failback: Failback::Manual, ..comeback });
    back("failback = 'auto'", comeback);
}

#[test]
fn another_address_may_be_probed_than_the_one_that_is_answered() {
    let check = |monitor: &str, endpoint: &str, expected: &str| {
        let text = format!(
            "[monitors.m]\n{monitor}\n[pools.p]\npolicy = 'failover'\nmonitor = 'm'\n\
             endpoints = ['192.0.2.1', {{ address = '2001:db8::1'{endpoint} }}]\n[names]\nwww = 'p'\n"
        );
        let (_, targets) = sound(&text);
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        assert_eq!(targets.join(" "), expected, "{text}");
    };
    check("tcp.port = 80", "", "tcp://192.0.2.1:80 tcp://[2001:db8::1]:80");
    check("tcp.port = 80", ", probe = 81", "tcp://192.0.2.1:80 tcp://[2001:db8::1]:81");
    check("tcp.port = 80", ", probe = '10.0.0.5:81'", "tcp://192.0.2.1:80 tcp://10.0.0.5:81");
    check("tcp.port = 80\naddress = '127.0.0.1'", ", probe = '::1'", "tcp://127.0.0.1:80");
    check("tcp.port = 80\naddress = '127.0.0.1'", ", probe = 81", "tcp://127.0.0.1:80");
    check("ping = {}\naddress = '127.0.0.1'", "", "icmp://127.0.0.1");
}

#[test]
fn pools_nest_children_first_and_keep_their_order() {
    let text = r#"
        monitors.m.tcp.port = 80
        [pools.a]
        policy = "weighted"
        monitor = "m"
        members = ["c", { pool = "b", weight = 0 }]
        endpoints = ["192.0.2.1"]
        min-alive = "50%"
        [pools.b]
        policy = "failover"
        members = ["c"]
        [pools.c]
        policy = "round-robin"
        endpoints = ["192.0.2.1", "192.0.2.2"]
        min-alive = 2
        [names]
        www = "a""#;
    let (policies, targets) = sound(text);
    let names: Vec<_> = policies.pools.pools.iter().map(|pool| &*pool.name).collect();
    assert_eq!(names, ["c", "b", "a"]);
    // Endpoints stand before pools, whichever list the file has first.
    let member = |target, weight| Member { target, weight };
    let members = [
        member(Target::Endpoint(EndpointId(2)), 1),
        member(Target::Pool(PoolId(0)), 1),
        member(Target::Pool(PoolId(1)), 0),
    ];
    assert_eq!(*policies.pools.pools[2].members, members);
    assert_eq!(policies.pools.pools[2].min_alive, MinAlive::Percent(50));
    assert_eq!(policies.pools.pools[0].min_alive, MinAlive::Count(2));
    // A monitor judges its own pool's endpoints, not those of the pools in it.
    let probes: Vec<_> =
        policies.pools.endpoints.iter().map(|endpoint| endpoint.judged.probes.first().copied()).collect();
    assert_eq!((probes, targets.len()), (vec![None, None, Some(ProbeId(0))], 1));
}

#[test]
fn equal_monitors_are_one() {
    let text = r#"
        monitors.one.tcp.port = 80
        monitors.two.tcp.port = 80
        [pools.a]
        policy = "failover"
        monitor = "one"
        endpoints = ["192.0.2.1"]
        [pools.b]
        policy = "failover"
        monitor = "two"
        endpoints = ["192.0.2.1", "192.0.2.2"]"#;
    let (policies, targets) = sound(text);
    let probes: Vec<_> =
        policies.pools.endpoints.iter().map(|endpoint| endpoint.judged.probes.first().copied()).collect();
    assert_eq!((probes, targets.len()), (vec![Some(ProbeId(0)), Some(ProbeId(0)), Some(ProbeId(1))], 2));
}

/// A pool of each policy, with a monitor and without.
const POOLS: &str = r#"
    monitors.m.tcp.port = 80
    pools.each = { policy = "round-robin", monitor = "m", endpoints = ["192.0.2.1"] }
    pools.best = { policy = "failover", monitor = "m", endpoints = ["192.0.2.1"] }
    pools.blind = { policy = "weighted", endpoints = ["192.0.2.1"] }
    [names]
"#;

#[test]
fn names_are_completed_and_have_defaults() {
    let check = |key: &str, value: &str, expected: (&str, PoolId, Answers, WhenAllDown, (u32, u32))| {
        let policies = sound(&format!("{POOLS}{key} = {value}")).0;
        let [balanced] = &policies.names[..] else { panic!("one name") };
        let range = (balanced.plan.range.min, balanced.plan.range.max);
        let got = (balanced.owner.to_string(), balanced.root, balanced.answers, balanced.when_all_down.clone(), range);
        assert_eq!(got, (expected.0.to_owned(), expected.1, expected.2, expected.3, expected.4), "{key} = {value}");
    };
    use Answers::{Best, EachMember};
    use WhenAllDown::*;
    let (each, best, blind) = (PoolId(0), PoolId(1), PoolId(2));
    let www = "www.example.com.";
    check("www", "'each'", (www, each, EachMember, ServeAll, (5, 53)));
    check("WWW", "'best'", (www, best, Best(1), ServeAll, (5, 53)));
    check("'www.example.com.'", "'blind'", (www, blind, Best(1), ServeAll, (5, 60)));
    check("'www.EXAMPLE.com.'", "{ pool = 'blind', failover = '30s' }", (www, blind, Best(1), ServeAll, (5, 30)));
    check("'@'", "{ pool = 'each', answers = 64 }", ("example.com.", each, Best(64), ServeAll, (5, 53)));
    check("'*'", "{ pool = 'each', answers = 'all' }", ("*.example.com.", each, Best(64), ServeAll, (5, 53)));
    check(
        "'*.eu'",
        "{ pool = 'best', when-all-down = 'last-good' }",
        ("*.eu.example.com.", best, Best(1), LastGood, (5, 53)),
    );
    check("a", "{ pool = 'best', when-all-down = 'nodata' }", ("a.example.com.", best, Best(1), NoData, (5, 53)));
    check("a", "{ pool = 'best', when-all-down = 'servfail' }", ("a.example.com.", best, Best(1), ServFail, (5, 53)));
    check("a", "{ pool = 'best', when-all-down = 'refused' }", ("a.example.com.", best, Best(1), Refused, (5, 53)));
    let sorry = || Addresses(["192.0.2.9", "2001:db8::9"].map(|text| text.parse().expect("an address")).into());
    check(
        "a",
        "{ pool = 'best', when-all-down = ['192.0.2.9', '2001:db8::9'] }",
        ("a.example.com.", best, Best(1), sorry(), (5, 53)),
    );
    check(
        "a",
        "{ pool = 'best', ttl-min = '2s', failover = '15s' }",
        ("a.example.com.", best, Best(1), ServeAll, (2, 8)),
    );
    check(
        "a",
        "{ pool = 'best', ttl = { min = '3s', max = '1m' } }",
        ("a.example.com.", best, Best(1), ServeAll, (3, 60)),
    );
}

#[test]
fn what_is_probably_a_slip_is_warned_of() {
    let check = check_warnings;
    check("", &[]);
    check("[pools]\n[names]\n[monitors]\n", &[]);
    check("[monitors.m]\ntcp = { port = 80 }\n", &["1:11 no pool uses the monitor `m`"]);
    check(
        "[pools.a]\npolicy = 'failover'\nendpoints = ['192.0.2.1']\n[names]\nwww = 'a'\n",
        &["1:8 pool `a` has no monitor: its endpoints always count as alive / monitor = \"NAME\""],
    );
    let own = |own: &str, rest: &str| {
        format!(
            "monitors.m.tcp.port = 80\nnames.www = 'a'\n[pools.a]\npolicy = 'failover'\n\
             endpoints = [{{ name = 'own', address = '192.0.2.1'{own} }}, {rest}]\n"
        )
    };
    let judged = ", monitor = 'm'";
    check(
        &own(judged, "{ name = 'bare', address = '192.0.2.2' }, { name = 'led', cname = 'www.example.net' }"),
        &[
            "3:8 pool `a` has no monitor, nor has its endpoint bare: that always counts as alive / monitor = \"NAME\"",
            "5:136 nothing watches www.example.net.: an alias always counts as alive / monitors probe addresses",
        ],
    );
    check(
        &own(judged, "'192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6'"),
        &[
            "3:8 nor have its endpoints 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5 and 1 more: these always count as alive / monitor = \"NAME\"",
        ],
    );
    check(&own(judged, ""), &[]);
    let sound =
        "monitors.m.tcp.port = 80\npools.a = { policy = 'failover', monitor = 'm', endpoints = ['192.0.2.1'] }\n";
    let with = |rest: &str| format!("{sound}{rest}");
    check(&with(""), &["2:7 no name leads to the pool `a`"]);
    check(&with("names.www = 'a'\n"), &[]);
    check(&with("pools.b = { policy = 'failover', members = ['a'] }\nnames.www = 'b'\n"), &[]);
    check(
        &with("pools.b = { policy = 'failover', members = ['a'] }\n"),
        &["2:7 no name leads to the pool `a`", "3:7 no name leads to the pool `b`"],
    );
    check(
        &with("pools.b = { policy = 'failover', members = [{ pool = 'a', weight = 2 }] }\nnames.www = 'b'\n"),
        &["3:59 `weight` has no effect / policy = \"weighted\""],
    );
    check(
        &with(
            "[names]\n'www.example.com' = 'a'\n'Example.com' = 'a'\n'www.example.com.' = 'a'\n'aexample.com' = 'a'\n",
        ),
        &[
            "4:1 it stands for www.example.com.example.com. / for www.example.com. write \"www\"",
            "5:1 it stands for example.com.example.com. / for Example.com. write \"@\"",
        ],
    );
    check(
        "[zone]\nnameservers = ['ns1']\ncontact = 'hostmaster.example.com'\n",
        &["2:16 \"ns1\" is a top-level domain / write the whole name"],
    );
}

#[test]
fn towers_of_pools_are_bounded() {
    let tower = |height: usize| {
        let mut text = "pools.p1 = { policy = 'failover', endpoints = ['192.0.2.1'] }\n".to_owned();
        for storey in 2..=height {
            text += &format!("pools.p{storey} = {{ policy = 'failover', members = ['p{}'] }}\n", storey - 1);
        }
        text
    };
    sound(&tower(DEPTH_MAX));
    check_faults(&tower(DEPTH_MAX + 1), &["17:7 pools are nested deeper than 16: p17 → p16 → "]);
    // One fault for one tower, and no recursion on a deep one.
    check_faults(&tower(20_000), &["17:7 pools are nested deeper than 16: p17 → p16 → "]);
}

#[test]
fn what_a_file_holds_is_bounded() {
    let pool = |members: usize| {
        let address = |at: usize| format!("'2001:db8::{:x}:{:x}'", at >> 16, at & 0xffff);
        let endpoints: Vec<_> = (1..=members).map(address).collect();
        format!("pools.a = {{ policy = 'failover', endpoints = [{}] }}\n", endpoints.join(","))
    };
    sound(&pool(MEMBERS_MAX));
    check_faults(&pool(MEMBERS_MAX + 1), &["1:7 a pool can have 65536 members, found 65537 / part it"]);

    let long = |octets: usize| "x".repeat(octets);
    let http = |setting: String| format!("monitors.m.http.{setting}");
    check_faults(&http(format!("path = '/{}'", long(2_048))), &["1:24 `path` cannot be longer than 2048 octets"]);
    check_faults(&http(format!("body = '{}'", long(65_537))), &["1:24 `body` is longer than the 65536 octets"]);
    let sorry: Vec<_> = (0..65).map(|at| format!("'192.0.2.{at}'")).collect();
    let text = format!("{POOLS}www = {{ pool = 'each', when-all-down = [{}] }}", sorry.join(","));
    check_faults(&text, &["7:40 must list 1 to 64 addresses, found 65 / write \"nodata\""]);

    let (_, faults, _) = read(&(0..3_000).map(|at| format!("names.n{at} = 1\n")).collect::<String>());
    assert_eq!((faults.len(), faults[1_000].message.as_str()), (1_001, "not listed of this file: 2000 more errors"));
    let (_, faults, _) = read(&"#".repeat(super::FILE_OCTETS_MAX + 1));
    assert_eq!(faults[0].message, "a policy file cannot be longer than 67108864 octets");
    // A long line is not shown, and its column is still told.
    let (_, faults, _) = read(&format!("zebra = 1 #{}", "x".repeat(5_000)));
    assert_eq!((faults[0].place.column, faults[0].place.text.as_str()), (1, ""));
    assert!(faults[0].render(false).contains("zebra"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        read(&text);
    }

    /// Lines that are nearly right find more than random text does.
    #[test]
    fn no_shuffled_file_panics(lines in prop::collection::vec(prop::sample::select(lines()), 0..24)) {
        let (policies, faults, _) = read(&lines.join("\n"));
        prop_assert_eq!(policies.is_none(), faults.iter().any(|fault| fault.severity == Severity::Error));
        for fault in faults {
            fault.render(false);
        }
    }

    #[test]
    fn no_cut_or_changed_file_panics(at in 0..EXAMPLE.len(), octet in "\\PC|\n|\"|[\\[\\]{}=,.]") {
        read(&EXAMPLE[..at]);
        read(&format!("{}{octet}{}", &EXAMPLE[..at], &EXAMPLE[at + 1..]));
    }
}

fn lines() -> Vec<&'static str> {
    let more = [
        "[pools.a]",
        "[pools.b]",
        "[[pools.a.endpoints]]",
        "address = '192.0.2.1'",
        "members = ['a', 'b', 3, {}]",
        "endpoints = [{}, 'x', [], '::1']",
        "min-alive = '50%'",
        "min-alive = '50% of weight'",
        "endpoints = [{ cname = 'a.example.com', address = '::1' }, { cname = 'a.example.com' }, { cname = 3 }]",
        "pools = 3",
        "[names]",
        "a = 'a'",
        "'a..b' = 'b'",
        "www.eu = 'a'",
        "[monitors.a.b]",
        "tcp = { port = 1e3 }",
        "ttl = { min = '1s' }",
        "\"\\u0000\" = nan",
    ];
    EXAMPLE.lines().chain(more).collect()
}

/// A file so long that its names are read apart: what comes of it is what comes of one that is read whole, which a
/// comment behind the header makes it.
#[test]
fn names_of_a_long_file_are_read_as_ever() {
    let name = |at: usize| match at % 4 {
        0 => format!("\"n{at}\" = \"world\"\n"),
        1 => format!("n{at} = {{ pool = \"world\", ttl = {{ min = \"5s\", max = \"9s\" }}, answers = 2 }} # {at}\n"),
        2 => format!("\"n{at}\" = {{ pool = \"world\", when-all-down = [\n\"192.0.2.1\",\n ] }}\n"),
        _ => format!("n{at}.pool = \"world\"\nn{at}.ttl-min = \"7s\"\n\n"),
    };
    let pools = "[pools.world]\npolicy = \"random\"\nendpoints = [\"192.0.2.1\"]\n";
    let zone = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"h.example.net\"\n";
    let names: String = (0..300).map(name).collect();
    let check = |extra: &str, expected: &[&str]| {
        let [apart, whole] = ["", " # all"].map(|comment| format!("{pools}[names]{comment}\n{names}{extra}\n{zone}"));
        assert!(super::names_apart::apart(&apart).is_some_and(|apart| apart.blocks.len() > 3));
        assert!(super::names_apart::apart(&whole).is_none());
        let (apart, whole) = (read(&apart), read(&whole));
        let texts: Vec<String> = apart.1.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), expected.len(), "{texts:?}");
        for (text, expected) in texts.iter().zip(expected) {
            assert!(text.contains(expected), "{expected:?} is not in {text:?}");
        }
        assert!(apart == whole, "{extra}");
    };
    let unwatched = "`world` has no monitor";
    check("", &[unwatched]);
    check("one = { pool = \"world\", spread = true }", &[unwatched, "`spread` has no effect"]);
    check("[names.sub]\npool = \"world\"", &[unwatched]);
    check("n0 = \"world\"", &["`n0` stands twice"]);
    check("\"N0\" = \"world\"", &[unwatched, "n0.example.com. stands twice"]);
    check("www.eu = \"world\"", &[unwatched, "`www.eu` is not quoted"]);
    check("one = \"wolrd\"", &[unwatched, "there is no pool `wolrd`"]);
    check("one = \"\"\"\n\"two\"", &["not TOML"]);
}
