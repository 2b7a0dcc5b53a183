//! What is shipped beside the program is what the program takes: server files, zones, and what the package names.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::support::address;
use crate::support::server::{Launch, run};

#[test]
fn the_samples_are_valid() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging");
    let check = |config: &str| {
        let output = run(&house, &["check", "--config", config, "--zones", "samples/unicast/zones"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{config}");
    };
    check("samples/unicast/ns1.toml");
    check("samples/unicast/ns2.toml");
    check("samples/anycast/node.toml");
    check("debian/bellwether.toml");
    check("container.toml");
}

#[test]
fn what_the_package_names_is_there() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(house.join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("a table");
    let package = &manifest["package"]["metadata"]["deb"];
    let assets = package["assets"].as_array().expect("assets");
    let sources = assets.iter().map(|asset| asset[0].as_str().expect("a source"));
    // What is built is not there yet.
    for source in sources.filter(|source| !source.starts_with("target/")) {
        let path = house.join(source.split('*').next().unwrap_or_default());
        assert!(path.exists(), "{source}");
    }
    let units = package["systemd-units"]["unit-scripts"].as_str().expect("a folder");
    assert!(house.join(units).join("bellwether.service").exists());
}

#[test]
fn what_the_image_copies_is_there_and_sent() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(house.join(name)).expect(name);
    let (steps, ignored) = (read(".packaging/Dockerfile"), read(".dockerignore"));
    let copies = steps.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|copy| !copy.starts_with("--from"));
    let mut count = 0;
    for copy in copies {
        // The last is where to.
        let mut sources: Vec<&str> = copy.split_whitespace().collect();
        sources.pop();
        for source in sources {
            assert!(house.join(source).exists(), "{source}");
            assert!(ignored.lines().any(|line| line.strip_prefix('!') == Some(source)), "{source} is not sent");
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

#[test]
fn the_health_check_of_the_image_finds_the_server_by_its_own_file() {
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging/Dockerfile");
    let steps = fs::read_to_string(steps).expect("the steps");
    let commands = steps.lines().filter_map(|line| line.trim_start().strip_prefix("CMD "));
    let commands: Vec<Vec<String>> = commands.map(|words| serde_json::from_str(words).expect("words")).collect();
    let [asks, serves] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(asks.last(), serves.last(), "the file of the server");
    // A file of somebody's own, with another address and a token.
    let admin = SocketAddr::new(address::own_ip().into(), 8153);
    let config = format!("[admin]\nlisten = \"{admin}\"\ntoken-file = \"token\"\n");
    let token = "b3b0e4a1f6c24d7f9a8c5e1d2f3a4b5c";
    let zone = "@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let server = Launch::new()
        .file("example.com.zone", &format!("$TTL 60\n{zone}"))
        .config("bellwether.toml", &config)
        .config("token", token)
        .start();
    let file = server.config.as_ref().expect("a folder").path().join("bellwether.toml");
    let mut words: Vec<&str> = asks.iter().skip(1).map(String::as_str).collect();
    *words.last_mut().expect("a file") = file.to_str().expect("a path");
    let output = run(Path::new("/"), &words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}
