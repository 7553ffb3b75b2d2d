//! `mysql_user.present` and `mysql_user.absent`: an account and how it logs in.

use sha1::{Digest as _, Sha1};

use super::server::{Refusal, Server, account, is_at_least, quoted};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

/// How an account is to log in.
enum Login {
    Password(String),
    Hash(String),
    /// As the user of the host that has the same name.
    Socket,
    Passwordless,
}

/// An account of the server as it is.
struct Account {
    /// What the server is: `10.11.19-MariaDB`.
    version: String,
    is_there: bool,
    /// What checks who it is.
    plugin: String,
    /// The column that has the hash of the password, and what is in it.
    column: String,
    hash: String,
}

/// What an account is to be.
struct Wanted {
    name: String,
    host: String,
    login: Login,
    allow_passwordless: bool,
    unix_socket: bool,
    column: Option<String>,
    auth_plugin: String,
}

/// The plugin whose hashes everybody can compute.
const NATIVE: &str = "mysql_native_password";

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    if args.flag("unix_socket", false) && (args.flag("password", false) || args.flag("password_hash", false)) {
        return Err("upshift has no `unix_socket` beside a password".into());
    }
    super::check(args)
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let wanted = Wanted::read(&call.args)?;
    let who = format!("{}@{}", wanted.name, wanted.host);
    if matches!(wanted.login, Login::Passwordless) && !wanted.allow_passwordless {
        return Err("Either password or password_hash must be specified, unless allow_passwordless is True".into());
    }
    let server = Server::of(call)?;
    let there = match (server.account(&wanted), &wanted.login) {
        (Ok(there), _) => there,
        (Err(refusal), Login::Password(password)) => {
            // Whoever looks may be the one whose password was changed, the last time.
            let there = server.with_password(password).account(&wanted)?;
            if !wanted.is_met(&there) {
                return Err(refusal.into());
            }
            there
        }
        (Err(refusal), _) => return Err(refusal.into()),
    };
    if wanted.is_met(&there) {
        return Ok(Return::unchanged(format!("User {who} is already present{}", wanted.how_it_is())));
    }
    if there.is_there { wanted.change(call, &server, &there, &who) } else { wanted.create(call, &server, &there, &who) }
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, host) = (call.args.name()?, call.args.text("host")?.unwrap_or_else(|| "localhost".into()));
    let server = Server::of(call)?;
    if !server.has_user(&name, &host)? {
        return Ok(Return::unchanged(format!("User {name}@{host} is not present, so it cannot be removed")));
    }
    if call.preview {
        return Ok(Return::would(dict::<&str>([]), format!("User {name}@{host} is set to be removed")));
    }
    server.execute(&format!("DROP USER {};", account(&name, &host)))?;
    let comment = format!("User {name}@{host} has been removed");
    Ok(Return::changed(dict([(name, "Absent".into())]), comment))
}

