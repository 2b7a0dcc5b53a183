//! Every transport by the programs that people have: kdig and curl, Unbound as a resolver over TLS, dnsdist in front.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use hickory_proto::rr::RecordType;

use crate::support::address::{self, own_ip};
use crate::support::client::addresses;
use crate::support::dig::{Dig, Program};
use crate::support::dnsdist::Dnsdist;
use crate::support::peer;
use crate::support::server::{BELLWETHER, Launch, Server, Zones};
use crate::support::unbound::Unbound;

const ZONE: &str = include_str!("example.com.zone");

const HOST: &str = "ns1.example.com";

const TLS: u16 = 8853;
const HTTPS: u16 = 8443;

/// A certificate of its own for [`HOST`] and `ip`, and its key.
fn pair(ip: Ipv4Addr) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned(), ip.to_string()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A server on `ip` with every door open.
fn server(ip: Ipv4Addr) -> Server {
    let (chain, key) = pair(ip);
    let text = format!(
        "[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\ndot = ['{ip}:{TLS}']\ndoh = ['{ip}:{HTTPS}']\ndoq = ['{ip}:{TLS}']\n"
    );
    Launch::new()
        .file("example.com.zone", ZONE)
        .listen(SocketAddr::new(ip.into(), address::DNS_PORT))
        .config("bellwether.toml", &text)
        .config("cert.pem", &chain)
        .config("key.pem", &key)
        .start()
}

fn roots(server: &Server) -> String {
    let folder = server.config.as_ref().expect("a server file").path();
    folder.join("cert.pem").to_str().expect("a readable path").to_owned()
}

/// The same questions by every transport, and the same answers.
#[test]
fn kdig_gets_the_same_over_every_transport() {
    let server = server(own_ip());
    let Some(kdig) = Dig::find(Program::Kdig) else { return };
    let roots = format!("+tls-ca={}", roots(&server));
    let host = format!("+tls-hostname={HOST}");
    let [tls, https] = [TLS, HTTPS].map(|port| SocketAddr::new(server.address.ip(), port));
    for (name, rtype) in [
        ("www.example.com", "A"),
        ("example.com", "MX"),
        ("big.example.com", "TXT"),
        ("nowhere.example.com", "A"),
        ("host.sub.example.com", "A"),
        ("www.example.org", "A"),
    ] {
        let plain = kdig.ask(server.address, &[name, rtype, "+tcp"]);
        for (address, switches) in [
            (tls, &["+tls"][..]),
            (https, &["+https"]),
            (https, &["+https", "+https-get"]),
            // Of a certificate kdig 3.2 takes no notice over QUIC.
            (tls, &["+quic"]),
        ] {
            let mut words = vec![name, rtype];
            words.extend(switches);
            if !switches.contains(&"+quic") {
                words.extend([roots.as_str(), &host]);
            }
            let reply = kdig.ask(address, &words);
            assert_eq!(reply.status, plain.status, "{switches:?}: {}", reply.text);
            assert_eq!(reply.data(), plain.data(), "{switches:?}: {}", reply.text);
            assert_eq!(reply.authority.len(), plain.authority.len(), "{switches:?}: {}", reply.text);
        }
    }
}

