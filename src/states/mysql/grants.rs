//! `mysql_grants.present` and `mysql_grants.absent`: what an account may do.
//!
//! As in Salt, whether the account may pass it on, and what its connections need, is given but not compared.

use std::collections::BTreeSet;

use super::grant::{Privilege, is_known, place, privileges, resolved, shown};
use super::server::{Refusal, Server, account, identifier, quoted};
use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// What the arguments of a state say.
struct Wanted {
    /// As it is in the SLS.
    grant: String,
    database: String,
    user: String,
    host: String,
    escape: bool,
    grant_option: bool,
}

/// The server says that there is no grant for an account, or no such account.
const NO_SUCH_GRANT: u32 = 1141;

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    if args.flag("revoke_first", false) {
        return Err("upshift has no `revoke_first`: Salt takes it and revokes nothing".into());
    }
    super::check(args)
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, wanted, server) = (call.args.name()?, Wanted::read(&call.args)?, Server::of(call)?);
    let Wanted { grant, database, user, host, .. } = &wanted;
    if wanted.is_there(&server)? {
        return Ok(Return::unchanged(format!("Grant {grant} on {database} to {user}@{host} is already present")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("MySQL grant {name} is set to be created")));
    }
    let cannot = |why: String| {
        Failed::from(format!("Failed to execute: \"GRANT {grant} ON {database} TO {user}@{host}\" ({why})"))
    };
    let mut sql = format!("GRANT {} ON {} TO {}", wanted.sql().map_err(cannot)?, wanted.place(), account(user, host));
    sql += &ssl_options(&call.args).map_err(cannot)?;
    if wanted.grant_option {
        sql += " WITH GRANT OPTION";
    }
    server.execute(&format!("{sql};")).map_err(|refusal| cannot(refusal.to_string()))?;
    let changes = dict([(name, "Present".into())]);
    let check = wanted.is_there(&server).map_err(|refusal| cannot(refusal.to_string()).after(changes.clone()))?;
    if !check {
        return Err(cannot("the server took it and does not show it".into()).after(changes));
    }
    Ok(Return::changed(changes, format!("Grant {grant} on {database} to {user}@{host} has been added")))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, wanted, server) = (call.args.name()?, Wanted::read(&call.args)?, Server::of(call)?);
    let Wanted { grant, database, user, host, .. } = &wanted;
    let is_there = wanted.is_there(&server).map_err(|refusal| {
        format!("Unable to determine if grant {grant} on {database} for {user}@{host} exists ({refusal})")
    })?;
    if !is_there {
        let comment = format!("Grant {grant} on {database} to {user}@{host} is not present, so it cannot be revoked");
        return Ok(Return::unchanged(comment));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("MySQL grant {name} is set to be revoked")));
    }
    let cannot =
        |why: String| Failed::from(format!("Unable to revoke grant {grant} on {database} for {user}@{host} ({why})"));
    let option = if wanted.grant_option { ", GRANT OPTION" } else { "" };
    let allowed = wanted.sql().map_err(cannot)?;
    let sql = format!("REVOKE {allowed}{option} ON {} FROM {};", wanted.place(), account(user, host));
    server.execute(&sql).map_err(|refusal| cannot(refusal.to_string()))?;
    let comment = format!("Grant {grant} on {database} for {user}@{host} has been revoked");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

impl Wanted {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        Ok(Self {
            grant: args.required("grant")?,
            database: args.required("database")?,
            user: args.required("user")?,
            host: args.text("host")?.unwrap_or_else(|| "localhost".into()),
            escape: args.flag("escape", true),
            grant_option: args.flag("grant_option", false),
        })
    }

    /// What it is for, in SQL. On the level of a database, `_` would stand for any character.
    fn place(&self) -> String {
        let (database, table) = self.database.rsplit_once('.').unwrap_or(("", &self.database));
        if !self.escape {
            return format!("{database}.{table}");
        }
        let database = match (database, table) {
            ("*", _) => database.to_owned(),
            (_, "*") => identifier(database).replace('_', "\\_"),
            _ => identifier(database),
        };
        let table = if table == "*" { table.to_owned() } else { identifier(table) };
        format!("{database}.{table}")
    }

    fn is_all(&self) -> bool {
        self.grant.trim().eq_ignore_ascii_case("ALL") || self.grant.trim().eq_ignore_ascii_case("ALL PRIVILEGES")
    }

    /// The privileges in SQL.
    fn sql(&self) -> Result<String, String> {
        if self.is_all() {
            return Ok("ALL PRIVILEGES".into());
        }
        match privileges(&self.grant).iter().find(|privilege| !is_known(&privilege.name)) {
            Some(privilege) => Err(format!("Invalid grant : '{}'", privilege.name)),
            None => Ok(self.grant.trim().to_owned()),
        }
    }

    /// Whether the account has all of it.
    fn is_there(&self, server: &Server<'_>) -> Result<bool, Refusal> {
        let (version, lines) = server.grants(&self.user, &self.host)?;
        let is_modern_mysql = !version.contains("MariaDB") && super::server::is_at_least(&version, &[8, 0]);
        let wanted = if !self.is_all() {
            privileges(&self.grant)
        } else if self.database == "*.*" && is_modern_mysql {
            // There, one who has them all is shown with each of them.
            server.all_privileges()?
        } else {
            privileges("ALL PRIVILEGES")
        };
        let wanted_place = place(&self.place());
        let grants = lines.iter().filter_map(|line| shown(line)).filter(|grant| grant.place == wanted_place);
        let mut any = false;
        let mut there = BTreeSet::new();
        for grant in grants {
            any = true;
            there.extend(resolved(grant.privileges, &version));
        }
        Ok(any && resolved(wanted, &version).is_subset(&there))
    }
}

