//! Texts that come from files of the formulas, as templates.

use crate::formula::{Data, Dict};
use crate::states::{Args, Call, Failed, file, source};

/// Refuses what [`texts`] cannot do.
pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    file::check_template(args)?;
    file::check_sources(args)
}

/// What the templates become that `source` or `sources` name; `None` if neither is given.
pub(super) fn texts(call: &Call<'_>) -> Result<Option<Vec<String>>, Failed> {
    let named = |key: &str| call.args.get(key).filter(|value| value.is_true());
    let addresses = match (named("source"), named("sources")) {
        (Some(_), Some(_)) => return Err("source and sources are mutually exclusive".into()),
        (Some(_), None) => call.args.texts("source")?,
        (None, Some(_)) => call.args.texts("sources")?,
        (None, None) => return Ok(None),
    };
    let variables = source::variables(&call.args, Dict::default(), Dict::default())?;
    addresses.iter().map(|address| text(call, address, &variables.clone().into())).collect::<Result<_, _>>().map(Some)
}

fn text(call: &Call<'_>, address: &str, variables: &Data) -> Result<String, Failed> {
    let rendered = call.host.rendered(address, call.host.content(address)?, variables)?;
    let text = String::from_utf8(rendered).map_err(|_| format!("{address} is not UTF-8"))?;
    if text.is_empty() {
        Err(format!("Failed to read rendered template file {address}: it is empty").into())
    } else {
        Ok(text)
    }
}
