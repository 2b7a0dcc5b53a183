//! A zone file changes under load: no query goes unanswered, new data appears, a faulty file changes nothing.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::support::await_some;
use crate::support::client::addresses;
use crate::support::server::Server;

/// A zone whose `www` has this address.
fn zone(address: &str) -> String {
    format!(
        "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\n\
         ns1 A 192.0.2.53\nwww A {address}\n"
    )
}

/// What `www` is while `change` goes on, each value once for each time that it changed.
///
/// # Panics
/// When a query is left unanswered, or answered with anything but one address.
fn seen_during(server: &Server, change: impl FnOnce()) -> Vec<IpAddr> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let client = server.client();
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let answer = client.ask("www.example.com", RecordType::A);
                assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{answer}");
                seen.extend(addresses(&answer));
                seen.dedup();
            }
            seen
        });
        // The watcher must stop also when the change panics, or the scope would wait for ever.
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
        done.store(true, Ordering::Relaxed);
        let seen = watching.join().expect("every query is answered");
        if let Err(panic) = changed {
            std::panic::resume_unwind(panic);
        }
        seen
    })
}

fn await_address(server: &Server, address: &str) {
    let expected = [address.parse::<IpAddr>().expect("an address")];
    let client = server.client();
    await_some(address, || (addresses(&client.ask("www.example.com", RecordType::A)) == expected).then_some(()));
}

fn ips(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.parse().expect("an address")).collect()
}

#[test]
fn a_saved_file_is_served_without_a_gap() {
    let server = Server::serving(&[("example.com.zone", &zone("192.0.2.1"))]);
    let seen = seen_during(&server, || {
        for address in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
            server.zones.write("example.com.zone", &zone(address));
            await_address(&server, address);
        }
    });
    // Each once and in order: nothing flickers back, and no half of a file is seen.
    assert_eq!(seen, ips(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]));
}

#[test]
fn a_new_zone_joins_and_a_deleted_one_leaves() {
    let server = Server::serving(&[("example.com.zone", &zone("192.0.2.1"))]);
    let client = server.client();
    let rcode_becomes = |rcode: ResponseCode| {
        await_some(&format!("{rcode} for www.example.net"), || {
            let answer = client.ask("www.example.net", RecordType::A);
            (answer.metadata.response_code == rcode).then_some(())
        });
    };
    rcode_becomes(ResponseCode::Refused);
    let path = server.zones.write("example.net.zone", &zone("192.0.2.9").replace("example.com", "example.net"));
    rcode_becomes(ResponseCode::NoError);
    std::fs::remove_file(path).expect("the file is there");
    rcode_becomes(ResponseCode::Refused);
}

#[test]
fn a_faulty_file_is_reported_and_the_old_data_keeps_serving() {
    let mut server = Server::serving(&[("example.com.zone", &zone("192.0.2.1"))]);
    let before = server.process.lines_said();
    server.zones.write("example.com.zone", &zone("192.0.2.999"));
    server.process.await_line(before, "which file is faulty", |line| line.contains("example.com.zone"));
    server.process.await_line(before, "what is wrong with it", |line| line.contains("192.0.2.999"));
    let seen = seen_during(&server, || {
        // SIGHUP has it looked at again, so the fault is reported again, and again nothing changes.
        for _ in 0..2 {
            let before = server.process.lines_said();
            server.hang_up();
            await_some("the fault to be reported again", || {
                server.process.log().lines().skip(before).any(|line| line.contains("example.com.zone")).then_some(())
            });
        }
        server.zones.write("example.com.zone", &zone("192.0.2.2"));
        await_address(&server, "192.0.2.2");
    });
    assert_eq!(seen, ips(&["192.0.2.1", "192.0.2.2"]));
}

#[test]
fn sighup_loads_again_without_a_gap() {
    let server = Server::serving(&[("example.com.zone", &zone("192.0.2.1"))]);
    let seen = seen_during(&server, || {
        server.zones.write("example.com.zone", &zone("192.0.2.2"));
        for _ in 0..5 {
            server.hang_up();
        }
        await_address(&server, "192.0.2.2");
    });
    assert_eq!(seen, ips(&["192.0.2.1", "192.0.2.2"]));
}
