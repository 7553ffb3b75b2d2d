//! A stand-in for the command line: it knows `upshift agent step DIR` and nothing else.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [agent, step, folder] = arguments.as_slice() else { return ExitCode::from(2) };
    if (agent.as_str(), step.as_str()) != ("agent", "step") {
        return ExitCode::from(2);
    }
    match upshift::agent::step::main(folder.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The controller may be gone; that nobody reads the message is no reason to panic.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit as u8)
        }
    }
}
