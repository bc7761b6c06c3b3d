//! The core runs over simulated threads.

use forthwith_simulation::actor::simulation::smoke;
use shuttle::scheduler::RandomScheduler;
use shuttle::{Config, Runner};

#[test]
fn turns_are_taken_under_a_random_scheduler() {
    for seed in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let mut config = Config::new();
        config.stack_size = 1 << 20;
        config.silence_warnings = true;
        Runner::new(RandomScheduler::new_from_seed(seed, 1), config).run(move || smoke(&path));
    }
}
