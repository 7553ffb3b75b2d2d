//! What a `backup` step keeps, and a `restore` step puts back.

use serde::{Deserialize, Serialize};

/// A backup and where it is kept. `T` is a text: a template in a pipeline, filled in in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup<T = String> {
    /// What tells it from other backups that the run has on its host: one safe file name.
    pub name: String,
    /// The folder on the host that has a folder for each run; `None` is `backups` beside upshift's spool.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub folder: Option<T>,
    /// The run that it was made in; `None` is the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The host that has a copy of it; in a plan its name.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub to: Option<T>,
    /// Of a copy, the host that the backup was made on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What is kept.
    pub data: Data<T>,
    /// Where a scratch server has to have taken it before it counts; `None` for nowhere.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub test: Option<Test<T>>,
}

fn none<T>() -> Option<T> {
    None
}

/// Where a backup is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test<T = String> {
    /// On the host that it was made on.
    Here,
    /// On another host; in a plan its name.
    On(T),
}

/// What is kept, by what knows how to read and write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "kebab-case")]
pub enum Data<T = String> {
    /// Databases of a `MariaDB` or `MySQL` server.
    Mariadb {
        /// Which ones; none for all but the server's own.
        databases: Vec<T>,
        /// An option file on the host with the account to use.
        options: Option<T>,
        /// Whether the server's files are kept, all of them, and not what a dump of its databases says.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        physical: bool,
        /// The service to stop while files are put back; `None` for what it is called in packages.
        #[serde(default = "none", skip_serializing_if = "Option::is_none")]
        service: Option<T>,
    },
    /// Databases of a `PostgreSQL` server.
    Postgres {
        /// Which ones; none for all but the server's own.
        databases: Vec<T>,
    },
    /// What a `ZooKeeper` server keeps.
    Zookeeper {
        /// Its settings; `None` for where packages have them.
        config: Option<T>,
        /// The service to stop while its files are put back.
        service: Option<T>,
    },
    /// What an etcd member keeps.
    Etcd {
        /// Its data folder; `None` for that of packages.
        data: Option<T>,
        /// The service to stop while its files are put back.
        service: Option<T>,
    },
    /// Files and folders with all that is in them.
    Files {
        /// Their absolute paths.
        paths: Vec<T>,
    },
    /// Whatever a command writes and another one reads.
    Command {
        /// Its stdout is the backup.
        save: T,
        /// The backup is its stdin.
        load: T,
    },
}

impl<T> Data<T> {
    /// The word for it in a pipeline.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Mariadb { .. } => "mariadb",
            Self::Postgres { .. } => "postgres",
            Self::Zookeeper { .. } => "zookeeper",
            Self::Etcd { .. } => "etcd",
            Self::Files { .. } => "files",
            Self::Command { .. } => "command",
        }
    }

    /// What tells the form of its data from any other.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Self::Mariadb { physical: true, .. } => "mariadb physical",
            other => other.engine(),
        }
    }

    fn fill<U, E>(&self, mut text: impl FnMut(&T) -> Result<U, E>) -> Result<Data<U>, E> {
        Ok(match self {
            Self::Mariadb { databases, options, physical, service } => Data::Mariadb {
                databases: databases.iter().map(&mut text).collect::<Result<_, _>>()?,
                options: options.as_ref().map(&mut text).transpose()?,
                physical: *physical,
                service: service.as_ref().map(text).transpose()?,
            },
            Self::Zookeeper { config, service } => Data::Zookeeper {
                config: config.as_ref().map(&mut text).transpose()?,
                service: service.as_ref().map(text).transpose()?,
            },
            Self::Etcd { data, service } => Data::Etcd {
                data: data.as_ref().map(&mut text).transpose()?,
                service: service.as_ref().map(text).transpose()?,
            },
            Self::Postgres { databases } => {
                Data::Postgres { databases: databases.iter().map(text).collect::<Result<_, _>>()? }
            }
            Self::Files { paths } => Data::Files { paths: paths.iter().map(text).collect::<Result<_, _>>()? },
            Self::Command { save, load } => Data::Command { save: text(save)?, load: text(load)? },
        })
    }
}

impl<T> Backup<T> {
    /// The same with every text made another, but for those that name hosts: they are filled in by `host`.
    ///
    /// # Errors
    /// What `text` and `host` say.
    pub fn fill<U, E>(
        &self,
        mut text: impl FnMut(&T) -> Result<U, E>,
        mut host: impl FnMut(&'static str, &T) -> Result<U, E>,
    ) -> Result<Backup<U>, E> {
        Ok(Backup {
            name: self.name.clone(),
            folder: self.folder.as_ref().map(&mut text).transpose()?,
            run: self.run.clone(),
            to: self.to.as_ref().map(|to| host("to", to)).transpose()?,
            of: self.of.clone(),
            data: self.data.fill(text)?,
            test: match &self.test {
                None => None,
                Some(Test::Here) => Some(Test::Here),
                Some(Test::On(on)) => Some(Test::On(host("restore-test", on)?)),
            },
        })
    }
}

impl Backup {
    /// The copy of it that another host has, or is to have.
    #[must_use]
    pub fn copy_of(&self, host: &str) -> Self {
        Self { of: Some(host.to_owned()), to: None, test: None, ..self.clone() }
    }

    /// The hosts that it is copied to, by name: the one that keeps the copy, and the one that tries it.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let tries = match &self.test {
            Some(Test::On(host)) => Some(host.as_str()),
            Some(Test::Here) | None => None,
        };
        self.to.as_deref().into_iter().chain(tries)
    }
}

/// Whether a text is safe as the name of a folder: letters, digits, `.`, `-` and `_`, and no dot in front.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && text.len() <= 100 && !text.starts_with('.') && text.chars().all(is_plain)
}
