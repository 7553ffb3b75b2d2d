//! Where the content of a file comes from: the formulas, this host or the web; and what a template makes of it.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::{Args, Failed, Host, web};

/// The one environment that formulas have.
pub(super) const ENVIRONMENT: &str = "base";

/// A place that a content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A file of the formulas, by its path within their roots.
    Formula(String),
    /// A file of this host.
    Local(Utf8PathBuf),
    /// An address on the web.
    Web(String),
}

impl Source {
    /// The place that an address names: `salt://nginx/files/nginx.conf`, `/srv/key`, `file:///srv/key`, `https://…`.
    ///
    /// # Errors
    /// When it is of a kind that upshift does not have, or of another environment than the one there is.
    pub(super) fn parse(address: &str) -> Result<Self, Failed> {
        if let Some(resource) = address.strip_prefix("salt://") {
            let (path, environment) = match resource.split_once("?saltenv=") {
                Some((path, environment)) => (path, environment),
                None => (resource.split_once("?env=").map_or(resource, |(path, _)| path), ENVIRONMENT),
            };
            if environment != ENVIRONMENT {
                return Err(not_found(address, environment));
            }
            return Ok(Self::Formula(path.trim_start_matches(['|', '/']).to_owned()));
        }
        if let Some(path) = address.strip_prefix("file://") {
            return Ok(Self::Local(path.into()));
        }
        let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => Ok(Self::Web(address.to_owned())),
            Some(scheme) => Err(format!("upshift does not fetch `{scheme}://` (`{}`)", web::redacted(address)).into()),
            None => Ok(Self::Local(address.into())),
        }
    }
}

/// A source out of several that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picked {
    /// Its address, as the SLS has it.
    pub(super) address: String,
    /// Its checksum, or where checksums are, if the SLS names one.
    pub(super) checksum: Option<String>,
}

/// What Salt says of a file that the formulas do not have.
pub(super) fn not_found(address: &str, environment: &str) -> Failed {
    format!("Source file {address} not found in saltenv '{environment}'").into()
}

impl Host<'_> {
    /// The source that counts: a single one as it is, or the first of a list that is there. An item of a list may be a
    /// mapping of the address to its checksum.
    ///
    /// # Errors
    /// When none of a list is there.
    pub(super) fn pick(&self, sources: &Data, checksum: Option<String>) -> Result<Picked, Failed> {
        let Data::List(items) = sources else {
            let address = text(sources).ok_or("`source` has to be text or a list")?;
            return Ok(Picked { address, checksum });
        };
        for item in items.iter() {
            let (address, own) = match item.as_dict().map(Dict::only) {
                Some(Some((address, own))) => (address, own),
                Some(None) => continue,
                None => (item, &Data::None),
            };
            let Some(address) = text(address) else { continue };
            let own = if own.is_true() { text(own) } else { None };
            if self.has_source(&address)? {
                return Ok(Picked { address, checksum: own.or(checksum) });
            }
        }
        Err("none of the specified sources were found".into())
    }

    fn has_source(&self, address: &str) -> Result<bool, Failed> {
        Ok(match Source::parse(address) {
            Err(_) => false,
            Ok(Source::Formula(path)) => self.formula.has_file(&path)? || !self.formula.files_below(&path)?.is_empty(),
            Ok(Source::Local(path)) => path.is_absolute() && path.exists(),
            Ok(Source::Web(address)) => web::is_there(&address),
        })
    }

    /// The content of a source.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub(super) fn content(&self, address: &str) -> Result<Vec<u8>, Failed> {
        match Source::parse(address)? {
            Source::Formula(path) => self.formula.read_file(&path)?.ok_or_else(|| not_found(address, ENVIRONMENT)),
            Source::Local(path) if !path.exists() => Err(format!("Local file source {path} does not exist").into()),
            Source::Local(path) => Ok(fs::read(path)?),
            Source::Web(address) => web::get(&address, true),
        }
    }

    /// The mode that a source has where it lies, if that is known: with `mode: keep`, the file gets it.
    pub(super) fn source_mode(&self, address: &str) -> Option<u32> {
        match Source::parse(address).ok()? {
            Source::Formula(path) => self.formula.file_mode(&path).ok().flatten(),
            Source::Local(path) => mode(&path),
            Source::Web(_) => None,
        }
    }

    /// What a template becomes. What is not text is no template, and stays.
    ///
    /// # Errors
    /// When the template fails.
    pub(super) fn rendered(&self, address: &str, content: Vec<u8>, variables: &Data) -> Result<Vec<u8>, Failed> {
        let text = match String::from_utf8(content) {
            Ok(text) => text,
            Err(error) if !super::diff::is_text(error.as_bytes()) => return Ok(error.into_bytes()),
            Err(_) => return Err(format!("the template {address} is not UTF-8").into()),
        };
        let rendered = match Source::parse(address)? {
            Source::Formula(path) => self.formula.render_file(&path, variables),
            Source::Local(_) | Source::Web(_) => self.formula.render_text(address, &text, variables),
        };
        Ok(rendered.map_err(|error| error.to_string())?.into_bytes())
    }
}

fn mode(path: &Utf8Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    Some(fs::metadata(path).ok()?.mode() & 0o7777)
}

/// The variables of a template: what is `said` of the file, the arguments that mean nothing else to the function, then
/// `defaults`, then `context` over all of them.
///
/// # Errors
/// When `defaults` or `context` is not a mapping.
pub(super) fn variables(args: &Args<'_>, said: Dict, others: Dict) -> Result<Dict, Failed> {
    let mut variables = said;
    variables.entries.extend(others.entries);
    variables.insert("saltenv", ENVIRONMENT);
    for (name, called) in [("defaults", "Defaults"), ("context", "Context")] {
        match args.get(name) {
            None => {}
            Some(Data::Dict(more)) => variables.entries.extend(more.entries.clone()),
            Some(more) if name == "defaults" && !more.is_true() => {}
            Some(_) => return Err(format!("{called} must be formed as a dict").into()),
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_its_content_is() {
        let formula = |path: &str| Ok(Source::Formula(path.to_owned()));
        assert_eq!(Source::parse("salt://nginx/a.conf"), formula("nginx/a.conf"));
        assert_eq!(Source::parse("salt://nginx/a.conf?saltenv=base"), formula("nginx/a.conf"));
        assert_eq!(Source::parse("salt://|what?.conf"), formula("what?.conf"));
        assert_eq!(Source::parse("/srv/key"), Ok(Source::Local("/srv/key".into())));
        assert_eq!(Source::parse("file:///srv/key"), Ok(Source::Local("/srv/key".into())));
        assert_eq!(Source::parse("HTTPS://a/b"), Ok(Source::Web("HTTPS://a/b".to_owned())));
        assert!(Source::parse("salt://a?saltenv=dev").is_err() && Source::parse("s3://a/b").is_err());
    }
}
