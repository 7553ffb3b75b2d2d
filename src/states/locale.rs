//! `locale.*`: the languages that a host has, and the one it speaks.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::Dict;
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Call, Command, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("locale.present", present), Function::new("locale.system", system)];

/// The locales to make, on those distributions that make them from a list.
const LIST: &str = "/etc/locale.gen";

/// The parts of `ca_ES.UTF-8@valencia UTF-8`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Locale<'a> {
    language: &'a str,
    territory: &'a str,
    codeset: &'a str,
    modifier: &'a str,
    charmap: &'a str,
}

impl<'a> Locale<'a> {
    fn read(name: &'a str) -> Self {
        let part = |text: &'a str, mark| text.split_once(mark).unwrap_or((text, ""));
        let (rest, charmap) = part(name, ' ');
        let (rest, modifier) = part(rest, '@');
        let (rest, codeset) = part(rest, '.');
        let (language, territory) = part(rest, '_');
        Self { language, territory, codeset, modifier, charmap }
    }

    /// The name by which two ways to write one locale are the same.
    fn normal(&self) -> String {
        let codeset = self.codeset.to_lowercase().replace('-', "");
        let (territory, language) = (self.territory.to_uppercase(), self.language);
        Locale { territory: &territory, codeset: &codeset, charmap: "", language, ..*self }.whole()
    }

    fn whole(&self) -> String {
        let parts = [("_", self.territory), (".", self.codeset), ("@", self.modifier), (" ", self.charmap)];
        let parts = parts.iter().filter(|(_, part)| !part.is_empty());
        self.language.to_owned() + &parts.flat_map(|(mark, part)| [*mark, *part]).collect::<String>()
    }
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let wanted = Locale::read(&name);
    if has(call.host, &wanted) {
        return Ok(Return::unchanged(format!("Locale {name} is already present")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Locale {name} needs to be generated")));
    }
    generate(call.host, &wanted).map_err(|why| Failed::from(format!("Failed to generate locale {name}\n{why}")))?;
    Ok(Return::changed(dict([("locale", name.as_str().into())]), format!("Generated locale {name}")))
}

fn has(host: &Host<'_>, wanted: &Locale<'_>) -> bool {
    let all = host.ask("locale", &["-a"]).unwrap_or_default();
    all.lines().any(|there| Locale::read(there.trim()).normal() == wanted.normal())
}

fn generate(host: &Host<'_>, wanted: &Locale<'_>) -> Result<(), String> {
    let (is_debian, is_ubuntu) = (distribution() == "debian", distribution() == "ubuntu");
    let charmap = match wanted.charmap {
        "" if !is_ubuntu => wanted.codeset,
        charmap => charmap,
    };
    let whole = Locale { charmap, ..wanted.clone() }.whole();
    let source = format!("{}_{}", wanted.language, wanted.territory);
    if is_debian {
        let file = "/usr/share/i18n/SUPPORTED";
        let supported = fs::read_to_string(file).map_err(|error| error.to_string())?;
        if !supported.lines().any(|line| line == whole) {
            return Err(format!("The provided locale \"{whole}\" is not found in {file}"));
        }
    } else if fs::metadata(format!("/usr/share/i18n/locales/{source}")).is_err() {
        return Err(format!("The provided locale \"{whole}\" is not found in /usr/share/i18n/locales"));
    }
    if let Ok(list) = fs::read_to_string(LIST) {
        enter(&list, &whole).map_err(|error| error.to_string())?;
    }
    let maker = ["/usr/sbin/locale-gen", "/usr/bin/locale-gen"].into_iter().find(|path| fs::metadata(path).is_ok());
    let codeset = wanted.codeset;
    let command = if let Some(maker) = maker {
        Command::new(maker, [if is_ubuntu { wanted.normal() } else { whole }])
    } else {
        let name = format!("{source}.{codeset}");
        Command::new("localedef", ["--force", "-i", &source, "-f", codeset, &name, "--quiet"])
    };
    let output = host.run(command).map_err(|failed| failed.comment)?;
    if output.is_success() { Ok(()) } else { Err(output.why()) }
}

/// Enters a locale in the list, of which a copy stays, unless it is there.
fn enter(list: &str, locale: &str) -> io::Result<()> {
    let new = with_locale(list, locale);
    if new == list {
        return Ok(());
    }
    let path = Utf8Path::new(LIST);
    let mode = Some(fs::metadata(path)?.mode() & 0o7777);
    disk::replace(
        &Utf8PathBuf::from(format!("{LIST}.bak")),
        list.as_bytes(),
        Attributes { mode, ..Attributes::default() },
    )?;
    disk::replace(path, new.as_bytes(), Attributes::default())
}

/// The list of locales to make with one more: the comment that names it becomes a line, or one comes last. As Salt does
/// it, an empty line follows.
fn with_locale(list: &str, locale: &str) -> String {
    let is_comment = |line: &str| line.trim_start().strip_prefix('#').is_some_and(|rest| rest.trim() == locale);
    let lines = list.lines().flat_map(|line| if is_comment(line) { [locale, "\n\n"] } else { [line, "\n"] });
    let mut new: String = lines.collect();
    if !new.lines().any(|line| line.trim() == locale) {
        new.extend([locale, "\n\n"]);
    }
    new
}

fn system(call: &Call<'_>) -> Result<Return, Failed> {
    let (host, name) = (call.host, call.args.name()?);
    let failed = |error: io::Error| Failed::from(format!("Failed to set system locale: {error}"));
    let file = file();
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        text => text.unwrap_or_default(),
    };
    if language(&text) == Some(&name) {
        return Ok(Return::unchanged(format!("System locale {name} already set")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("System locale {name} needs to be set")));
    }
    let variables: Vec<String> =
        variables(&text).filter(|(key, _)| *key != "LANG").map(|(key, value)| format!("{key}={value}")).collect();
    // What is running learns of it in this way; without systemd the file is all there is.
    let arguments = ["set-locale".to_owned(), format!("LANG={name}")].into_iter().chain(variables);
    let is_told = host.run(Command::new("localectl", arguments)).is_ok_and(|output| output.is_success());
    let now = fs::read_to_string(file).unwrap_or_default();
    if !is_told || language(&now) != Some(&name) {
        disk::replace(Utf8Path::new(file), with_language(&now, &name).as_bytes(), Attributes::default())
            .map_err(failed)?;
    }
    Ok(Return::changed(dict([("locale", name.as_str().into())]), format!("Set system locale {name}")))
}

/// Where the distribution keeps the locale of the host.
fn file() -> &'static str {
    let is_debian_or_like_it = fs::metadata("/etc/debian_version").is_ok();
    let files =
        if is_debian_or_like_it { ["/etc/default/locale", "/etc/locale.conf"] } else { ["/etc/locale.conf"; 2] };
    files.into_iter().find(|file| fs::metadata(file).is_ok()).unwrap_or(files[0])
}

