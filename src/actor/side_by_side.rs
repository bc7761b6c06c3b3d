//! Work that is done by several threads side by side.

use std::sync::PoisonError;

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, thread};

/// Does something with each of these on up to so many threads, the caller's among them. The results stand in the order of the items;
/// after an error nothing more is begun, and of several errors the first that came is returned.
pub(super) fn side_by_side<T: Sync, R: Send, E: Send>(
    threads: usize,
    items: &[T],
    each: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let failed: Mutex<Option<E>> = Mutex::new(None);
    let work = || {
        while !is_over.load(Ordering::Acquire) {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(nth) else { return };
            match each(item) {
                Ok(result) => done.lock().unwrap_or_else(PoisonError::into_inner).push((nth, result)),
                Err(error) => {
                    is_over.store(true, Ordering::Release);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        }
    };
    let helpers = threads.min(items.len()).saturating_sub(1);
    if helpers == 0 {
        work();
    } else {
        thread::scope(|scope| {
            (0..helpers).for_each(|_| drop(scope.spawn(work)));
            work();
        });
    }
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(nth, _)| *nth);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items_and_an_error_ends_it() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [1, 4] {
            let doubled: Result<Vec<u32>, ()> = side_by_side(threads, &items, |item| Ok(item * 2));
            assert_eq!(doubled.unwrap(), (0..100).map(|item| item * 2).collect::<Vec<_>>());
            let refused = side_by_side(threads, &items, |item| if *item == 7 { Err("seven") } else { Ok(()) });
            assert_eq!(refused, Err("seven"));
            assert_eq!(side_by_side(threads, &[], |(): &()| Err::<(), ()>(())), Ok(vec![]));
        }
    }
}
