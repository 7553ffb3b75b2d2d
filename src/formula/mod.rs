//! Salt formulas, compiled natively: what Salt's own compiler makes of the same files, or an error that says
//! where and why not.
//!
//! Text goes through [`template`] (Salt's dialect of Jinja), then [`yaml`] (YAML 1.1 as Salt reads it), then
//! [`sls`] (include and extend, high state, low state). What a template asks the host comes through [`facts`],
//! so that the same compiler runs on the host with real answers and on the controller with recorded ones.
//! Nothing here changes a host.

pub mod cipher;
pub mod compile;
pub mod data;
pub mod error;
pub mod facts;
pub mod fnmatch;
pub mod matcher;
pub mod merge;
pub mod pillar;
pub mod regex;
pub mod renderer;
pub mod roots;
pub mod serialize;
pub mod sls;
pub mod template;
pub mod top;
pub mod traverse;
pub mod yaml;

pub use data::{Data, Dict};
pub use error::{Error, Kind, Place, Result};
pub use template::functions::package_versions::{debian as debian_order, rpm as rpm_order};
