//! `docker_image.present` and `docker_image.absent`: images that are pulled. upshift builds none and loads none.

use super::engine::{Engine, Thing, part};
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// Pulls an image; `latest` if it says no tag. Returns what Salt says of it.
pub(super) fn pull(engine: &Engine, name: &str) -> Result<Data, String> {
    let (name, tag) = tagged(name);
    let lines = engine.pull(&format!("/images/create?fromImage={}&tag={}", part(name), part(tag)))?;
    let layers = |status: &str| -> Data {
        let is_so = |line: &&Data| line.get("status").and_then(Data::as_str) == Some(status);
        lines.iter().filter(is_so).filter_map(|line| line.get("id").and_then(text)).map(Data::from).collect()
    };
    let entries = [("Already_Pulled", layers("Already exists")), ("Pulled", layers("Pull complete"))];
    let layers = dict(entries.into_iter().filter(|(_, layers)| layers.is_true()));
    let mut said = lines.iter().rev().filter_map(|line| line.get("status").and_then(Data::as_str));
    let status = said.find_map(|said| said.strip_prefix("Status: "));
    Ok(dict([("Layers", layers.into()), ("Status", status.map_or(Data::None, Data::from))]).into())
}

/// The name and the tag, or the digest, of an image.
fn tagged(name: &str) -> (&str, &str) {
    if let Some((name, digest)) = name.split_once('@') {
        return (name, digest);
    }
    match name.rsplit_once(':') {
        // A colon may be that of a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (name, "latest"),
    }
}

fn full_name(args: &Args<'_>) -> Result<String, Failed> {
    let (name, tag) = (args.name()?, args.text("tag")?.filter(|tag| !tag.is_empty()));
    Ok(tag.map_or_else(|| name.clone(), |tag| format!("{name}:{tag}")))
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    ensure(call, call.args.flag("force", false))
}

/// What is watched has changed: the image is pulled again.
pub(super) fn watch(call: &Call<'_>) -> Result<Return, Failed> {
    ensure(call, true)
}

fn ensure(call: &Call<'_>, force: bool) -> Result<Return, Failed> {
    let (engine, name) = (Engine::of(call)?, full_name(&call.args)?);
    let there = engine.inspect(Thing::Image, &name)?;
    if there.is_some() && !force {
        return Ok(Return::unchanged(format!("Image {name} already present")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Image {name} will be pulled")));
    }
    let failed = |why: String| format!("Encountered error pulling {name}: {why}");
    let pulled = pull(&engine, &name).map_err(failed)?;
    let now = engine.inspect(Thing::Image, &name)?.ok_or_else(|| failed("it is not there afterwards".to_owned()))?;
    if there.is_some_and(|there| there.get("Id") == now.get("Id")) {
        return Ok(Return::unchanged(format!("Image '{name}' was pulled, but there were no changes")));
    }
    let changes = pulled.as_dict().cloned().unwrap_or_default();
    Ok(Return::changed(changes, format!("Image '{name}' was pulled")))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, args) = (Engine::of(call)?, &call.args);
    let names = if args.get("images").is_some() { args.texts("images")? } else { vec![args.name()?] };
    let mut there = Vec::new();
    for name in &names {
        if engine.inspect(Thing::Image, name)?.is_some() {
            there.push(name.as_str());
        }
    }
    match (there.as_slice(), names.as_slice()) {
        ([], [name]) => return Ok(Return::unchanged(format!("Image {name} is not present"))),
        ([], _) => return Ok(Return::unchanged("All specified images are not present")),
        _ => {}
    }
    let list = there.join(", ");
    if call.preview {
        let comment = match there.as_slice() {
            [name] => format!("Image {name} will be removed"),
            _ => format!("The following images will be removed: {list}"),
        };
        return Ok(Return::would(Dict::default(), comment));
    }
    let (mut removed, mut untagged, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for name in &there {
        match engine.act("DELETE", &format!("{}?force={}", Thing::Image.path(name), args.flag("force", false)), None) {
            Err(why) => errors.push(format!("{name}: {why}")),
            Ok(said) => {
                for entry in said.as_list().unwrap_or_default() {
                    removed.extend(entry.get("Deleted").cloned());
                    untagged.extend(entry.get("Untagged").cloned());
                }
            }
        }
    }
    let lists = [("Layers", removed), ("Tags", untagged)].into_iter().filter(|(_, list)| !list.is_empty());
    let changes = dict(lists.map(|(name, list)| (name, list.into())));
    if !errors.is_empty() {
        let comment = format!("The following image(s) failed to be removed: {}", errors.join("; "));
        return Err(Failed::from(comment).after(changes));
    }
    let comment = match there.as_slice() {
        [name] => format!("Image {name} was removed"),
        _ => format!("The following images were removed: {list}"),
    };
    Ok(Return::changed(changes, comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        assert_eq!(tagged("registry:5000/a/b"), ("registry:5000/a/b", "latest"));
        assert_eq!(tagged("registry:5000/a/b:1.2"), ("registry:5000/a/b", "1.2"));
        assert_eq!(tagged("nginx@sha256:abc"), ("nginx", "sha256:abc"));
    }
}
