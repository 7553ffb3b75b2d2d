//! Data as the serializers write and read it that `slsutil.serialize` and `file.serialize` have in common.

use super::template::functions::serializers;
use super::{Data, Dict};

/// The serializers that upshift has.
pub const SERIALIZERS: [&str; 4] = serializers::SERIALIZERS;

/// A value as a serializer writes it, with the keyword arguments that it has in Salt.
///
/// # Errors
/// When there is no such serializer, or the value is none that it can write.
pub fn serialize(serializer: &str, data: &Data, options: &Dict) -> Result<String, String> {
    serializers::serialize(serializer, data, options).map_err(|error| detail(&error))
}

/// The value that a serializer reads in a text.
///
/// # Errors
/// When there is no such serializer, or the text is not of its kind.
pub fn deserialize(serializer: &str, text: &str, options: &Dict) -> Result<Data, String> {
    serializers::deserialize(serializer, text, options).map_err(|error| detail(&error))
}

fn detail(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}
