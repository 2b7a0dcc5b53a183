//! What is shipped beside the program is what the program takes: server files, zones, and what the package names.

use std::fs;
use std::path::Path;

use crate::support::server::run;

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
