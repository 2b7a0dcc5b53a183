//! The server as a service: systemd's own tools on the unit and with its sockets, and root that is given up.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::nginx::Certificate;
use crate::support::process::{Process, Signal};
use crate::support::roots::{certificate, root};
use crate::support::server::{BELLWETHER, run};
use crate::support::{address, await_some, peer};

const ZONE: &str = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\n\
                    ns1 A 192.0.2.53\nwww A 192.0.2.1\n";

/// Exposure of the unit, in tenths, at the most: systemd calls up to 2 fine.
const EXPOSURE_MAX: u32 = 16;

/// A folder with `zones/` and this server file.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("bellwether-service-").tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    fs::write(folder.path().join("bellwether.toml"), config).expect("a server file");
    folder
}

fn answers(server: SocketAddr) -> bool {
    let [by_udp, by_tcp] =
        [Client::ask, Client::ask_tcp].map(|ask| ask(&Client::to(server), "www.example.com", RecordType::A));
    addresses(&by_udp).len() == 1 && addresses(&by_tcp).len() == 1
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(analyze) = peer::find("systemd-analyze", "systemd") else { return };
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging/systemd");
    let folder = tempfile::tempdir().expect("a folder");
    for unit in ["bellwether.service", "bellwether.socket"] {
        // Where the program is, which must be there.
        let text = fs::read_to_string(units.join(unit)).expect("a unit").replace("/usr/bin/bellwether", BELLWETHER);
        fs::write(folder.path().join(unit), text).expect("written");
    }
    let check = |arguments: &[&str]| {
        let output = Command::new(&analyze).args(arguments).current_dir(folder.path()).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    // Warnings are no failures to it.
    assert_eq!(check(&["verify", "./bellwether.service", "./bellwether.socket"]), "");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let said = check(&["security", "--no-pager", "--offline=true", &threshold, "./bellwether.service"]);
    let overall = said.lines().find(|line| line.contains("Overall exposure")).expect("a score");
    peer::say(&format!("systemd-analyze security: {}", overall.trim()));
}

#[test]
fn sockets_of_a_service_manager_are_served() {
    let Some(activate) = peer::find("systemd-socket-activate", "systemd") else { return };
    let check = |config: &str, named: Option<&str>, datagrams: bool| {
        let server = address::own_dns();
        let folder = folder(&config.replace("SERVER", &server.to_string()));
        let mut command = Command::new(&activate);
        command.arg(format!("--listen={server}"));
        command.args(datagrams.then_some("--datagram")).args(named.map(|name| format!("--fdname={name}")));
        command.arg(BELLWETHER).arg("serve").current_dir(folder.path());
        let mut process = Process::spawn("systemd-socket-activate", &mut command);
        process.await_line(0, "that it listens", |line| line.contains("Listening on"));
        // The program is started by the first that comes, who is not lost.
        let client = Client::to(server);
        let first = if datagrams {
            client.ask("www.example.com", RecordType::A)
        } else {
            client.ask_tcp("www.example.com", RecordType::A)
        };
        assert_eq!(addresses(&first).len(), 1, "{config} {named:?}");
        assert!(answers(server), "{config} {named:?}: {}", process.log());
        process.signal(Signal::Term);
        assert!(process.await_end().success(), "{}", process.log());
    };
    for datagrams in [true, false] {
        check("listen = [\"SERVER\"]\nworkers = 2", None, datagrams);
        // The name says enough.
        check("", Some("dns"), datagrams);
    }
}

#[test]
fn a_socket_without_a_door_is_named() {
    let Some(activate) = peer::find("systemd-socket-activate", "systemd") else { return };
    let check = |config: &str, named: Option<&str>, expected: &str| {
        let [server, other] = [address::own_dns(), address::own_dns()];
        let folder = folder(&format!("listen = [\"{other}\"]\n{config}"));
        let mut command = Command::new(&activate);
        command.arg(format!("--listen={server}")).arg("--datagram").args(named.map(|name| format!("--fdname={name}")));
        command.arg(BELLWETHER).arg("serve").current_dir(folder.path());
        let mut process = Process::spawn("systemd-socket-activate", &mut command);
        process.await_line(0, "that it listens", |line| line.contains("Listening on"));
        let waking = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        waking.send_to(b"x", server).expect("sent");
        assert!(!process.await_end().success());
        process.await_said(&[expected, &server.to_string()]);
    };
    check("", None, "is of no door");
    check("", Some("nonsense"), "is of no door");
    check("", Some("dot"), "an encrypted door, which needs [tls]");
    check("", Some("admin"), "the admin API, which needs [admin]");
}

#[test]
fn root_is_given_up_once_all_is_bound() {
    if !nix_is_root() {
        return peer::say("not root; that root is given up was not tried");
    }
    // A port below 1024, on an address of its own; the user is there on every Debian.
    let server = SocketAddr::new(IpAddr::V4(address::own_ip()), 53);
    let config = format!(
        "listen = [\"{server}\"]\nworkers = 2\n[state]\nfile = \"kept/state.json\"\n\
         [server]\nuser = \"nobody\"\ncontrol = \"kept/control.sock\"\n"
    );
    let folder = folder(&config);
    let kept = folder.path().join("kept");
    fs::create_dir(&kept).expect("a folder");
    let nobody = 65_534;
    chown(&kept, Some(nobody), Some(nobody)).expect("root may");
    // Whoever it becomes must be able to read what it is to serve, and to run the program once more.
    let program = folder.path().join("bellwether");
    fs::copy(BELLWETHER, &program).expect("a copy");
    let open = Command::new("/bin/chmod").args(["-R", "a+rX"]).arg(folder.path()).status();
    assert!(open.expect("chmod runs").success());
    let mut command = Command::new(&program);
    command.arg("serve").current_dir(folder.path());
    let mut process = Process::spawn("bellwether", &mut command);
    process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
    assert!(answers(server));
    assert_is_nobody(process.pid());
    assert!(fs::metadata(kept.join("control.sock")).is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == nobody));
    // What was bound as root goes over to a successor that never was root.
    let said = run(folder.path(), &["replace"]);
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    let pid = said.split_whitespace().find_map(|word| word.parse::<u32>().ok());
    let pid = pid.unwrap_or_else(|| panic!("{said}; {}", process.log()));
    assert!(process.await_end().success());
    assert_is_nobody(pid);
    assert!(answers(server));
    let command = format!("kill -TERM {pid}");
    assert!(Command::new("/bin/sh").args(["-c", &command]).status().expect("a shell").success());
    await_some("the state, written by nobody", || {
        let of = fs::metadata(kept.join("state.json")).ok()?;
        (std::os::unix::fs::MetadataExt::uid(&of) == nobody).then_some(())
    });
}

