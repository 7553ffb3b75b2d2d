//! `dnsutil.serial`: counts the serial of a DNS zone, which is a grain of the host.

use crate::formula::Data;
use crate::formula::template::functions::dns::{first_of_today, grain};
use crate::states::arguments::text;
use crate::states::module::arguments::takes;
use crate::states::module::functions::{Function, function};
use crate::states::{Args, Failed, Host, grains};

pub(super) const FUNCTIONS: &[Function] = &[function("dnsutil.serial", takes(&[], &["zone", "update"]), serial)];

fn serial(host: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    let grain = grain(&args.text("zone")?.unwrap_or_default());
    let kept = grains::read(host, &grain).filter(Data::is_true).as_ref().and_then(text);
    let first = first_of_today();
    if !args.flag("update", false) {
        return Ok(kept.unwrap_or(first).into());
    }
    let next = next(kept.as_deref(), first)?;
    grains::set(host, grain, next.as_str().into())?;
    Ok(next.into())
}

/// The serial after the one that is kept: the first of today, unless today has had that already.
fn next(kept: Option<&str>, first: String) -> Result<String, Failed> {
    let Some(kept) = kept.filter(|kept| *kept >= first.as_str()) else { return Ok(first) };
    let kept: u64 = kept.parse().map_err(|_| format!("the serial `{kept}` is no number"))?;
    Ok((kept + 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::sandbox::Sandbox;

    #[test]
    fn a_serial_is_of_its_day_and_grows() {
        let next = |kept| next(kept, "2026112301".to_owned());
        assert_eq!(next(None), Ok("2026112301".to_owned()));
        assert_eq!(next(Some("2026112299")), Ok("2026112301".to_owned()));
        assert_eq!(next(Some("2026112301")), Ok("2026112302".to_owned()));
        assert_eq!(next(Some("2027010101")), Ok("2027010102".to_owned()));
        assert!(next(Some("none")).unwrap_err().comment.contains("`none` is no number"));
    }

    #[test]
    fn a_serial_is_kept_as_a_grain_that_templates_find() {
        let sandbox = Sandbox::new();
        let count =
            || sandbox.state("module.run", "{name: dnsutil.serial, zone: example.org, update: true}", false, &[]);
        count();
        let second = count().changes.get("ret").cloned();
        let file = "{name: @/zone, template: jinja, contents: '{{ salt[\"dnsutil.serial\"](\"example.org\") }}'}";
        sandbox.state("file.managed", file, false, &[]);
        assert_eq!(sandbox.read("zone"), format!("{}\n", second.as_ref().and_then(Data::as_str).unwrap()));
        assert_eq!(sandbox.read("grains"), format!("dnsserial_example.org: '{}'\n", sandbox.read("zone").trim()));
    }
}