impl Server<'_> {
    /// The server's version, and what it shows of the grants of an account.
    fn grants(&self, user: &str, host: &str) -> Result<(String, Vec<String>), Refusal> {
        let sql = format!("SELECT VERSION();\nSHOW GRANTS FOR {}@{};", quoted(user), quoted(host));
        let (lines, said) = self.lines(&sql);
        match said {
            Err(refusal) if refusal.code != Some(NO_SUCH_GRANT) => return Err(refusal),
            _ => {}
        }
        let mut lines = lines.into_iter();
        Ok((lines.next().unwrap_or_default(), lines.collect()))
    }

    /// What `ALL PRIVILEGES` means to this server.
    fn all_privileges(&self) -> Result<BTreeSet<Privilege>, Refusal> {
        let rows = self.rows("SHOW PRIVILEGES;")?;
        let names = rows.iter().filter_map(|row| row.values().next());
        let all: BTreeSet<_> = names.flat_map(|name| privileges(name)).collect();
        let is_granted = |privilege: &Privilege| !["USAGE", "GRANT OPTION", "PROXY"].contains(&privilege.name.as_str());
        Ok(all.into_iter().filter(is_granted).collect())
    }
}

/// What connections of the account need: a list of mappings with one entry each.
fn ssl_options(args: &Args<'_>) -> Result<String, String> {
    let mut options = Vec::new();
    for option in args.get("ssl_option").and_then(Data::as_list).unwrap_or_default() {
        let Some((key, value)) = option.as_dict().and_then(|option| option.entries.first()) else {
            return Err("`ssl_option` has to be a list of mappings".into());
        };
        let key = key.as_str().unwrap_or_default();
        let name = key.trim().to_uppercase();
        match name.as_str() {
            "SSL" | "X509" if value.is_true() => options.push(name),
            "SSL" | "X509" => {}
            "CIPHER" | "ISSUER" | "SUBJECT" => {
                let value = value.as_str().ok_or_else(|| format!("`{key}` has to be text"))?;
                options.push(format!("{name} {}", quoted(&value.replace('\'', ""))));
            }
            _ => return Err(format!("Invalid SSL option : '{key}'")),
        }
    }
    let options = options.join(" AND ");
    Ok(if options.is_empty() { options } else { format!(" REQUIRE {options}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(database: &str, escape: bool) -> Wanted {
        Wanted {
            grant: "SELECT".into(),
            database: database.into(),
            user: "u".into(),
            host: "h".into(),
            escape,
            grant_option: false,
        }
    }

    #[test]
    fn an_underscore_is_escaped_for_a_whole_database_only() {
        for (given, escape, sql) in [
            ("*.*", true, "*.*"),
            ("my_db.*", true, r"`my\_db`.*"),
            ("my_db.t_1", true, "`my_db`.`t_1`"),
            ("a.b`c", true, "`a`.`b``c`"),
            ("`foo%`.*", false, "`foo%`.*"),
        ] {
            assert_eq!(wanted(given, escape).place(), sql, "{given}");
        }
    }

    #[test]
    fn only_what_is_a_privilege_gets_into_sql() {
        let mut wanted = wanted("*.*", true);
        assert_eq!(wanted.sql(), Ok("SELECT".into()));
        "all".clone_into(&mut wanted.grant);
        assert_eq!(wanted.sql(), Ok("ALL PRIVILEGES".into()));
        "SELECT; DROP TABLE x".clone_into(&mut wanted.grant);
        assert!(wanted.sql().is_err());
    }
}