fn variables(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key, value.trim_matches(['"', '\''])))
}

fn language(text: &str) -> Option<&str> {
    variables(text).find(|(key, _)| *key == "LANG").map(|(_, value)| value)
}

fn with_language(text: &str, name: &str) -> String {
    let others = text.lines().filter(|line| !line.starts_with("LANG="));
    others.chain([format!("LANG={name}").as_str()]).flat_map(|line| [line, "\n"]).collect()
}

/// What the distribution calls itself: `debian`, `ubuntu`.
fn distribution() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    variables(&release).find(|(key, _)| *key == "ID").map(|(_, id)| id.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_one_however_its_name_is_written() {
        for name in ["en_US.UTF-8", "en_US.utf8", "en_us.UTF-8 UTF-8"] {
            assert_eq!(Locale::read(name).normal(), "en_US.utf8", "{name}");
        }
        assert_eq!(Locale::read("ca_ES.UTF-8@valencia UTF-8").whole(), "ca_ES.UTF-8@valencia UTF-8");
    }

    #[test]
    fn a_comment_in_the_list_becomes_a_line_once() {
        let list = "# en_US ISO-8859-1\n# en_US.UTF-8 UTF-8\n";
        let new = with_locale(list, "en_US.UTF-8 UTF-8");
        assert_eq!(new, "# en_US ISO-8859-1\nen_US.UTF-8 UTF-8\n\n");
        assert_eq!(with_locale(&new, "en_US.UTF-8 UTF-8"), new);
        assert_eq!(with_locale("", "C.UTF-8 UTF-8"), "C.UTF-8 UTF-8\n\n");
    }

    #[test]
    fn the_language_of_a_host_is_read_with_and_without_quotes() {
        assert_eq!(language("# LANG=x\nLC_ALL=C\nLANG=\"en_US.UTF-8\"\n"), Some("en_US.UTF-8"));
        assert_eq!(with_language("LC_TIME=C\nLANG=C\n", "de_DE.UTF-8"), "LC_TIME=C\nLANG=de_DE.UTF-8\n");
    }
}
