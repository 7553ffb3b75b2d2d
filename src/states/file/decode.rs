//! `file.decode`: a file out of the Base64 that stands for it.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use camino::Utf8Path;
use fs_err as fs;

use crate::formula::Data;
use crate::formula::traverse::traverse;
use crate::states::disk::{self, Attributes};
use crate::states::file::expanded;
use crate::states::returns::old_new;
use crate::states::{Args, Call, Failed, Function, Return, checksum};

pub(super) const DECODE: Function = Function::new("file.decode", decode)
    .takes(&["encoded_data", "contents_pillar", "encoding_type", "checksum"])
    .checks(check);

fn check(args: &Args<'_>) -> Result<(), String> {
    let encoding = args.get("encoding_type").and_then(Data::as_str).unwrap_or("base64");
    if encoding != "base64" {
        return Err(format!("upshift has no encoding `{encoding}`, only `base64`"));
    }
    let algorithm = args.get("checksum").and_then(Data::as_str).unwrap_or("md5");
    if checksum::of(algorithm, b"").is_empty() {
        return Err(format!("upshift has no checksum `{algorithm}`"));
    }
    Ok(())
}

fn decode(call: &Call<'_>) -> Result<Return, Failed> {
    let name = expanded(call.host, &call.args.name()?);
    let path = Utf8Path::new(&name);
    let content = decoded(&encoded(call)?)?;
    let algorithm = call.args.text("checksum")?.unwrap_or_else(|| "md5".to_owned());
    let sum = |content: &[u8]| Data::from(checksum::of(&algorithm, content).as_str());
    let there = if path.is_file() { Some(fs::read(path)?) } else { None };
    if there.as_ref() == Some(&content) {
        return Ok(Return::unchanged("File is in the correct state."));
    }
    let old = there.as_deref().map(&sum);
    let mut changes = crate::formula::Dict::default();
    if let Data::Dict(both) = old_new(old.clone().unwrap_or_default(), sum(&content)) {
        changes = (*both).clone();
    }
    if call.preview {
        let changes = if old.is_some() { changes } else { crate::formula::Dict::default() };
        return Ok(Return::would(changes, "File is set to be updated."));
    }
    disk::replace(path, &content, Attributes::default())?;
    Ok(Return::changed(changes, "File was updated."))
}

fn encoded(call: &Call<'_>) -> Result<String, Failed> {
    let (data, key) = (call.args.text("encoded_data")?, call.args.text("contents_pillar")?);
    match (data.filter(|data| !data.is_empty()), key.filter(|key| !key.is_empty())) {
        (None, None) => Err("Specify either the 'encoded_data' or 'contents_pillar' argument.".into()),
        (Some(_), Some(_)) => Err("Specify only one 'encoded_data' or 'contents_pillar' argument.".into()),
        (Some(data), None) => Ok(data),
        (None, Some(key)) => {
            let found = traverse(call.host.formula.pillar(), &key, ":").and_then(Data::as_str);
            Ok(found.ok_or("Pillar data not found.")?.to_owned())
        }
    }
}

/// As Python decodes it: whatever is no Base64 is passed over.
fn decoded(text: &str) -> Result<Vec<u8>, Failed> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let digits: Vec<u8> = text.bytes().filter(is_digit).collect();
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient);
    engine.decode(digits).map_err(|_| "the encoded data is no Base64".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_spaces_are_passed_over() {
        assert_eq!(decoded("Z2V0\n IHNhbHRlZAo=\n").unwrap(), b"get salted\n");
        assert!(decoded("Z2V0I").is_err());
    }
}
