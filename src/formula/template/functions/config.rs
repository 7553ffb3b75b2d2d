//! `config.*`: the minion's options, then grains, then pillar.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{self, Strategy, as_dict, assign, dict, entries, is_list, is_mapping, items, list, text};
use super::arguments::Default::{Bool, None, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::traverse::{get as entry, traverse};
use super::{Function, plain};
use crate::formula::fnmatch;

const GET: Signature = takes(&[
    ("key", Required),
    ("default", Text("")),
    ("delimiter", Text(":")),
    ("merge", None),
    ("omit_opts", Bool(false)),
    ("omit_pillar", Bool(false)),
    ("omit_master", Bool(false)),
    ("omit_grains", Bool(false)),
]);
const OPTION: Signature = takes(&[
    ("value", Required),
    ("default", None),
    ("omit_opts", Bool(false)),
    ("omit_grains", Bool(false)),
    ("omit_pillar", Bool(false)),
    ("omit_master", Bool(false)),
    ("omit_all", Bool(false)),
    ("wildcard", Bool(false)),
]);
const MERGE: Signature = takes(&[
    ("value", Required),
    ("default", Text("")),
    ("omit_opts", Bool(false)),
    ("omit_master", Bool(false)),
    ("omit_pillar", Bool(false)),
]);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("config.get", GET, get),
    plain("config.option", OPTION, option),
    plain("config.merge", MERGE, merge),
    plain("config.items", takes(&[]), |context, _| Ok(context.opts.clone())),
    plain("config.dot_vals", takes(&[("value", Required)]), dot_values),
    plain("config.backup_mode", takes(&[("backup", Text(""))]), |context, arguments| {
        if arguments.is_true("backup")? {
            return Ok(arguments.get("backup").clone());
        }
        let places = [&context.opts, &context.grains, &context.pillar];
        let found = places.into_iter().find_map(|place| entry(place, &Value::from("backup_mode")));
        Ok(found.unwrap_or(Value::from("")))
    }),
    plain("config.manage_mode", takes(&[("mode", Required)]), |_, arguments| Ok(normal_mode(arguments.get("mode")))),
    plain("config.valid_fileproto", takes(&[("uri", Required)]), |_, arguments| {
        let uri = arguments.text("uri")?;
        let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
        let known = ["salt", "http", "https", "ftp", "swift", "s3", "file"];
        Ok(Value::from(known.contains(&scheme.to_lowercase().as_str())))
    }),
];

