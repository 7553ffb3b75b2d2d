//! Backups of a real `MariaDB` server, and what becomes of its data.

use super::Site;

const PIPELINE: &str = r#"
[pipeline]
name = "train"

[[stage]]
name = "backup"
hosts = "cmp"
  [[stage.step]]
  backup = { engine = "mariadb", folder = "/srv/backups", restore-test = true }

[[stage]]
name = "upgrade"
hosts = "cmp"
  [[stage.step]]
  name = "schema"
  run = "mariadb -e 'DROP TABLE nova.cells; CREATE TABLE nova.newer (x INT); DELETE FROM nova.instances WHERE id < 100'"
"#;

const DATA: &str = r"mariadb <<'SQL'
CREATE DATABASE nova; CREATE DATABASE `key``stone`; USE nova;
CREATE TABLE instances (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200), data LONGBLOB, INDEX (name));
INSERT INTO instances (name, data) VALUES ('it\'s (a); \\ x', UNHEX('00ff27285c0a'));
INSERT INTO instances (name, data) SELECT CONCAT(MD5(seq), '-', seq), UNHEX(SHA2(seq, 256)) FROM seq_1_to_5000;
CREATE TABLE cells (id INT); CREATE TABLE log (x INT); INSERT INTO log VALUES (1), (2);
CREATE VIEW v AS SELECT id FROM instances;
CREATE TABLE `key``stone`.users (id INT PRIMARY KEY); INSERT INTO `key``stone`.users VALUES (1), (2), (3);
DELIMITER ;;
CREATE PROCEDURE p() BEGIN
INSERT INTO `cells` VALUES (1);
END ;;
CREATE TRIGGER t AFTER INSERT ON cells FOR EACH ROW INSERT INTO log VALUES (NEW.id) ;;
SQL";

/// Everything that is in the databases, as text.
const SUM: &str = "mariadb-dump --skip-dump-date --skip-comments --routines --databases nova 'key`stone' | sha256sum; mariadb -Ne 'SHOW TABLES FROM nova'";

/// A site with a host that has the server and some data.
fn site() -> Site {
    let site = Site::of(1);
    site.lab(["debian", "mariadb-server"]);
    let host = &site.hosts[0];
    // A host's own disk has no room for two servers.
    site.inside(host, "for at in /var/lib/mysql /srv; do mkdir -p $at; mount -t tmpfs tmpfs $at; done");
    site.inside(host, "apt-get update && apt-get install -y --no-install-recommends mariadb-server; rm -f /var/cache/apt/archives/*.deb");
    site.until(host, "mariadb -e 'SELECT 1'");
    site.inside(host, DATA);
    assert_eq!(site.inside(host, "mariadb -Ne 'SELECT COUNT(*) FROM nova.instances'"), "5001");
    site.sandbox.write("up.toml", PIPELINE);
    site
}

#[test]
fn a_database_is_kept_tried_and_given_back_by_a_rollback() {
    let site = site();
    let host = &site.hosts[0];
    let before = site.inside(host, SUM);
    site.upshift(["run", "up.toml"]).with(0);
    assert_ne!(site.inside(host, SUM), before);
    let log = site.log(host);
    assert!(log.contains("2 databases, 4 tables, 5006 rows; a scratch server took "), "{log}");
    let manifest = site.inside(host, "cat /srv/backups/*/mariadb/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["contents"]["nova"], serde_json::json!({ "cells": 0, "instances": 5001, "log": 2 }));
    assert_eq!(manifest["contents"]["key`stone"], serde_json::json!({ "users": 3 }));
    assert_eq!(site.inside(host, "ls /srv/backups/*/mariadb; pgrep -c mariadbd"), "data.sql.gz\nmanifest.json\n1");

    // What is not as it was written, or of another release, touches nothing.
    let data = "/srv/backups/*/mariadb/data.sql.gz";
    let run = site.inside(host, "ls /srv/backups");
    let restore = format!(
        "[pipeline]\nname = 'restore'\n[[stage]]\nname = 'data'\nhosts = 'cmp'\n[[stage.step]]\nrestore = {{ engine = 'mariadb', folder = '/srv/backups', run = '{run}' }}\n"
    );
    site.sandbox.write("restore.toml", &restore);
    let damaged = site.inside(host, SUM);
    for (damage, mend, why) in [
        (format!("cp {data} /srv/kept && truncate -s -1 {data}"), format!("cp /srv/kept {data}"), "bytes, and"),
        (
            "sed -i 's/10\\.11/10.6/' /srv/backups/*/mariadb/manifest.json".to_owned(),
            "sed -i 's/\"10\\.6/\"10.11/' /srv/backups/*/mariadb/manifest.json".to_owned(),
            "and the server has 10.11",
        ),
    ] {
        site.inside(host, &damage);
        let refused = site.upshift(["run", "restore.toml"]).with(10);
        assert!(refused.err.contains("nothing was touched: ") && refused.err.contains(why), "{}", refused.err);
        assert_eq!(site.inside(host, SUM), damaged);
        site.inside(host, &mend);
    }

    site.upshift(["rollback", &run]).with(0);
    assert_eq!(site.inside(host, SUM), before);
    site.lab(["reset", host]);
}

#[test]
fn a_backup_without_room_or_whose_agent_is_killed_is_none() {
    let site = site();
    let host = &site.hosts[0];
    site.inside(host, "mount -t tmpfs -o size=64k tmpfs /srv");
    let full = site.upshift(["run", "up.toml"]).with(10);
    assert!(full.err.contains("No space left on device"), "{}", full.err);
    assert_eq!(site.inside(host, "find /srv -type f; umount /srv"), "");

    // The scratch server is stopped while it loads, and its agent killed.
    let run = site.start(["run", "up.toml"]);
    site.until(host, "ls /srv/backups/*/mariadb/scratch/data/socket && pkill -STOP -f 'mariadbd.*--skip-networkin[g]'");
    site.inside(host, "pkill -KILL -f 'agent ste[p]'");
    run.end().with(0);
    assert!(site.log(host).contains("attempt 2"), "{}", site.log(host));
    assert_eq!(site.inside(host, "ls /srv/backups/*/mariadb; pgrep -c mariadbd"), "data.sql.gz\nmanifest.json\n1");
    site.lab(["reset", host]);
}
