//! Finds the addresses of all targets, once: a name server that fails later is no outage of a workload.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Names that are asked for at once.
const AT_ONCE: usize = 200;
/// How long a name server may take for one name.
const PATIENCE: Duration = Duration::from_secs(10);

/// The address of every name, or why it has none.
pub(super) async fn resolve<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<String, Result<IpAddr, String>> {
    let mut found = HashMap::new();
    let mut asked = JoinSet::new();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    for name in names {
        if found.contains_key(name) {
            continue;
        }
        let address = name.parse::<IpAddr>().map_err(|_| String::new());
        if address.is_err() {
            let (name, room) = (name.to_owned(), room.clone());
            asked.spawn(async move {
                let _place = room.acquire_owned().await;
                let address = ask(&name).await;
                (name, address)
            });
        }
        found.insert(name.to_owned(), address);
    }
    while let Some(Ok((name, address))) = asked.join_next().await {
        found.insert(name, address);
    }
    found
}

async fn ask(name: &str) -> Result<IpAddr, String> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(mut addresses)) => addresses.next().map(|address| address.ip()).ok_or("the name has no address".into()),
        Ok(Err(_)) => Err("the name is not known".into()),
        Err(_) => Err("no name server answers".into()),
    }
}