impl Wanted {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let given = |key: &str| Ok::<_, Failed>(args.text(key)?.filter(|text| !text.is_empty()));
        let unix_socket = args.flag("unix_socket", false);
        let login = match (given("password")?, given("password_hash")?) {
            (Some(password), _) => Login::Password(password),
            (None, Some(hash)) => Login::Hash(hash),
            (None, None) if unix_socket => Login::Socket,
            (None, None) => Login::Passwordless,
        };
        Ok(Self {
            name: args.name()?,
            host: args.text("host")?.unwrap_or_else(|| "localhost".into()),
            login,
            allow_passwordless: args.flag("allow_passwordless", false),
            unix_socket,
            column: given("password_column")?,
            auth_plugin: given("auth_plugin")?.unwrap_or_else(|| NATIVE.into()),
        })
    }

    fn is_met(&self, there: &Account) -> bool {
        let is_it = match &self.login {
            // Other plugins keep hashes that only the server can check.
            Login::Password(_) if there.is_modern_mysql() && there.plugin != NATIVE => true,
            Login::Password(password) => there.hash == native_hash(password),
            Login::Hash(hash) => there.hash == *hash,
            Login::Socket => there.plugin == there.socket_plugin(),
            Login::Passwordless => there.hash.is_empty(),
        };
        there.is_there && is_it
    }

    fn how_it_is(&self) -> &'static str {
        match &self.login {
            Login::Socket | Login::Passwordless if self.allow_passwordless => " with passwordless login",
            Login::Socket | Login::Passwordless => "",
            _ if self.auth_plugin != NATIVE => ". Unable to verify password.",
            Login::Password(_) => " with the desired password",
            Login::Hash(_) => " with the desired password hash",
        }
    }

    fn is_passwordless(&self) -> bool {
        matches!(self.login, Login::Socket | Login::Passwordless)
    }

    fn create(&self, call: &Call<'_>, server: &Server<'_>, there: &Account, who: &str) -> Result<Return, Failed> {
        let passwordless = if self.allow_passwordless { " with passwordless login" } else { "" };
        let socket = if self.unix_socket { " using unix_socket" } else { "" };
        if call.preview {
            let comment = format!("User {who} is set to be added{passwordless}{socket}");
            return Ok(Return::would(dict::<&str>([]), comment));
        }
        let cannot = |why: String| Failed::from(format!("Failed to create user {who} ({why})"));
        if matches!(self.login, Login::Socket) {
            self.check_socket(server, there).map_err(cannot)?;
        }
        let account = account(&self.name, &self.host);
        let sql = format!("CREATE USER {account}{};", self.identified(there));
        server.execute(&sql).map_err(|refusal| cannot(refusal.to_string()))?;
        let comment = format!("The user {who} has been added{passwordless}{socket}");
        Ok(Return::changed(dict([(self.name.as_str(), "Present".into())]), comment))
    }

    fn identified(&self, there: &Account) -> String {
        let plugin = quoted(&self.auth_plugin);
        match &self.login {
            Login::Password(password) if there.is_modern_mysql() => {
                format!(" IDENTIFIED WITH {plugin} BY {}", quoted(password))
            }
            Login::Password(password) => format!(" IDENTIFIED BY {}", quoted(password)),
            Login::Hash(hash) if there.is_modern_mysql() => format!(" IDENTIFIED WITH {plugin} AS {}", quoted(hash)),
            Login::Hash(hash) => format!(" IDENTIFIED BY PASSWORD {}", quoted(hash)),
            Login::Socket if there.is_mariadb() => " IDENTIFIED VIA unix_socket".into(),
            Login::Socket => " IDENTIFIED WITH auth_socket".into(),
            Login::Passwordless => String::new(),
        }
    }

    fn change(&self, call: &Call<'_>, server: &Server<'_>, there: &Account, who: &str) -> Result<Return, Failed> {
        let is_refused = self.is_passwordless() && !self.allow_passwordless;
        if call.preview {
            let to_be = if self.is_passwordless() { "cleared" } else { "changed" };
            let comment = format!("Password for user {who} is set to be {to_be}");
            if is_refused {
                return Err(format!("{comment}, but allow_passwordless != True").into());
            }
            return Ok(Return::would(dict::<&str>([]), comment));
        }
        let (verb, done) = if self.is_passwordless() { ("clear", "cleared") } else { ("change", "changed") };
        let failed = format!("Failed to {verb} password for user {who}");
        if is_refused {
            let note = "allow_passwordless must be True to permit passwordless login.";
            return Err(format!("{failed}. Note: {note}").into());
        }
        if matches!(self.login, Login::Socket) {
            self.check_socket(server, there).map_err(|why| format!("{failed} ({why})"))?;
        }
        let sql = format!("{};\nFLUSH PRIVILEGES;", self.new_login(there));
        server.execute(&sql).map_err(|refusal| format!("{failed} ({refusal})"))?;
        let comment = format!("Password for user {who} has been {done}");
        Ok(Return::changed(dict([(self.name.as_str(), "Updated".into())]), comment))
    }

    /// What gives an account that is there the login that it is to have.
    fn new_login(&self, there: &Account) -> String {
        let account = account(&self.name, &self.host);
        // An account of the socket plugin asks for no password, whatever is put into it.
        let keeps = !there.plugin.is_empty() && there.plugin != there.socket_plugin();
        let plugin = quoted(if keeps { &there.plugin } else { &self.auth_plugin });
        if there.is_mariadb() && is_at_least(&there.version, &[10, 4]) {
            let how = match &self.login {
                Login::Password(password) => format!("{plugin} USING PASSWORD({})", quoted(password)),
                Login::Hash(hash) => format!("{plugin} USING {}", quoted(hash)),
                Login::Socket => "unix_socket".to_owned(),
                Login::Passwordless => format!("{plugin} USING ''"),
            };
            return format!("ALTER USER {account} IDENTIFIED VIA {how}");
        }
        if there.is_modern_mysql() {
            let how = match &self.login {
                Login::Password(password) => format!("{plugin} BY {}", quoted(password)),
                Login::Hash(hash) => format!("{plugin} AS {}", quoted(hash)),
                Login::Socket => format!("'auth_socket' AS {}", quoted(&self.name)),
                Login::Passwordless => plugin,
            };
            return format!("ALTER USER {account} IDENTIFIED WITH {how}");
        }
        let hash = match &self.login {
            Login::Password(password) => native_hash(password),
            Login::Hash(hash) => hash.clone(),
            Login::Socket | Login::Passwordless => String::new(),
        };
        let plugin = match &self.login {
            Login::Socket => format!(", plugin = {}", quoted(there.socket_plugin())),
            _ if keeps || there.plugin.is_empty() => String::new(),
            _ => format!(", plugin = {}", quoted(NATIVE)),
        };
        let column = super::server::identifier(&there.column);
        let (user, host) = (quoted(&self.name), quoted(&self.host));
        format!("UPDATE mysql.user SET {column} = {}{plugin} WHERE User = {user} AND Host = {host}", quoted(&hash))
    }

    fn check_socket(&self, server: &Server<'_>, there: &Account) -> Result<(), String> {
        let plugin = there.socket_plugin();
        if self.host != "localhost" {
            return Err("Auth via unix_socket can be set only for host=localhost".into());
        }
        let sql = format!("SELECT 1 FROM INFORMATION_SCHEMA.PLUGINS WHERE PLUGIN_NAME = {};", quoted(plugin));
        let rows = server.rows(&sql).map_err(|refusal| refusal.to_string())?;
        if rows.is_empty() { Err(format!("The {plugin} plugin is not enabled.")) } else { Ok(()) }
    }
}

