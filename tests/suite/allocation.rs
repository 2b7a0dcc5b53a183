//! The path of a query allocates nothing and frees nothing, whatever the kind of answer.

use bellwether::answer::Transport;
use bellwether::snapshot::RowLimits;

use crate::counting::count;
use crate::kinds::{MEMBERS, kinds};

/// Enough for every turn of every pool to come round: the longest is 3,997 steps, and both doors take one.
const QUERIES: usize = 5_000;

#[test]
fn no_kind_of_answer_allocates() {
    let (mut desk, kinds) = kinds(&MEMBERS);
    // As a server whose metrics are shown.
    desk.snapshot = desk.snapshot.clone().counted(None, RowLimits { zones: 10, endpoints: 10_000 });
    desk.worker.adopt(&desk.snapshot);
    for kind in &kinds {
        kind.check(&mut desk);
        let before = count();
        for _ in 0..QUERIES {
            desk.ask(Transport::Udp, &kind.request);
            desk.ask(Transport::Tcp, &kind.request);
        }
        let after = count();
        assert_eq!(after, before, "{} in {QUERIES} queries", kind.name);
    }
}

/// The other side: what does allocate is counted.
#[test]
fn allocations_are_counted() {
    let before = count();
    let mut vec = vec![0_u8; 10];
    vec.reserve_exact(1_000);
    std::hint::black_box(&vec);
    drop(vec);
    let after = count();
    assert_eq!((after.allocations - before.allocations, after.frees - before.frees), (2, 1));
}
