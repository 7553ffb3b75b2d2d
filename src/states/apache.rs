//! `apache_module`, `apache_site`, `apache_conf`: what Debian's Apache has enabled, by `a2enmod` and its like.

use camino::Utf8PathBuf;

use crate::formula::Data;
use crate::states::returns::dict;
use crate::states::{Call, Command, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("apache_conf.disabled", |call| set(call, &CONF, false)),
    Function::new("apache_conf.enabled", |call| set(call, &CONF, true)),
    Function::new("apache_module.disabled", |call| set(call, &MODULE, false)),
    Function::new("apache_module.enabled", |call| set(call, &MODULE, true)),
    Function::new("apache_site.disabled", |call| set(call, &SITE, false)),
    Function::new("apache_site.enabled", |call| set(call, &SITE, true)),
];

/// A kind of things that can be enabled.
struct Kind {
    /// What a comment calls it, and what it is called where it is not found.
    words: (&'static str, &'static str),
    /// Where the links to what is enabled are.
    folder: &'static str,
    suffix: &'static str,
    enable: &'static str,
    disable: &'static str,
}

const CONF: Kind = Kind {
    words: ("conf", "Conf"),
    folder: "/etc/apache2/conf-enabled",
    suffix: ".conf",
    enable: "a2enconf",
    disable: "a2disconf",
};

const MODULE: Kind = Kind {
    words: ("module", "Mod"),
    folder: "/etc/apache2/mods-enabled",
    suffix: ".load",
    enable: "a2enmod",
    disable: "a2dismod",
};

const SITE: Kind = Kind {
    words: ("site", "Site"),
    folder: "/etc/apache2/sites-enabled",
    suffix: ".conf",
    enable: "a2ensite",
    disable: "a2dissite",
};

impl Kind {
    fn is_enabled(&self, name: &str) -> bool {
        let is_file = [self.suffix, ".conf"].into_iter().any(|suffix| name.ends_with(suffix));
        let file = if is_file { name.to_owned() } else { format!("{name}{}", self.suffix) };
        let is_link = |file: &str| Utf8PathBuf::from(self.folder).join(file).is_symlink();
        is_link(&file) || name == "default" && self.enable == "a2ensite" && is_link(&format!("000-{file}"))
    }
}

fn set(call: &Call<'_>, kind: &Kind, wanted: bool) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let (verb, done) = if wanted { ("enable", "enabled") } else { ("disable", "disabled") };
    if kind.is_enabled(&name) == wanted {
        return Ok(Return::unchanged(format!("{name} already {done}.")));
    }
    let (old, new) = if wanted { (Data::None, name.as_str().into()) } else { (name.as_str().into(), Data::None) };
    let changes = dict([("old", old), ("new", new)]);
    let (word, title) = kind.words;
    if call.preview {
        return Ok(Return::would(changes, format!("Apache {word} {name} is set to be {done}.")));
    }
    let program = if wanted { kind.enable } else { kind.disable };
    let output = call.host.run(Command::new(program, [&name]))?;
    let not_found = if wanted { 1 } else { 256 };
    match output.code {
        0 => Ok(Return::changed(changes, "")),
        code if code == not_found => {
            Err(format!("Failed to {verb} {name} Apache {word} ({title} {name} Not found)").into())
        }
        _ => Err(format!("Failed to {verb} {name} Apache {word} ({})", output.why()).into()),
    }
}
