//! What one rendering may do besides the instructions that minijinja counts: look at values and make them.
//!
//! The budget belongs to the thread and not to minijinja's state, as much of the work is done where there is no state:
//! where values are compared, copied and printed.

use std::cell::Cell;
use std::marker::PhantomData;

use minijinja::{Error, ErrorKind};

/// Looking at a value costs one, so this is about a second.
const BUDGET: u64 = 20_000_000;
/// The bytes of text that cost as much as looking at a value.
const BYTES: usize = 8;

thread_local! {
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A rendering that is under way. Those that begin before it ends share its budget.
#[derive(Debug)]
pub struct Work {
    is_outermost: bool,
    /// It stays on its thread.
    here: PhantomData<*const ()>,
}

impl Work {
    /// Begins a rendering, which ends when this is dropped.
    #[must_use]
    pub fn begin() -> Self {
        let is_outermost = LEFT.get().is_none();
        if is_outermost {
            LEFT.set(Some(BUDGET));
        }
        Self { is_outermost, here: PhantomData }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.is_outermost {
            LEFT.set(None);
        }
    }
}

/// Takes from the budget; an error if nothing is left of it. Outside a rendering there is no budget.
///
/// # Errors
/// When the work that one rendering may take is used up.
pub fn spend(cost: usize) -> Result<(), Error> {
    let Some(left) = LEFT.get() else { return Ok(()) };
    let left = left.saturating_sub(u64::try_from(cost).unwrap_or(u64::MAX));
    LEFT.set(Some(left));
    if left == 0 { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
}

/// Takes from the budget what going through a text costs, or making it.
///
/// # Errors
/// When the work that one rendering may take is used up.
pub fn spend_text(length: usize) -> Result<(), Error> {
    spend(length / BYTES + 1)
}

/// Whether the budget is used up: the rendering ends in an error, so what is still made does not matter.
#[must_use]
pub fn is_spent() -> bool {
    LEFT.get() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendering_within_another_one_shares_its_budget() {
        let outer = Work::begin();
        let inner = Work::begin();
        assert!(spend(usize::MAX).is_err());
        drop(inner);
        assert!(is_spent() && spend(1).is_err());
        drop(outer);
        assert!(!is_spent() && spend(usize::MAX).is_ok());
    }
}
