//! `mysql_user`, `mysql_grants`, `mysql_database`, `mysql_query`: what is in a `MySQL` or `MariaDB` server.
//!
//! The server is asked through the host's own client. No password is ever on a command line or in a file.

mod database;
mod grant;
mod grants;
mod query;
mod server;
mod user;

use crate::formula::Data;
use crate::states::{Args, Function};

/// What every function takes to reach the server, and what is its own.
macro_rules! with_connection {
    ($($own:literal),* $(,)?) => {
        &[
            $($own,)*
            "connection_host", "connection_port", "connection_user", "connection_pass", "connection_db",
            "connection_unix_socket", "connection_default_file", "connection_charset",
        ]
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("mysql_user.present", user::present)
        .takes(with_connection!(
            "host",
            "password",
            "password_hash",
            "allow_passwordless",
            "unix_socket",
            "password_column",
            "auth_plugin"
        ))
        .checks(user::check),
    Function::new("mysql_user.absent", user::absent).takes(with_connection!("host")).checks(check),
    Function::new("mysql_grants.present", grants::present)
        .requires(&["grant", "database", "user"])
        .takes(with_connection!("host", "grant_option", "escape", "revoke_first", "ssl_option"))
        .checks(grants::check),
    Function::new("mysql_grants.absent", grants::absent)
        .requires(&["grant", "database", "user"])
        .takes(with_connection!("host", "grant_option", "escape"))
        .checks(check),
    Function::new("mysql_database.present", database::present)
        // Salt hands on what it does not know, and formulas for all of these states give them all a host.
        .takes(with_connection!("character_set", "collate", "host"))
        .checks(check),
    Function::new("mysql_database.absent", database::absent).takes(with_connection!("host")).checks(check),
    Function::new("mysql_query.run", query::run)
        .requires(&["database", "query"])
        .takes(with_connection!("output", "overwrite", "check_db_exists"))
        .checks(query::check),
    Function::new("mysql_query.run_file", query::run_file)
        .requires(&["database", "query_file"])
        .takes(with_connection!("output", "overwrite", "check_db_exists"))
        .checks(query::check),
];

/// Refuses a character set in which the second byte of a character may be a backslash: no text can be quoted in those
/// without knowing what the server makes of it.
fn check(args: &Args<'_>) -> Result<(), String> {
    let charset = args.get("connection_charset").and_then(Data::as_str).unwrap_or_default();
    match charset.to_ascii_lowercase().as_str() {
        "big5" | "cp932" | "gb18030" | "gbk" | "sjis" => Err(format!("upshift has no `connection_charset: {charset}`")),
        _ => Ok(()),
    }
}
