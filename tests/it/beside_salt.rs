//! Formulas do to a host what real Salt does to one: `tests/states/README.md` says how it is compared.
//!
//! With `BESIDE_SALT=all` it is every case of the shipped formulas and every family of state functions, which takes a
//! quarter of an hour; else each formula is in it.

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn what_formulas_do_to_a_host_is_what_salt_does() {
    if std::env::var("BESIDE_SALT").is_ok_and(|which| which == "all") {
        compare(&[]);
        compare(&["--families"]);
    } else {
        compare(&["--quick"]);
    }
}

fn compare(which: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compare = Command::new(root.join("tests/states/compare"));
    compare.args(which).args(["--upshift", env!("CARGO_BIN_EXE_upshift")]).stdin(Stdio::null());
    let output = compare.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
