//! Opens connections: a master `ssh` a host, which everything else goes through.
//!
//! A master outlives the upshift that opened it by a minute, so that the next command finds it there.
//! Its socket has a name made of everything that says where it leads, in a folder of the person alone.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use openssh::Session;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Error, Result};
use crate::model::hash::Hash;
use crate::model::inventory::{Login, Ssh};
use crate::transport::ssh::program::{Program, Programs};
use crate::transport::ssh::proxies;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// Connections being opened at once straight from here: each one keeps a processor busy for a while.
const DIRECT: usize = 48;

/// How long a master stays that nobody uses.
const PERSIST: &str = "ControlPersist=60";

/// A connection that carries nothing is tried so often, in seconds, and given up after so many times.
const ALIVE: [&str; 2] = ["ServerAliveInterval=5", "ServerAliveCountMax=6"];

/// How long a host that turns connections away is asked again.
const PATIENCE: Duration = Duration::from_mins(1);

/// A master that does not answer its own socket in that time is of no use.
const CHECK: Duration = Duration::from_secs(2);

/// Opens connections for one command.
pub struct Connector {
    settings: Ssh,
    folder: Utf8PathBuf,
    /// Whether it matters which jump host a connection goes through.
    many: bool,
    /// Whether any connection may go through one.
    proxies: bool,
    direct: Arc<Semaphore>,
    hops: Mutex<HashMap<String, Arc<Semaphore>>>,
    programs: Programs,
}

/// An open connection to a host.
#[derive(Debug, Clone)]
pub(super) struct Master {
    pub(super) session: Arc<Session>,
    /// Whether it was there before.
    pub(super) warm: bool,
}

impl Connector {
    /// For a command over so many hosts.
    ///
    /// # Errors
    /// When there is no private folder for sockets.
    pub fn new(settings: Ssh, hosts: usize) -> Result<Self> {
        let folder = sockets()?;
        Ok(Self {
            programs: Programs::new(folder.clone()),
            folder,
            many: hosts > settings.at_once as usize,
            proxies: proxies::are_possible(&settings),
            settings,
            direct: Arc::new(Semaphore::new(DIRECT)),
            hops: Mutex::default(),
        })
    }

    /// How connections are opened.
    pub(super) fn settings(&self) -> &Ssh {
        &self.settings
    }

    /// The upshift for a host.
    pub(super) async fn program(&self, login: &Login) -> Result<Arc<Program>, Trouble> {
        self.programs.get(login.agent.as_deref()).await
    }