#[test]
fn curl_speaks_https_in_both_versions() {
    let server = server(own_ip());
    let Some(curl) = peer::find("curl", "curl") else { return };
    let url =
        format!("https://{}:{HTTPS}/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB", server.address.ip());
    for (switch, version) in [("--http2", "HTTP/2 200"), ("--http1.1", "HTTP/1.1 200 OK")] {
        let output = Command::new(&curl)
            .args(["--silent", "--show-error", "--include", switch, "--cacert", &roots(&server), &url])
            .stdin(Stdio::null())
            .output()
            .expect("an installed program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.starts_with(version), "{text}");
        assert!(text.contains("application/dns-message") && text.contains("max-age="), "{text}");
    }
}

#[test]
fn unbound_resolves_over_tls() {
    let server = server(own_ip());
    let tls = SocketAddr::new(server.address.ip(), TLS);
    let Some(unbound) = Unbound::over_tls(tls, "example.com", &roots(&server), HOST) else { return };
    let answer = unbound.client().ask("www.example.com", RecordType::A);
    assert_eq!(addresses(&answer).len(), 3);
    // Too large for a datagram between the two of them, were it not for TLS.
    assert_eq!(unbound.client().ask_tcp("big.example.com", RecordType::TXT).answers.len(), 60);
}

#[test]
fn a_saved_certificate_is_served() {
    let mut server = server(own_ip());
    let Some(kdig) = Dig::find(Program::Kdig) else { return };
    let tls = SocketAddr::new(server.address.ip(), TLS);
    let folder = server.config.as_ref().expect("a server file").path().to_owned();
    let IpAddr::V4(ip) = server.address.ip() else { unreachable!("it was given") };
    // Half of the new pair is a fault, which is told; the other half mends it.
    let (chain, key) = pair(ip);
    let said = server.process.lines_said();
    std::fs::write(folder.join("key.pem"), key).expect("written");
    server.process.await_line(said, "that the key is another's", |line| line.contains("stays in use"));
    let said = server.process.lines_said();
    std::fs::write(folder.join("cert.pem"), chain).expect("written");
    server.process.await_line(said, "that it is served", |line| line.contains("the certificate was replaced"));
    let roots = format!("+tls-ca={}", folder.join("cert.pem").display());
    let host = format!("+tls-hostname={HOST}");
    let reply = kdig.ask(tls, &["v4.example.com", "A", "+tls", &roots, &host]);
    assert_eq!(reply.data(), ["192.0.2.4"], "{}", reply.text);
}

/// Clients from two networks come by dnsdist, and each gets what a policy has for its network; the front end itself
/// gets a third answer.
#[test]
fn dnsdist_tells_whose_query_it_is() {
    // Clients are told apart by their /24; these only ever ask, so that no other test minds.
    let [near, far, other] = [1, 2, 3].map(|network| Ipv4Addr::new(127, 64, network, 7));
    let front = own_ip();
    let policy = "[pools.near]\npolicy = 'round-robin'\nendpoints = ['192.0.2.10']\n\
         [pools.far]\npolicy = 'round-robin'\nendpoints = ['192.0.2.20']\n\
         [pools.rest]\npolicy = 'round-robin'\nendpoints = ['192.0.2.30']\n\
         [pools.world]\npolicy = 'geo'\nmembers = [{ pool = 'near', networks = ['127.64.1.0/24'] }, \
         { pool = 'far', networks = ['127.64.2.0/24'] }, 'rest']\notherwise = 'rest'\n\
         [names]\nhere = 'world'\n";
    let server = Launch::new()
        .file("example.com.zone", ZONE)
        .file("example.com.toml", policy)
        .config("bellwether.toml", &format!("[proxy]\nfrom = ['{front}/32']\n"))
        .start();
    let source = SocketAddr::new(front.into(), 0);
    let Some(dnsdist) = Dnsdist::in_front_of(server.address, source, "example.com") else { return };
    let Some(kdig) = Dig::find(Program::Kdig) else { return };
    for (client, expected) in [(near, "192.0.2.10"), (far, "192.0.2.20"), (other, "192.0.2.30")] {
        for transport in ["+notcp", "+tcp"] {
            let reply = kdig.ask(dnsdist.address, &["here.example.com", "A", transport, "-b", &client.to_string()]);
            assert_eq!(reply.data(), [expected], "{client} {transport}: {}", reply.text);
        }
    }
    // Who is no front end is the client, and is answered as ever.
    let reply = kdig.ask(server.address, &["here.example.com", "A", "-b", &near.to_string()]);
    assert_eq!(reply.data(), ["192.0.2.10"], "{}", reply.text);
    // A listed front end is not answered without its header.
    let mut bare = Command::new("kdig");
    bare.arg(format!("@{}", server.address.ip())).args(["-p", &server.address.port().to_string()]);
    bare.args(["-b", &front.to_string(), "here.example.com", "A", "+retry=0", "+time=1"]);
    let output = bare.output().expect("an installed program runs");
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// RFC 9715 §3.1, R4: on an interface that takes less than a response, the response is cut and comes whole by TCP.
#[test]
fn what_the_interface_cannot_take_is_cut() {
    let (Some(dig), Some(unshare)) = (peer::find("dig", "dnsutils"), peer::find("unshare", "util-linux")) else {
        return;
    };
    let Some(_) = peer::find("ip", "iproute2") else { return };
    // A network of its own, in which loopback takes 1,000 octets.
    let alone = |script: &str| {
        let mut command = Command::new(&unshare);
        command.args(["--map-root-user", "--net", "sh", "-ec", script]).stdin(Stdio::null());
        command.output().expect("an installed program runs")
    };
    if !alone("ip link set lo up && ip link set lo mtu 1000").status.success() {
        peer::say("this machine lets nobody have a network of one's own; test not run");
        return;
    }
    let zones = Zones::new();
    let many: String = (1..=65).map(|number| format!("many A 192.0.2.{number}\n")).collect();
    zones.write("example.com.zone", &format!("$TTL 300\n@ SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n{many}"));
    let said = zones.path().join("said");
    let script = format!(
        "ip link set lo up; ip link set lo mtu 1000
        {BELLWETHER} serve --zones {} --listen 127.0.0.1:5300 2>{said} & server=$!
        trap \"kill $server\" EXIT
        tries=0
        until grep -q ^ready {said} || [ $tries = 300 ]; do sleep 0.1; tries=$((tries + 1)); done
        {dig} @127.0.0.1 -p 5300 many.example.com A +bufsize=1232 +tries=1 +ignore
        {dig} @127.0.0.1 -p 5300 many.example.com A +bufsize=1232 +tries=1",
        zones.path().display(),
        said = said.display(),
        dig = dig.display(),
    );
    let output = alone(&script);
    let text = String::from_utf8_lossy(&output.stdout);
    let cut = text.find("flags: qr aa tc rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1");
    let whole = text.find("flags: qr aa rd; QUERY: 1, ANSWER: 65, AUTHORITY: 0, ADDITIONAL: 1");
    assert!(cut.is_some() && whole > cut, "{text}{}", String::from_utf8_lossy(&output.stderr));
}
