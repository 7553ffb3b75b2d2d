//! upshift: parse, call, turn the result into an exit code.

use std::io::Write;
use std::process::ExitCode;

use upshift::error::Exit;

fn main() -> ExitCode {
    // A panic is a bug of upshift; what runs on hosts goes on, and the journal says where it stood.
    let result = std::panic::catch_unwind(|| upshift::cli::main(std::env::args_os()));
    let exit = result.unwrap_or_else(|_| {
        let note = "error: this is a bug in upshift\n\nhint: the run can be resumed: `upshift resume`";
        let _ = writeln!(std::io::stderr(), "{note}");
        Exit::Bug
    });
    ExitCode::from(exit as u8)
}
