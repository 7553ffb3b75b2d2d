//! `postgres_user`, `postgres_group`, `postgres_database`, `postgres_extension`, `postgres_schema`,
//! `postgres_privileges`, `postgres_tablespace`: what is in a `PostgreSQL` server.
//!
//! The server is asked through the host's own `psql`, which reads SQL from its standard input and the password of the
//! connection from its environment. No password is ever on a command line or in a file.

mod database;
mod extension;
mod password;
mod privileges;
mod role;
mod schema;
mod server;
mod tablespace;

use crate::formula::Dict;
use crate::states::{Function, Return};

/// What every function takes to reach the server, and what is its own.
macro_rules! with_connection {
    ($($own:literal),* $(,)?) => {
        &[$($own,)* "user", "maintenance_db", "db_user", "db_password", "db_host", "db_port"]
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("postgres_database.absent", database::absent).takes(with_connection!()),
    Function::new("postgres_database.present", database::present)
        .takes(with_connection!(
            "tablespace",
            "encoding",
            "lc_collate",
            "lc_ctype",
            "owner",
            "owner_recurse",
            "template"
        ))
        .checks(database::check),
    Function::new("postgres_extension.absent", extension::absent).takes(with_connection!(
        "if_exists",
        "restrict",
        "cascade"
    )),
    Function::new("postgres_extension.present", extension::present).takes(with_connection!(
        "if_not_exists",
        "schema",
        "ext_version",
        "from_version"
    )),
    Function::new("postgres_group.absent", |call| role::absent(call, role::Kind::Group)).takes(with_connection!()),
    Function::new("postgres_group.present", |call| role::present(call, role::Kind::Group))
        .takes(with_connection!(
            "createdb",
            "createroles",
            "encrypted",
            "superuser",
            "replication",
            "inherit",
            "login",
            "password",
            "refresh_password",
            "groups"
        ))
        .checks(role::check),
    Function::new("postgres_privileges.absent", privileges::absent)
        .requires(&["object_name", "object_type"])
        .takes(with_connection!("privileges", "prepend"))
        .checks(privileges::check),
    Function::new("postgres_privileges.present", privileges::present)
        .requires(&["object_name", "object_type"])
        .takes(with_connection!("privileges", "grant_option", "prepend"))
        .checks(privileges::check),
    Function::new("postgres_schema.absent", schema::absent).requires(&["dbname"]).takes(&[
        "user",
        "db_user",
        "db_password",
        "db_host",
        "db_port",
    ]),
    Function::new("postgres_schema.present", schema::present).requires(&["dbname"]).takes(&[
        "owner",
        "user",
        "db_user",
        "db_password",
        "db_host",
        "db_port",
    ]),
    Function::new("postgres_tablespace.absent", tablespace::absent).takes(with_connection!()),
    Function::new("postgres_tablespace.present", tablespace::present)
        .requires(&["directory"])
        .takes(with_connection!("options", "owner")),
    Function::new("postgres_user.absent", |call| role::absent(call, role::Kind::User)).takes(with_connection!()),
    Function::new("postgres_user.present", |call| role::present(call, role::Kind::User))
        .takes(with_connection!(
            "createdb",
            "createroles",
            "encrypted",
            "superuser",
            "replication",
            "inherit",
            "login",
            "password",
            "default_password",
            "refresh_password",
            "valid_until",
            "groups"
        ))
        .checks(role::check),
];

/// A preview in which something would be changed that Salt does not list.
fn would(comment: impl Into<String>) -> Return {
    Return::would(Dict::default(), comment)
}
