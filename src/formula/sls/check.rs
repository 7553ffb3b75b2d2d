//! stub
use super::Low;
use crate::formula::Result;
/// stub
pub fn check(_low: &Low) -> Result<()> {
    Ok(())
}