impl Account {
    fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// Whether this is a `MySQL` that has forgotten `PASSWORD()`.
    fn is_modern_mysql(&self) -> bool {
        !self.is_mariadb() && is_at_least(&self.version, &[8, 0, 11])
    }

    fn socket_plugin(&self) -> &'static str {
        if self.is_mariadb() { "unix_socket" } else { "auth_socket" }
    }
}

impl Server<'_> {
    /// Looks an account up. The columns differ from server to server, so all of them are asked for.
    fn account(&self, wanted: &Wanted) -> Result<Account, Refusal> {
        let (user, host) = (quoted(&wanted.name), quoted(&wanted.host));
        let rows = self.rows(&format!(
            "SELECT VERSION() AS `the version`, u.User IS NOT NULL AS `is there`, u.* FROM (SELECT 1) AS one \
             LEFT JOIN mysql.user AS u ON u.User = {user} AND u.Host = {host};"
        ))?;
        let mut row = rows.into_iter().next().unwrap_or_default();
        let column = wanted.column.clone().unwrap_or_else(|| {
            let has = row.contains_key("Password");
            if has { "Password" } else { "authentication_string" }.to_owned()
        });
        let is_there = row.swap_remove("is there").is_some_and(|is_there| is_there == "1");
        let mut take = |name: &str| row.swap_remove(name).unwrap_or_default();
        Ok(Account { version: take("the version"), is_there, plugin: take("plugin"), hash: take(&column), column })
    }

    /// Whether there is an account.
    pub(super) fn has_user(&self, name: &str, host: &str) -> Result<bool, Refusal> {
        let (user, host) = (quoted(name), quoted(host));
        Ok(!self.rows(&format!("SELECT 1 FROM mysql.user WHERE User = {user} AND Host = {host};"))?.is_empty())
    }
}

/// What the server's `PASSWORD()` makes of a password.
fn native_hash(password: &str) -> String {
    let hash = Sha1::digest(Sha1::digest(password.as_bytes()));
    hash.iter().fold("*".to_owned(), |text, byte| text + &format!("{byte:02X}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_hash_is_the_one_in_the_manual() {
        assert_eq!(native_hash("mypass"), "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
    }

    fn wanted(login: Login) -> Wanted {
        Wanted {
            name: "frank".into(),
            host: "localhost".into(),
            login,
            allow_passwordless: false,
            unix_socket: false,
            column: None,
            auth_plugin: NATIVE.into(),
        }
    }

    fn account(version: &str, plugin: &str, hash: &str) -> Account {
        let column = "authentication_string".into();
        Account { version: version.into(), is_there: true, plugin: plugin.into(), column, hash: hash.into() }
    }

    #[test]
    fn each_server_gets_a_password_in_its_own_words() {
        let wanted = wanted(Login::Password("o'x".into()));
        for (version, created, changed) in [
            (
                "10.11.1-MariaDB",
                r" IDENTIFIED BY 'o\'x'",
                r"ALTER USER 'frank'@'localhost' IDENTIFIED VIA 'mysql_native_password' USING PASSWORD('o\'x')",
            ),
            (
                "8.0.30",
                r" IDENTIFIED WITH 'mysql_native_password' BY 'o\'x'",
                r"ALTER USER 'frank'@'localhost' IDENTIFIED WITH 'mysql_native_password' BY 'o\'x'",
            ),
            (
                "5.7.44-log",
                r" IDENTIFIED BY 'o\'x'",
                "UPDATE mysql.user SET `authentication_string` = '*EF35D70D21F8AADA5AFBA1E0DD13C8216AB94DC6' \
                 WHERE User = 'frank' AND Host = 'localhost'",
            ),
        ] {
            let there = account(version, NATIVE, "*OLD");
            assert_eq!(wanted.identified(&there), created, "{version}");
            assert_eq!(
                wanted.new_login(&there).replace(&native_hash("o'x"), "*EF35D70D21F8AADA5AFBA1E0DD13C8216AB94DC6"),
                changed
            );
        }
    }

    #[test]
    fn a_password_that_only_the_server_can_check_is_taken_as_right() {
        let wanted = wanted(Login::Password("x".into()));
        assert!(wanted.is_met(&account("8.0.30", "caching_sha2_password", "$A$005$…")));
        assert!(!wanted.is_met(&account("8.0.30", NATIVE, "*OTHER")));
        assert!(!wanted.is_met(&account("10.11.1-MariaDB", "unix_socket", "")));
    }
}
