//! `file.serialize`: data in a file, as YAML, JSON or another serializer writes it.

use std::sync::LazyLock;

use camino::Utf8Path;
use fs_err as fs;

use super::printed;
use crate::formula::merge;
use crate::formula::serialize::{SERIALIZERS, deserialize, serialize};
use crate::formula::template::value::Strategy;
use crate::formula::traverse::traverse;
use crate::formula::{Data, Dict};
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Function, Return, diff, file};

pub(super) const SERIALIZE: Function = Function::new("file.serialize", write)
    .takes(&[
        "backup",
        "check_cmd",
        "create",
        "dataset",
        "dataset_pillar",
        "deserializer_opts",
        "encoding",
        "encoding_errors",
        "formatter",
        "group",
        "makedirs",
        "merge_if_exists",
        "mode",
        "serializer",
        "serializer_opts",
        "show_changes",
        "tmp_dir",
        "tmp_ext",
        "user",
    ])
    .checks(check);

/// What stands for a value that was not there.
const NOTHING: &str = "<_null_>";

/// A date in YAML that is no text: `PyYAML` writes it back as it was, and [`Data`] has none.
static DATE: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    let pattern = r"(?m)(?:^|[:\-\[{,?])[ \t]*\d{4}-\d\d?-\d\d?(?:[Tt \t][\d:. \t+Zz-]*)?[ \t]*(?:$|[,\]}#])";
    regex::Regex::new(pattern).ok()
});

/// What the serializers can be told here.
const OPTIONS: [(&str, &[&str]); 4] = [
    ("configparser", &[]),
    ("json", &["ensure_ascii", "indent", "separators", "sort_keys"]),
    ("keyvalue", &["line_ending", "quoting", "separator"]),
    (
        "yaml",
        &[
            "allow_unicode",
            "default_flow_style",
            "default_style",
            "explicit_end",
            "explicit_start",
            "indent",
            "sort_keys",
            "width",
        ],
    ),
];

fn check(args: &Args<'_>) -> Result<(), String> {
    file::check_encoding(args)?;
    let name = serializer(args).map_err(|failed| failed.comment)?;
    let merges = args.flag("merge_if_exists", false);
    if merges && name == "configparser" {
        return Err("upshift has no `merge_if_exists` for the serializer `configparser`".to_owned());
    }
    let known = OPTIONS.iter().find(|(serializer, _)| *serializer == name).map_or(&[][..], |(_, options)| *options);
    for argument in ["serializer_opts", "deserializer_opts"] {
        let given = options(args, argument).map_err(|failed| failed.comment)?;
        let reads = argument == "deserializer_opts";
        let known = if reads && name != "keyvalue" { &[] } else { known };
        if let Some(option) = given.entries.keys().map(printed).find(|option| !known.contains(&option.as_str())) {
            return Err(format!("upshift has no `{option}` in `{argument}` of the serializer `{name}`"));
        }
    }
    Ok(())
}

fn serializer(args: &Args<'_>) -> Result<String, Failed> {
    let named = |key: &str| args.get(key).filter(|name| name.is_true()).map(printed);
    let name = match (named("serializer"), named("formatter")) {
        (Some(_), Some(_)) => return Err("Only one of serializer and formatter are allowed".into()),
        (one, other) => one.or(other).unwrap_or_else(|| "yaml".to_owned()).to_lowercase(),
    };
    if SERIALIZERS.contains(&name.as_str()) {
        Ok(name)
    } else {
        Err(format!("upshift does not have the serializer `{name}`; it has {}", SERIALIZERS.join(", ")).into())
    }
}

/// Keyword arguments: a list of options. Salt takes no notice of them in a mapping.
fn options(args: &Args<'_>, argument: &str) -> Result<Dict, Failed> {
    let wrong = || Failed::from(format!("`{argument}` has to be a list of options"));
    match args.get(argument).filter(|given| given.is_true()) {
        None => Ok(Dict::default()),
        Some(Data::List(items)) => {
            let mut all = Dict::default();
            for item in items.iter() {
                all.entries.extend(item.as_dict().ok_or_else(wrong)?.entries.clone());
            }
            Ok(all)
        }
        Some(_) => Err(wrong()),
    }
}

