//! More customers than memory holds.

use super::*;

/// So many naps of a hundredth of a second a wait may take.
const PATIENCE: usize = 3_000;

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..PATIENCE {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}");
}

fn wait_until_all_rest(world: &World) {
    wait_until("everybody rests", || {
        world.customers.rest_everyone();
        world.customers.hot_customers() == 0
    });
}

#[test]
fn memory_comes_back_within_its_bytes_when_more_customers_come_than_fit() {
    const CUSTOMERS: usize = 300;
    const BYTES: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), Config { hot_bytes: BYTES, ..small() });
    for nth in 0..3 * CUSTOMERS {
        world.turn(&format!("c-{}", nth % CUSTOMERS), &format!("{nth}")).unwrap();
    }
    wait_until("memory is within its bytes", || world.customers.hot_bytes() <= BYTES);
    assert!(world.customers.hot_customers() < CUSTOMERS && world.customers.passivations() > 0);
    assert!(world.customers.hot_customers() > 10, "and no more than need be were put to rest");
    let all: u64 = (0..CUSTOMERS).map(|nth| world.decisions(&format!("c-{nth}"))).sum();
    assert_eq!(all, 3 * CUSTOMERS as u64);
}

#[test]
fn a_customer_who_has_not_changed_rests_without_being_stored_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "1").unwrap();
    wait_until_all_rest(&world);
    assert_eq!(world.customers.saved(), 1);
    assert_eq!(world.decisions("c"), 1, "looked at, and so in memory again");
    wait_until_all_rest(&world);
    world.customers.checkpoint().unwrap();
    assert_eq!((world.customers.saved(), world.decisions("c")), (1, 1));
    world.turn("c", "2").unwrap();
    wait_until_all_rest(&world);
    assert_eq!((world.customers.saved(), world.decisions("c")), (2, 2));
    assert_eq!(world.customers.passivations(), 3);
}

#[test]
fn memory_that_nobody_uses_any_more_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    (0..50).for_each(|nth| drop(world.turn(&format!("c-{nth}"), "1").unwrap()));
    assert!(world.customers.hot_bytes() > 50 * 200);
    wait_until_all_rest(&world);
    wait_until("nothing is counted", || world.customers.hot_bytes() == 0);
}
