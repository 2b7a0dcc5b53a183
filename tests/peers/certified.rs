//! The admin API by HTTPS, as curl asks it: with a certificate, without one, and with one that does not count.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::support::address;
use crate::support::nginx::Certificate;
use crate::support::peer::find;
use crate::support::roots::{certificate, certificates, root};
use crate::support::server::Launch;

const POLICY: &str = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                      [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\"]\n[names]\nwww = \"web\"\n";

const HOST: &str = "lb.example.com";

#[test]
fn curl_is_let_in_by_certificate() {
    let Some(curl) = find("curl", "curl") else { return };
    let admin = SocketAddr::new(address::own_ip().into(), 8053);
    let (ours, strange) = (root("ours.example.com"), root("strange.example.com"));
    let [ended] = certificates(&ours, "ada.example.com", [Some(SystemTime::now() - Duration::from_secs(86_400))]);
    let keys = "certificate = \"server.pem\"\nkey = \"server-key.pem\"\nclients = \"ca.pem\"";
    let launch = Launch::new()
        .file("example.com.toml", POLICY)
        .config("bellwether.toml", &format!("[admin]\nlisten = \"{admin}\"\n{keys}\n"))
        .config("ca.pem", &ours.pem());
    let pairs = [
        ("server", certificate(&ours, HOST)),
        ("ada", certificate(&ours, "ada.example.com")),
        ("ended", ended),
        ("stranger", certificate(&strange, "ada.example.com")),
    ];
    let launch = pairs.into_iter().fold(launch, |launch, (name, Certificate { chain, key })| {
        launch.config(&format!("{name}.pem"), &chain).config(&format!("{name}-key.pem"), &key)
    });
    let server = launch.start();
    let folder: &Path = server.config.as_ref().expect("a server file").path();
    let port = admin.port();
    let resolve = format!("{HOST}:{port}:{}", admin.ip());
    let ask = |path: &str, flags: &[&str]| {
        let output = Command::new(&curl)
            .args(["--silent", "--show-error", "--include", "--resolve", &resolve, "--cacert", "ca.pem"])
            .args(flags)
            .arg(format!("https://{HOST}:{port}{path}"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .expect("an installed program runs");
        let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), format!("{said}{wrong}"))
    };
    let check = |path: &str, flags: &[&str], done: bool, says: &str| {
        let (did, said) = ask(path, flags);
        assert!(did == done && said.contains(says), "{path} {flags:?}: {said}");
    };
    for version in ["--tlsv1.3", "--tls-max"] {
        let version: &[&str] = if version == "--tls-max" { &[version, "1.2"] } else { &[version] };
        let with = |name: &str| {
            let pair = [format!("{name}.pem"), format!("{name}-key.pem")];
            let [certificate, key] = pair.map(|file| &*file.leak());
            [version, &["--cert", certificate, "--key", key]].concat()
        };
        check("/v1/status", &with("ada"), true, "HTTP/1.1 200 OK");
        check("/v1/status", version, true, "HTTP/1.1 403 Forbidden");
        check("/readyz", version, true, "HTTP/1.1 200 OK");
        // By TLS 1.2 curl takes the refusal for one of its own.
        let refused = |why| if version == ["--tlsv1.3"] { why } else { "curl: " };
        check("/v1/status", &with("stranger"), false, refused("alert unknown ca"));
        check("/v1/status", &with("ended"), false, refused("alert certificate expired"));
        let drain = ["--request", "PUT", "--header", "content-type: application/json", "--data"];
        let drain = [&drain[..], &[r#"{"force":"drain","who":"ada"}"#], &with("ada")[..]].concat();
        check("/v1/endpoints/example.com/web/192.0.2.1/override", &drain, true, "safe_at");
    }
    // Plain HTTP to the port.
    let plain = Command::new(&curl).args(["--silent", &format!("http://{admin}/v1/status")]).output();
    let said = plain.expect("an installed program runs").stdout;
    assert!(String::from_utf8_lossy(&said).contains("HTTPS is spoken here"), "{said:?}");
}
