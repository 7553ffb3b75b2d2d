//! The way from the text of an SLS file to its data: the renderers its first line names, `jinja|yaml` if it names none.

use super::cipher::Cipher;
use super::error::{Kind, Result};
use super::roots::Found;
use super::template::Engine;
use super::yaml::{self, Mappings};
use super::{Data, Error};

/// What a text goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pipe {
    is_template: bool,
    format: Format,
    /// How its values are encrypted.
    cipher: Option<Cipher>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
}

/// The data of one SLS file, whose template finds `more` variables; an empty one is an empty mapping.
///
/// # Errors
/// When a renderer is unknown, the template fails, or the text is not data.
pub fn render(engine: &Engine, sls: &str, found: &Found, more: &Data) -> Result<Data> {
    let pipe = asked(found, formula_pipe)?;
    read(engine, pipe, sls, found, more)
}

/// The data of one file of a pillar: the same, and encrypted values are opened.
///
/// # Errors
/// As those of [`render`], and when a value cannot be opened.
pub fn render_pillar(engine: &Engine, sls: &str, found: &Found, more: &Data) -> Result<Data> {
    let pipe = asked(found, pipe)?;
    let data = read(engine, pipe, sls, found, more)?;
    match pipe.cipher {
        Some(cipher) => cipher.open(&data).map_err(|error| error.at(&found.path, 0, None)),
        None => Ok(data),
    }
}

fn asked(found: &Found, pipe: fn(&str) -> Result<Pipe>) -> Result<Pipe> {
    pipe(&found.text).map_err(|error| error.at(&found.path, 1, found.text.lines().next().map(str::to_owned)))
}

fn read(engine: &Engine, pipe: Pipe, sls: &str, found: &Found, more: &Data) -> Result<Data> {
    if found.text.trim().is_empty() {
        return Ok(Data::from(super::Dict::ordered()));
    }
    let rendered;
    let text = if pipe.is_template {
        rendered = engine.render_sls(sls, &found.path, more)?;
        &rendered
    } else {
        &found.text
    };
    let data = match pipe.format {
        Format::Yaml => read_yaml(text, &found.path)?,
        Format::Json => read_json(text, &found.path)?,
    };
    Ok(if data.is_true() { data } else { super::Dict::ordered().into() })
}

/// Whether upshift has the renderers that a file of formulas asks for.
///
/// # Errors
/// When one is unknown.
pub fn check(text: &str) -> Result<()> {
    formula_pipe(text).map(|_| ())
}

/// The renderers of a file of formulas. Nothing in it is encrypted: formulas are compiled on hosts, which have nobody's
/// keys, and what was opened there would be a secret that no one knows to be one.
fn formula_pipe(text: &str) -> Result<Pipe> {
    let pipe = pipe(text)?;
    if pipe.cipher.is_some() {
        let error = Error::new(Kind::Unsupported, "encrypted values are opened in the pillar only");
        return Err(error.hint("put the value into the pillar, and read it with `pillar.get`"));
    }
    Ok(pipe)
}

/// The renderers that the first line asks for.
fn pipe(text: &str) -> Result<Pipe> {
    let first = text.lines().next().unwrap_or_default();
    let Some(names) = first.strip_prefix("#!").filter(|names| !names.starts_with('/')) else {
        return Ok(Pipe { is_template: true, format: Format::Yaml, cipher: None });
    };
    let mut names: Vec<&str> = names.trim().split('|').map(str::trim).collect();
    let cipher = names.last().and_then(|last| Cipher::named(last));
    if cipher.is_some() {
        names.pop();
    }
    let pipe = |is_template, format| Ok(Pipe { is_template, format, cipher });
    match names.as_slice() {
        ["jinja" | "jinja -s", "yaml" | "yaml_odict"] | ["yaml_jinja"] => pipe(true, Format::Yaml),
        ["jinja" | "jinja -s", "json"] | ["json_jinja"] => pipe(true, Format::Json),
        ["yaml" | "yaml_odict"] => pipe(false, Format::Yaml),
        ["json"] => pipe(false, Format::Json),
        names => {
            let ours = ["jinja", "jinja -s", "yaml", "yaml_odict", "json"];
            let unknown: Vec<String> =
                names.iter().filter(|name| !ours.contains(name)).map(|name| format!("`{name}`")).collect();
            Err(match unknown.as_slice() {
                [] => Error::new(Kind::Unsupported, format!("the renderers `{}` do not end in data", names.join("|"))),
                unknown => {
                    let message = format!("upshift does not have the renderer {}", unknown.join(", "));
                    Error::new(Kind::Unsupported, message)
                }
            }
            .hint("write it as `#!jinja|yaml`, `#!yaml`, `#!jinja|json` or `#!json`, with `|gpg` or `|age` behind it"))
        }
    }
}

fn read_yaml(text: &str, path: &str) -> Result<Data> {
    yaml::load(text, Mappings::Ordered).map_err(|error| {
        let source = text.lines().nth(error.line.saturating_sub(1)).map(str::to_owned);
        Error::new(Kind::Yaml, error.message)
            .at(format!("{path} (rendered)"), error.line, source)
            .hint(format!("`upshift formula render {path}` prints the rendered text"))
    })
}

fn read_json(text: &str, path: &str) -> Result<Data> {
    let is_shebang = text.starts_with("#!");
    let json = if is_shebang { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    serde_json::from_str(json).map_err(|error| {
        let line = error.line() + usize::from(is_shebang);
        let source = text.lines().nth(line.saturating_sub(1)).map(str::to_owned);
        Error::new(Kind::Yaml, format!("not JSON: {error}")).at(format!("{path} (rendered)"), line, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_renderers() {
        let named = |text: &str| pipe(text).map(|pipe| (pipe.is_template, pipe.format, pipe.cipher)).unwrap();
        assert_eq!(named("a: 1\n"), (true, Format::Yaml, None));
        assert_eq!(named("#!/bin/sh\n"), (true, Format::Yaml, None));
        assert_eq!(named("#!yaml\n"), (false, Format::Yaml, None));
        assert_eq!(named("#!jinja|json\n"), (true, Format::Json, None));
        assert_eq!(named("#!yaml|gpg\n"), (false, Format::Yaml, Some(Cipher::Gpg)));
        assert_eq!(named("#!jinja | yaml | age\n"), (true, Format::Yaml, Some(Cipher::Age)));
    }

    #[test]
    fn an_unknown_renderer_is_named() {
        assert_eq!(check("#!yaml|gpg\n").unwrap_err().message, "encrypted values are opened in the pillar only");
        let error = pipe("#!jinja|mako|gpg2\n").unwrap_err();
        assert_eq!(error.message, "upshift does not have the renderer `mako`, `gpg2`");
    }
}
