//! `cron.file`: a whole crontab.

use super::{read, write};
use crate::formula::Data;
use crate::states::checksum::Names;
use crate::states::returns::dict;
use crate::states::source::{self, Source};
use crate::states::{Args, Call, Failed, Return, diff};

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    match args.text("template").map_err(|failed| failed.comment)?.as_deref() {
        None | Some("" | "jinja") => Ok(()),
        Some(other) => Err(format!("upshift has no templates of `{other}`; it has jinja")),
    }
}

pub(super) fn file(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let user = args.text("user")?.unwrap_or_else(|| "root".to_owned());
    if call.host.user(&user).is_none() {
        return Err(format!("Could not identify group for user {user}").into());
    }
    let there = read(call.host, &user)?;
    if !args.flag("replace", true) && !there.trim().is_empty() {
        return Ok(Return::unchanged(format!("User {user} already has a crontab. No changes made")));
    }
    let wanted = content(call, &user).map_err(|failed| format!("Unable to manage file: {}", failed.comment))?;
    if there == wanted {
        return Ok(Return::unchanged(format!("Crontab for user {user} is in the correct state")));
    }
    let changes = dict([("diff", diff::diff(there.as_bytes(), wanted.as_bytes()).into())]);
    if call.preview {
        return Ok(Return::would(changes, format!("Crontab for user {user} is set to be updated")));
    }
    write(call.host, &user, wanted).map_err(|why| format!("Unable to update user {user} crontab. Error: {why}"))?;
    Ok(Return::changed(changes, format!("Crontab for user {user} was updated")))
}

/// What the crontab is to be. Cron does without a last line that has no end.
fn content(call: &Call<'_>, user: &str) -> Result<String, Failed> {
    let args = &call.args;
    let given = args.text("source_hash")?.filter(|given| !given.is_empty());
    let sources = args.chunk().get("name").ok_or("the argument `name` is missing")?;
    let picked = call.host.pick(sources, given)?;
    let mut bytes = call.host.content(&picked.address)?;
    match &picked.checksum {
        Some(checksum) => {
            let entry = args.text("source_hash_name")?;
            let names = Names { entry: entry.as_deref(), file: None, source: Some(&picked.address) };
            let wanted = call.host.checksum(checksum, names)?;
            if !wanted.fits(&bytes) {
                let (found, digits) = (wanted.actual(&bytes), &wanted.digits);
                let address = &picked.address;
                return Err(format!("the {} of {address} is {found}, not {digits}", wanted.algorithm).into());
            }
        }
        None if matches!(Source::parse(&picked.address)?, Source::Web(_)) => {
            return Err(format!("a source on the web needs `source_hash`: {}", picked.address).into());
        }
        None => {}
    }
    if args.text("template")?.is_some_and(|template| !template.is_empty()) {
        let said = [("source", picked.address.as_str()), ("user", user), ("mode", "0600")];
        let said = dict(said.map(|(name, value)| (name, value.into())));
        let variables = Data::from(source::variables(args, said, dict::<&str>([]))?);
        bytes = call.host.rendered(&picked.address, bytes, &variables)?;
    }
    let mut text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", picked.address))?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
