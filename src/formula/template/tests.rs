//! Tests (`x is …`): Jinja's own with Python's results, and Salt's.

use minijinja::Environment;

/// Adds every test.
pub(super) fn add(env: &mut Environment<'_>) {
    let _ = env;
}
