//! Has things at paths on a host.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use camino::Utf8PathBuf;

use crate::agent::files::{Ask as About, File, Found, Place, Placed, What};
use crate::agent::protocol::{Ask, Tell};
use crate::transport::ssh::files::Files;
use crate::transport::ssh::files::carry::{Say, Tries};
use crate::transport::ssh::files::send::within;
use crate::transport::ssh::host::Host;
use crate::transport::ssh::link::Link;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// How often contents are sent again that went from the store before they were used.
const TRIES: u32 = 3;

/// What became of things on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// The places, in the order that was asked for, of what is other than it was.
    pub changed: BTreeSet<usize>,
    /// What could not be put where it should be, and why; it is as it was before.
    pub failed: Vec<(Utf8PathBuf, String)>,
    /// Bytes that were sent.
    pub sent: u64,
}

impl Host {
    /// Has things at paths of the host. Nothing is put anywhere before everything can be.
    ///
    /// What is there already is not touched. After a lost connection it is looked at anew.
    ///
    /// # Errors
    /// When the host cannot be reached, or cannot take them; or a file here is not what it was.
    pub async fn place(
        &self,
        files: &Arc<Files>,
        places: &[Place],
        parents: bool,
        say: Say<'_>,
    ) -> Result<Copied, Trouble> {
        let mut tries = Tries::new(self, say);
        let mut copied = Copied::default();
        let mut absent = 0;
        loop {
            let link = tries.link().await?;
            let done = attempt(&mut tries, &link, files, &Wanted { places, parents }, &mut copied).await;
            copied.sent = tries.count.sent.bytes;
            match done {
                Ok(true) => return Ok(copied),
                Ok(false) if absent < TRIES => absent += 1,
                Ok(false) => return Err(Trouble::new(Kind::Agent, "files that are sent do not stay in its store")),
                Err(trouble) => tries.again(trouble).await?,
            }
        }
    }
}

struct Wanted<'a> {
    places: &'a [Place],
    parents: bool,
}

/// Tries once; `false` when contents went from the store before they were used.
async fn attempt(
    tries: &mut Tries<'_>,
    link: &Link,
    files: &Arc<Files>,
    wanted: &Wanted<'_>,
    copied: &mut Copied,
) -> Result<bool, Trouble> {
    let Wanted { places, parents } = *wanted;
    let silence = tries.silence();
    let ask = |about| async { within(silence, link.one(Ask::Files(about))).await };
    let Tell::Found(found) = ask(About::Compare { places: places.to_vec(), parents }).await? else {
        return Err(Trouble::nonsense());
    };
    let mut needed = HashSet::new();
    let (mut differs, mut contents): (Vec<usize>, Vec<File>) = (Vec::new(), Vec::new());
    for (at, (found, place)) in found.into_iter().zip(places).enumerate() {
        match (found, &place.what) {
            (Found::Same, _) => continue,
            (Found::Refused(why), _) => copied.failed.push((place.path.clone(), why)),
            (Found::Different, What::File(file)) if needed.insert(file.hash) => contents.push(*file),
            _ => {}
        }
        differs.push(at);
    }
    if differs.is_empty() || !copied.failed.is_empty() {
        return Ok(true);
    }
    tries.send(link, files, &contents).await?;
    let places: Vec<_> = differs.iter().map(|at| places[*at].clone()).collect();
    // What an answer that is lost would have said, the next look cannot tell.
    copied.changed.extend(&differs);
    let asked = About::Place { places: places.clone(), parents };
    let Tell::Placed(placed) = ask(asked).await? else { return Err(Trouble::nonsense()) };
    let mut is_whole = true;
    for ((at, placed), place) in differs.into_iter().zip(placed).zip(places) {
        match placed {
            Placed::Changed | Placed::Unchanged => {}
            Placed::Absent => is_whole = false,
            Placed::Failed(why) => {
                copied.changed.remove(&at);
                copied.failed.push((place.path, why));
            }
        }
    }
    Ok(is_whole || !copied.failed.is_empty())
}