    /// The connection to a host: the one that is there, or a new one.
    pub(super) async fn master(&self, address: &str, login: &Login) -> Result<Master, Trouble> {
        let socket = self.socket(address, login);
        if let Some(session) = open_already(&socket).await {
            return Ok(Master { session, warm: true });
        }
        let _lock = self.lock(&socket).await?;
        if let Some(session) = open_already(&socket).await {
            return Ok(Master { session, warm: true });
        }
        let through = self.many && (self.proxies || login.options.iter().any(|option| proxies::is_about(option)));
        let hop = if through { self.hop(address, login).await? } else { None };
        let begun = Instant::now();
        // Hosts that were turned away together do not come back together.
        let mut jitter = StdRng::seed_from_u64(seed(&socket));
        let mut wait = Duration::from_millis(200);
        loop {
            // What a master left that was killed stands in the way of a new one.
            let _ = fs_err::remove_file(&socket);
            let permit = self.permit(hop.as_deref()).await;
            match self.launch(&socket, address, login).await {
                Ok(()) => return Ok(Master { session: session(&socket), warm: false }),
                Err(trouble) if trouble.passes() && begun.elapsed() < PATIENCE => drop(permit),
                Err(trouble) => return Err(trouble),
            }
            sleep(wait.mul_f64(jitter.random_range(0.5..1.5))).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }

    /// Starts a master; it goes into the background once it is connected.
    async fn launch(&self, socket: &Utf8Path, address: &str, login: &Login) -> Result<(), Trouble> {
        let log = socket.with_extension("log");
        let _ = fs_err::remove_file(&log);
        let seconds = self.settings.timeout.as_secs().max(1);
        let mut ssh = Command::new("ssh");
        ssh.args(["-M", "-N", "-f", "-S"]).arg(socket).arg("-E").arg(&log);
        for option in ["BatchMode=yes", "StrictHostKeyChecking=yes", "ControlMaster=yes", PERSIST] {
            ssh.args(["-o", option]);
        }
        // A person's forwardings, commands and quiet logs are for their own sessions.
        for option in ["ClearAllForwardings=yes", "RemoteCommand=none", "RequestTTY=no", "LogLevel=INFO"] {
            ssh.args(["-o", option]);
        }
        for option in ALIVE {
            ssh.args(["-o", option]);
        }
        ssh.args(["-o", &format!("ConnectTimeout={seconds}")]);
        self.aim(&mut ssh, address, login);
        ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C at the terminal is for upshift.
        ssh.process_group(0).kill_on_drop(true);
        // A busy machine takes its time to start a process, and whoever starts it waits until it has: that
        // must not be who listens to the hosts and to Ctrl-C.
        let spawned = tokio::task::spawn_blocking(move || ssh.spawn()).await.map_err(io::Error::other);
        let mut child = spawned.and_then(|child| child).map_err(|error| cannot_start(&error))?;
        // Longer than `ConnectTimeout`, which does not watch over the login.
        let most = Duration::try_from(self.settings.timeout).unwrap_or_default() * 2 + Duration::from_secs(5);
        match timeout(most, child.wait()).await {
            Ok(Ok(status)) if status.success() => {
                let _ = fs_err::remove_file(&log);
                Ok(())
            }
            Ok(Ok(_)) => Err(Trouble::of_log(&fs_err::read_to_string(&log).unwrap_or_default(), address)),
            Ok(Err(error)) => Err(cannot_start(&error)),
            Err(_) => {
                Err(Trouble::new(Kind::Silent, "it takes the connection and does not get through with the login"))
            }
        }
    }

    /// What all connections to a host are opened with.
    fn aim(&self, ssh: &mut Command, address: &str, login: &Login) {
        if let Some(config) = &self.settings.config {
            ssh.arg("-F").arg(config);
        }
        if let Some(user) = &login.user {
            ssh.args(["-l", user]);
        }
        if let Some(port) = login.port {
            ssh.args(["-p", &port.to_string()]);
        }
        if let Some(key) = &login.key {
            ssh.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(key);
        }
        for option in &login.options {
            ssh.args(["-o", option]);
        }
        ssh.args(["--", address]);
    }

    /// The jump host, or the command, that connections to a host go through; `None` when they go straight.
    async fn hop(&self, address: &str, login: &Login) -> Result<Option<String>, Trouble> {
        let mut ssh = Command::new("ssh");
        ssh.arg("-G");
        self.aim(&mut ssh, address, login);
        let output = ssh.stdin(Stdio::null()).output().await.map_err(|error| cannot_start(&error))?;
        if !output.status.success() {
            return Err(Trouble::of_log(&String::from_utf8_lossy(&output.stderr), address));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let hop = text.lines().find_map(|line| {
            let (key, value) = line.split_once(' ')?;
            (matches!(key, "proxyjump" | "proxycommand") && value != "none").then_some(value)
        });
        // Of a chain, the first one is what all of them reach from here.
        Ok(hop.map(|hop| hop.split(',').next().unwrap_or(hop).to_owned()))
    }

    async fn permit(&self, hop: Option<&str>) -> Option<OwnedSemaphorePermit> {
        let budget = match hop {
            None => self.direct.clone(),
            Some(hop) => {
                let mut hops = self.hops.lock().ok()?;
                let new = || Arc::new(Semaphore::new(self.settings.at_once as usize));
                hops.entry(hop.to_owned()).or_insert_with(new).clone()
            }
        };
        budget.acquire_owned().await.ok()
    }

    fn socket(&self, address: &str, login: &Login) -> Utf8PathBuf {
        let Login { user, port, key, options, .. } = login;
        let config =
            self.settings.config.as_ref().map(|config| camino::absolute_utf8(config).unwrap_or(config.clone()));
        let leads = format!("{:?}", (address, user, port, key, options, config));
        self.folder.join(&Hash::of(leads.as_bytes()).to_string()[..16])
    }

    /// Waits until no other upshift opens the same connection.
    async fn lock(&self, socket: &Utf8Path) -> Result<std::fs::File, Trouble> {
        let failed = |error: io::Error| Trouble::new(Kind::Settings, format!("{}: {error}", self.folder));
        let file = std::fs::File::create(socket.with_extension("lock")).map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => sleep(Duration::from_millis(20)).await,
                Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

impl Master {
    /// Lets the master go once nothing uses it any more.
    pub(super) async fn close(self) {
        // One that is gone is closed.
        let _ = Session::resume_mux(self.session.control_socket().into(), None).close().await;
    }
}

/// A number that differs between hosts, and between two upshifts.
fn seed(socket: &Utf8Path) -> u64 {
    let digest = Sha256::digest(format!("{} {socket}", std::process::id()));
    digest[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

fn session(socket: &Utf8Path) -> Arc<Session> {
    Arc::new(Session::resume_mux(socket.as_std_path().into(), None))
}

/// The master that listens at a socket, if it does.
async fn open_already(socket: &Utf8Path) -> Option<Arc<Session>> {
    if !socket.exists() {
        return None;
    }
    let session = session(socket);
    let is_there = matches!(timeout(CHECK, session.check()).await, Ok(Ok(())));
    is_there.then_some(session)
}

fn cannot_start(error: &io::Error) -> Trouble {
    let trouble = Trouble::new(Kind::Settings, format!("cannot start `ssh`: {error}"));
    if error.kind() == io::ErrorKind::NotFound { trouble.hint("install the OpenSSH client") } else { trouble }
}

/// The folder for sockets: the person's own, and short, as a socket's path may not be long.
fn sockets() -> Result<Utf8PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let own = std::env::var("XDG_RUNTIME_DIR").ok().map(Utf8PathBuf::from).filter(|folder| folder.is_dir());
    let folder = own.map_or_else(|| format!("/tmp/upshift-{user}").into(), |own| own.join("upshift"));
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::usage(format!("cannot create `{folder}` for the sockets of connections: {error}")));
        }
        _ => {}
    }
    let metadata = fs_err::symlink_metadata(&folder)?;
    if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
        return Err(Error::usage(format!("`{folder}` has to be a folder that only its owner, you, can open"))
            .hint(format!("look at it, then `rm -r {folder}`: upshift makes it anew")));
    }
    Ok(folder)
}