fn write(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let path = file::absolute(call, "file.serialize")?;
    if !args.flag("create", true) && !path.is_file() {
        return Ok(Return::unchanged(format!("File {path} is not present and is not set for creation")));
    }
    let serializer = serializer(args)?;
    let mut data = dataset(call)?;
    let mut difference = None;
    if args.flag("merge_if_exists", false)
        && let Some(there) = there(&path, &serializer, &options(args, "deserializer_opts")?)?
    {
        let merged = merge::merge(Strategy::Recurse, &there, &data, false).map_err(|error| error.to_string())?;
        if merged == there {
            return Ok(Return::unchanged(format!("The file {path} is in the correct state")));
        }
        difference = there.as_dict().zip(merged.as_dict()).map(|(old, new)| differing(old, new));
        data = merged;
    }
    let mut layout = layout(&serializer, args.get("encoding").is_some_and(Data::is_true));
    layout.entries.extend(options(args, "serializer_opts")?.entries);
    let text = serialize(&serializer, &data, &layout)? + "\n";
    let mut outcome = file::hold(call, text)?;
    if outcome.result.is_none() {
        outcome.comment = format!("Dataset will be serialized and stored into {path}");
        if !args.flag("show_changes", true) {
            outcome.changes.insert("diff", diff::HIDDEN);
        }
    }
    if let Some(difference) = difference {
        outcome.changes.insert("diff", difference);
    }
    Ok(outcome)
}

/// How a serializer lays its text out where the SLS says nothing else.
fn layout(serializer: &str, is_encoded: bool) -> Dict {
    match serializer {
        "yaml" => dict([("default_flow_style", false.into()), ("allow_unicode", is_encoded.into())]),
        "json" => {
            let separators = Data::from(vec![",".into(), ": ".into()]);
            dict([("indent", Data::Int(2)), ("separators", separators), ("sort_keys", true.into())])
        }
        _ => Dict::default(),
    }
}

/// The data that is to be written.
fn dataset(call: &Call<'_>) -> Result<Data, Failed> {
    let given = |key: &str| call.args.get(key).filter(|value| value.is_true());
    if given("dataset").is_some() && given("dataset_pillar").is_some() {
        return Err("Only one of 'dataset' and 'dataset_pillar' is permitted".into());
    }
    if let Some(key) = given("dataset_pillar").map(printed) {
        let found = traverse(call.host.formula.pillar(), &key, ":");
        return found.cloned().ok_or_else(|| format!("Pillar {key} does not exist").into());
    }
    let dataset = call.args.get("dataset").cloned();
    dataset.ok_or_else(|| "Neither 'dataset' nor 'dataset_pillar' was defined".into())
}

/// What the file holds, if it is there and holds something.
fn there(path: &Utf8Path, serializer: &str, options: &Dict) -> Result<Option<Data>, Failed> {
    if !path.is_file() {
        return Ok(None);
    }
    let failed = |why: String| Failed::from(format!("Failed to deserialize existing data: {why}"));
    let text = String::from_utf8(fs::read(path)?).map_err(|_| failed(format!("{path} is not UTF-8")))?;
    if serializer == "yaml" && DATE.as_ref().is_some_and(|date| date.is_match(&text)) {
        return Err(failed("it has a date, which would be written as text".to_owned()));
    }
    let data = deserialize(serializer, &text, options).map_err(failed)?;
    Ok(Some(data).filter(|data| !matches!(data, Data::None)))
}

/// What is new or another one, at every depth.
fn differing(old: &Dict, new: &Dict) -> Dict {
    let mut differing = Dict::default();
    for (key, value) in &new.entries {
        let change = match (old.entries.get(key), value) {
            (None, value) => old_new(NOTHING, value.clone()),
            (Some(before), value) if before == value => continue,
            (Some(Data::Dict(before)), Data::Dict(after)) => match differing_within(before, after) {
                Some(within) => within,
                None => continue,
            },
            (Some(before), value) => old_new(before.clone(), value.clone()),
        };
        differing.insert(key.clone(), change);
    }
    differing
}

fn differing_within(old: &Dict, new: &Dict) -> Option<Data> {
    let within = differing(old, new);
    (!within.entries.is_empty()).then(|| within.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Data {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn only_what_is_new_or_another_one_differs() {
        let (old, new) =
            (data(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#), data(r#"{"a": 1, "b": {"c": 4, "d": 3}, "e": []}"#));
        let differing = differing(old.as_dict().unwrap(), new.as_dict().unwrap());
        let wanted = data(r#"{"b": {"c": {"old": 2, "new": 4}}, "e": {"old": "<_null_>", "new": []}}"#);
        assert_eq!(Data::from(differing), wanted);
    }

    #[test]
    fn a_serializer_or_option_that_is_not_there_is_refused() {
        let refused = |text: &str| check(&Args::new(data(text).as_dict().unwrap())).unwrap_err();
        assert!(refused(r#"{"formatter": "toml"}"#).contains("does not have the serializer `toml`"));
        assert!(refused(r#"{"serializer_opts": [{"canonical": true}]}"#).contains("`canonical`"));
        assert!(refused(r#"{"serializer": "json", "formatter": "json"}"#).starts_with("Only one"));
    }
}
