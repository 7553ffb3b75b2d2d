//! `upshift copy`: files of this machine at paths of many hosts, each read once and sent once.

mod board;
mod ending;
mod tree;

use std::num::NonZeroU32;
use std::sync::Arc;

use camino::Utf8PathBuf;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::hosts;
use super::project::Targets;
use crate::error::{Exit, Result};
use crate::transport::ssh::Host;
use board::Board;
use ending::Ending;
use tree::Tree;

/// How many hosts are under way at once when nothing else is said.
const FAN_OUT: u32 = 100;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
DEST is a path on the hosts. When it ends in `/`, or there are several sources, they go into that folder
under their own names; else DEST is the name that the one source gets. A folder is copied with everything in it.")]
pub(super) struct Copy {
    #[command(flatten)]
    targets: Targets,
    /// Files and folders here, then the path on the hosts
    #[arg(required = true, num_args = 2.., value_names = ["SOURCE", "DEST"])]
    paths: Vec<Utf8PathBuf>,
    /// The mode of files, such as `0644`; by default, that of each source without its set-user-id bits
    #[arg(long, value_parser = mode)]
    mode: Option<u32>,
    /// The owner, a name or a number; files that are replaced keep theirs by default
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// The group, a name or a number
    #[arg(long)]
    group: Option<String>,
    /// Create folders above DEST that are missing
    #[arg(long)]
    parents: bool,
    /// Hosts under way at once
    #[arg(long, value_name = "N", default_value_t = NonZeroU32::new(FAN_OUT).unwrap_or(NonZeroU32::MIN))]
    fan_out: NonZeroU32,
    /// A JSON object a host
    #[arg(long)]
    json: bool,
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    mode.ok_or_else(|| "a mode is an octal number such as 0644".into())
}

impl Copy {
    pub(super) fn main(self) -> Result<Exit> {
        let hosts = hosts::ways(&self.targets)?;
        let tree = Arc::new(Tree::read(&self)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let board = Arc::new(Board::new(hosts.len()));
        let endings = runtime.block_on(self.copy_all(hosts, &tree, &board));
        runtime.shutdown_background();
        super::print(&if self.json { ending::json(&endings) } else { ending::text(&endings) })?;
        Ok(ending::summary(&endings, board.took()))
    }

    async fn copy_all(&self, hosts: Vec<Host>, tree: &Arc<Tree>, board: &Arc<Board>) -> Vec<Ending> {
        let fan_out = Arc::new(Semaphore::new(self.fan_out.get() as usize));
        let parents = self.parents;
        let mut calls = JoinSet::new();
        for (at, host) in hosts.into_iter().enumerate() {
            let (fan_out, tree, board) = (fan_out.clone(), tree.clone(), board.clone());
            calls.spawn(async move {
                let _permit = fan_out.acquire().await;
                let say = |sent| board.sent(at, sent);
                let done = host.place(&tree.files, &tree.places, parents, &say).await;
                board.ended();
                (at, Ending::of(&host.name, &tree, done))
            });
        }
        let mut endings = tokio::select! {
            endings = calls.join_all() => endings,
            () = board.draw() => Vec::new(),
        };
        board.clear();
        endings.sort_by_key(|(at, _)| *at);
        endings.into_iter().map(|(_, ending)| ending).collect()
    }
}