/// At the start, and not only when it is renewed.
#[test]
fn a_key_that_the_user_may_not_read_is_found_at_the_start() {
    if !nix_is_root() {
        return peer::say("not root; a key of root's alone was not tried");
    }
    let [server, encrypted] = [53, 853].map(|port| SocketAddr::new(IpAddr::V4(address::own_ip()), port));
    let config = format!(
        "listen = [\"{server}\"]\n[server]\nuser = \"nobody\"\n\
         [tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndot = [\"{encrypted}\"]\n"
    );
    let folder = folder(&config);
    let Certificate { chain, key } = certificate(&root("an authority"), &encrypted.ip().to_string());
    fs::write(folder.path().join("cert.pem"), chain).expect("written");
    fs::write(folder.path().join("key.pem"), key).expect("written");
    for (who, file) in [("a+rX", "."), ("go-rwx", "key.pem")] {
        let status = Command::new("/bin/chmod").args(["-R", who, file]).current_dir(folder.path()).status();
        assert!(status.expect("chmod runs").success());
    }
    let output = run(folder.path(), &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("key.pem") && said.contains("ermission denied"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}

fn nix_is_root() -> bool {
    status_of("self").contains("Uid:\t0\t")
}

fn status_of(process: &str) -> String {
    fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}

/// Every thread of it, and nothing of root is left.
fn assert_is_nobody(pid: u32) {
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("its threads") {
        let name = thread.expect("a thread").file_name();
        let status = status_of(&format!("{pid}/task/{}", name.to_string_lossy()));
        let all = |of: &str| status.contains(&format!("{of}:\t65534\t65534\t65534\t65534"));
        assert!(all("Uid") && all("Gid"), "{status}");
        for set in ["CapEff", "CapPrm", "CapAmb"] {
            assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
        }
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
        assert!(groups.split_whitespace().all(|group| group == "65534"), "{status}");
        threads += 1;
    }
    assert!(threads > 2, "{threads} threads");
}
