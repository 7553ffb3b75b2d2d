//! `gem.*`: packages of Ruby.

use crate::formula::{Data, Dict};
use crate::states::pkg::user_named;
use crate::states::returns::dict;
use crate::states::{Args, Call, Command, Failed, Function, Output, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("gem.installed", installed)
        .takes(&["gem_bin", "pre_releases", "proxy", "rdoc", "ri", "ruby", "source", "user", "version"])
        .checks(without_ruby),
    Function::new("gem.removed", removed).takes(&["gem_bin", "ruby", "user"]).checks(without_ruby),
];

fn without_ruby(args: &Args<'_>) -> Result<(), String> {
    match args.get("ruby") {
        None => Ok(()),
        Some(_) => Err("upshift has no `ruby` of rvm or rbenv: name the program with `gem_bin`".to_owned()),
    }
}

fn installed(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let version = call.args.text("version")?;
    if let Some(there) = versions(call, &name)? {
        match version.as_deref().map(|version| (version, comparison(version))) {
            None => return Ok(Return::unchanged("Gem is already installed.")),
            Some((version, None)) if there.iter().any(|there| there == version) => {
                return Ok(Return::unchanged("Gem is already installed."));
            }
            Some((_, Some((operator, wanted)))) if there.first().is_some_and(|there| fits(there, operator, wanted)) => {
                return Ok(Return::unchanged("Installed Gem meets version requirements."));
            }
            Some(_) => {}
        }
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("The gem {name} would have been installed")));
    }
    let output = run(call, &arguments(call.args, &name, version.as_deref())?)?;
    if !output.is_success() {
        return Err(format!("Could not install gem. {}", output.why()).into());
    }
    Ok(Return::changed(dict([(name, Data::from("Installed"))]), "Gem was successfully installed"))
}

fn arguments(args: Args<'_>, name: &str, version: Option<&str>) -> Result<Vec<String>, Failed> {
    let mut arguments = vec!["install".to_owned(), name.to_owned()];
    if let Some(version) = version {
        arguments.extend(["--version".to_owned(), version.to_owned()]);
    }
    let documents = [("rdoc", "rdoc"), ("ri", "ri")].map(|(key, name)| (args.flag(key, false), name));
    let documents: Vec<&str> = documents.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
    arguments.push(match documents.as_slice() {
        [] => "--no-document".to_owned(),
        some => format!("--document={}", some.join(",")),
    });
    arguments.extend(args.flag("pre_releases", false).then(|| "--pre".to_owned()));
    for (key, option) in [("proxy", "-p"), ("source", "--source")] {
        arguments.extend(args.text(key)?.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
    Ok(arguments)
}

fn removed(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    if versions(call, &name)?.is_none() {
        return Ok(Return::unchanged("Gem is not installed."));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("The gem {name} would have been removed")));
    }
    let arguments = ["uninstall", &name, "--all", "--executables"].map(str::to_owned);
    let output = run(call, &arguments)?;
    if !output.is_success() {
        return Err(format!("Could not remove gem. {}", output.why()).into());
    }
    Ok(Return::changed(dict([(name, Data::from("Removed"))]), "Gem was successfully removed."))
}

/// The versions of a gem, the newest first; `None` if it is not there.
fn versions(call: &Call<'_>, name: &str) -> Result<Option<Vec<String>>, Failed> {
    let output = run(call, &["list".to_owned(), name.to_owned()])?;
    if !output.is_success() {
        return Err(format!("cannot list gems: {}", output.why()).into());
    }
    Ok(parse_list(&output.stdout, name))
}

/// Reads `NAME (1.2, default: 1.1)`.
fn parse_list(text: &str, name: &str) -> Option<Vec<String>> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" (")?.strip_suffix(')'))?;
    Some(line.split(',').map(|version| version.trim().trim_start_matches("default: ").to_owned()).collect())
}

/// `>=1.2` taken apart.
fn comparison(version: &str) -> Option<(&str, &str)> {
    let operator = [">=", "<=", ">", "<"].into_iter().find(|operator| version.starts_with(operator))?;
    Some((operator, version[operator.len()..].trim()))
}

fn fits(there: &str, operator: &str, wanted: &str) -> bool {
    crate::formula::debian_order(there, wanted).is_some_and(|order| match operator {
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_lt(),
    })
}

fn run(call: &Call<'_>, arguments: &[String]) -> Result<Output, Failed> {
    let program = call.args.text("gem_bin")?.unwrap_or_else(|| "gem".to_owned());
    let command = Command::new(&program, arguments);
    let command = if arguments.first().is_some_and(|first| first == "list") { command.quiet() } else { command };
    call.host.run(match user_named(call)? {
        Some(user) => command.env("HOME", &user.home).as_user(&user, None),
        None => command,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_the_versions_of_a_gem() {
        let text = "\n*** LOCAL GEMS ***\n\nrake-more (1)\nrake (13.0.6, default: 12.3)\n";
        assert_eq!(parse_list(text, "rake"), Some(vec!["13.0.6".to_owned(), "12.3".to_owned()]));
        assert_eq!(parse_list(text, "rak"), None);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(fits("1.10", ">=", "1.9") && !fits("1.10", "<", "1.9"));
        assert_eq!(comparison(">= 1.2"), Some((">=", "1.2")));
        assert_eq!(comparison("1.2"), None);
    }
}