/// What Salt has for options that nobody set.
fn defaults() -> Value {
    let pairs =
        |pairs: &[(&'static str, Value)]| dict(pairs.iter().map(|(key, value)| (Value::from(*key), value.clone())));
    let texts = |texts: &[&'static str]| list(texts.iter().map(|text| Value::from(*text)).collect());
    let [no, none] = [Value::from(false), Value::from(())];
    pairs(&[
        ("mongo.db", "salt".into()),
        ("mongo.password", "".into()),
        ("mongo.port", 27017.into()),
        ("mongo.user", "".into()),
        ("redis.db", "0".into()),
        ("redis.host", "salt".into()),
        ("redis.port", 6379.into()),
        ("test.foo", "unconfigured".into()),
        ("ca.cert_base_path", "/etc/pki".into()),
        ("solr.cores", texts(&[])),
        ("solr.host", "localhost".into()),
        ("solr.port", "8983".into()),
        ("solr.baseurl", "/solr".into()),
        ("solr.type", "master".into()),
        ("solr.request_timeout", none.clone()),
        ("solr.init_script", "/etc/rc.d/solr".into()),
        (
            "solr.dih.import_options",
            pairs(&[
                ("clean", no.clone()),
                ("optimize", true.into()),
                ("commit", true.into()),
                ("verbose", no.clone()),
            ]),
        ),
        ("solr.backup_path", none.clone()),
        ("solr.num_backups", 1.into()),
        ("poudriere.config", "/usr/local/etc/poudriere.conf".into()),
        ("poudriere.config_dir", "/usr/local/etc/poudriere.d".into()),
        ("ldap.uri", "".into()),
        ("ldap.server", "localhost".into()),
        ("ldap.port", "389".into()),
        ("ldap.tls", no.clone()),
        ("ldap.no_verify", no.clone()),
        ("ldap.anonymous", true.into()),
        ("ldap.scope", 2.into()),
        ("ldap.attrs", none),
        ("ldap.binddn", "".into()),
        ("ldap.bindpw", "".into()),
        ("hosts.file", "/etc/hosts".into()),
        ("aliases.file", "/etc/aliases".into()),
        ("virt", pairs(&[("tunnel", no), ("images", "/srv/salt-images".into())])),
        ("docker.exec_driver", "docker-exec".into()),
        (
            "docker.compare_container_networks",
            pairs(&[
                ("static", texts(&["Aliases", "Links", "IPAMConfig"])),
                ("automatic", texts(&["IPAddress", "Gateway", "GlobalIPv6Address", "IPv6Gateway"])),
            ]),
        ),
    ])
}

/// The pillar that a master gives of its own options, if it does.
fn master(context: &Context) -> Value {
    entry(&context.pillar, &Value::from("master")).unwrap_or_else(|| dict([]))
}

fn get(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let key = defined(arguments.get("key"))?;
    let delimiter = super::pillar::delimiter(arguments, "delimiter")?;
    if arguments.get("merge").is_none() {
        let places = [
            ("omit_opts", context.opts.clone()),
            ("omit_grains", context.grains.clone()),
            ("omit_pillar", context.pillar.clone()),
            ("omit_master", master(context)),
        ];
        for (omit, place) in places {
            if !arguments.is_true(omit)?
                && let Some(found) = traverse(&place, key, &delimiter)?
            {
                return looked_up(context, found);
            }
        }
        if let Some(found) = traverse(&defaults(), key, &delimiter)? {
            return Ok(found);
        }
    } else {
        let strategy = match arguments.text("merge")?.as_str() {
            "overwrite" => Strategy::Overwrite,
            _ => Strategy::Recurse,
        };
        let mut merged = defaults();
        for place in [&master(context), &context.pillar, &context.grains, &context.opts] {
            merged = value::merge(strategy, &merged, place, false)?;
        }
        if let Some(found) = traverse(&merged, key, &delimiter)? {
            return looked_up(context, found);
        }
    }
    Ok(arguments.get("default").clone())
}

/// The value, unless it stands for one in a database (`sdb://profile/key`), which upshift does not read.
fn looked_up(context: &Context, found: Value) -> Result<Value, Error> {
    let profile = found.as_str().and_then(|uri| uri.strip_prefix("sdb://")).and_then(|rest| rest.split_once('/'));
    let Some((profile, key)) = profile else { return Ok(found) };
    let is_profile = |place: &Value| {
        entry(place, &Value::from(profile)).is_some_and(|profile| entry(&profile, &Value::from("driver")).is_some())
    };
    if !key.is_empty() && (is_profile(&context.opts) || is_profile(&context.pillar)) {
        return Err(wrong(format!("upshift does not read Salt's databases (`{found}`)")));
    }
    Ok(found)
}

fn option(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let key = defined(arguments.get("value"))?;
    let omits_all = arguments.is_true("omit_all")?;
    let is_wildcard = arguments.is_true("wildcard")?;
    let mut places = Vec::new();
    for (omit, place) in [
        ("omit_opts", context.opts.clone()),
        ("omit_grains", context.grains.clone()),
        ("omit_pillar", context.pillar.clone()),
        ("omit_master", master(context)),
    ] {
        if !omits_all && !arguments.is_true(omit)? {
            places.push(place);
        }
    }
    let default = arguments.some("default").cloned();
    if !is_wildcard {
        places.push(defaults());
        let found = places.iter().find_map(|place| entry(place, key));
        return Ok(found.or(default).unwrap_or(Value::from("")));
    }
    let pattern = text(key);
    let all = dict([]);
    let matching = |place: &Value| {
        let matching = entries(place).into_iter().filter(|(key, _)| fnmatch::is_match(&pattern, &text(key)));
        matching.collect::<Vec<_>>()
    };
    for place in places.iter().rev() {
        assign(&all, &dict(matching(place)))?;
    }
    assign(&all, &dict(matching(&defaults()).into_iter().filter(|(key, _)| entry(&all, key).is_none())))?;
    if all.is_true() { Ok(all) } else { Ok(default.unwrap_or_else(|| dict([]))) }
}

/// Mappings and lists of the options, the master's pillar and the pillar, merged. As in Salt, a mapping of the pillar
/// that takes part is changed by it.
fn merge(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let key = defined(arguments.get("value"))?;
    let mut merged: Option<Value> = Option::None;
    for (omit, place) in
        [("omit_opts", context.opts.clone()), ("omit_master", master(context)), ("omit_pillar", context.pillar.clone())]
    {
        if arguments.is_true(omit)? {
            continue;
        }
        let Some(found) = entry(&place, key) else { continue };
        let is_sequence = |value: &Value| is_list(value) || value.is_tuple();
        merged = match merged.filter(|merged| !merged.is_none()) {
            Option::None if found.as_str().is_some() => return Ok(found),
            Option::None => Some(found),
            Some(so_far) if as_dict(&found).is_some() && is_mapping(&so_far) => {
                assign(&found, &so_far)?;
                Some(found)
            }
            Some(so_far) if is_sequence(&so_far) && is_sequence(&found) => {
                Some(list(items(&so_far)?.into_iter().chain(items(&found)?).collect()))
            }
            Some(so_far) => Some(so_far),
        };
    }
    let merged = merged.filter(|merged| !merged.is_none()).or_else(|| entry(&defaults(), key));
    Ok(merged.unwrap_or_else(|| arguments.get("default").clone()))
}

fn dot_values(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let start = arguments.text("value")? + ".";
    let all = [master(context), context.opts.clone()];
    let entries = all.iter().flat_map(entries).filter(|(key, _)| text(key).starts_with(&start));
    Ok(dict(entries))
}

/// A file mode as Salt writes it: four digits, quoted or not.
fn normal_mode(mode: &Value) -> Value {
    if mode.is_none() {
        return mode.clone();
    }
    let mode = text(mode).replace("0o", "0");
    let digits = mode.trim_matches('"').trim_matches('\'').trim_start_matches('0');
    Value::from(format!("{digits:0>4}"))
}
