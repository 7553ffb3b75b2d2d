//! Makes this host what formulas say: compiles them here, where every answer is at hand, and applies what comes out.

mod install;
mod manifest;
mod recorder;
mod salt;
mod step;

use crate::formula::compile::{Compiler, Subject};
use crate::formula::error::{Error, Kind};
use crate::formula::roots::Roots;
use crate::formula::{Data, sls};
use crate::states::run::{Options, Progress, Ran};
use crate::states::{Host, Listener, run};

pub(super) use install::install;
pub use manifest::Manifest;
pub use recorder::{Recorder, Tally, without_secrets};
pub(super) use step::apply as step;

/// What is to be applied.
#[derive(Debug)]
pub struct Work {
    /// This host.
    pub subject: Subject,
    /// The formula files.
    pub roots: Roots,
    /// The host's pillar.
    pub pillar: Data,
    /// The SLS by name; none for those that `top.sls` gives the host.
    pub sls: Vec<String>,
    /// Whether nothing may be changed.
    pub preview: bool,
}

/// Compiles the formulas and applies their states, each of which ends in one [`Ran`].
///
/// # Errors
/// When the formulas do not compile, or want what upshift does not have: nothing was touched then.
pub fn apply(work: Work, listener: &dyn Listener, progress: &dyn Progress) -> Result<Vec<Ran>, Vec<Error>> {
    let Work { subject, roots, pillar, sls, preview } = work;
    let mut compiler = Compiler::new(subject, roots, pillar);
    let low = compile(&mut compiler, sls)?;
    let host = Host::new(&compiler, listener).with_low(&low.chunks);
    Ok(run::run(&low, &host, &Options { preview, ..Options::default() }, progress))
}

/// Compiles SLS, or those of `top.sls`, and makes sure that upshift has all that they want.
fn compile(compiler: &mut Compiler, mut sls: Vec<String>) -> Result<sls::Low, Vec<Error>> {
    if sls.is_empty() {
        sls = compiler.top().map_err(one)?;
        if sls.is_empty() {
            return Err(one(Error::new(Kind::Missing, "`top.sls` gives this host no SLS")));
        }
    }
    let low = compiler.low_state(&sls).map_err(one)?;
    sls::check(&low).map_err(one)?;
    run::check(&low)?;
    Ok(low)
}

fn one(error: Error) -> Vec<Error> {
    vec![error]
}
