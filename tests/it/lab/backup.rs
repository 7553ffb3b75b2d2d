//! Backups of real servers, and what becomes of their data.

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

/// A site with so many hosts, the first of which has the server and some data.
fn site(count: usize) -> Site {
    let site = Site::of(count);
    site.lab(["debian", "mariadb-server"]);
    let host = &site.hosts[0];
    // A host's own disk has no room for two servers.
    site.inside(host, "for at in /var/lib/mysql /srv; do mkdir -p $at; mount -t tmpfs tmpfs $at; done");
    site.install(host, "mariadb-server");
    site.until(host, "mariadb -e 'SELECT 1'");
    site.inside(host, DATA);
    assert_eq!(site.inside(host, "mariadb -Ne 'SELECT COUNT(*) FROM nova.instances'"), "5001");
    site.sandbox.write("up.toml", PIPELINE);
    site
}

#[test]
fn a_database_is_kept_tried_and_given_back_by_a_rollback() {
    let site = site(1);
    let host = &site.hosts[0];
    let before = site.inside(host, SUM);
    site.upshift(["run", "up.toml"]).with(0);
    assert_ne!(site.inside(host, SUM), before);
    let log = site.log(host);
    assert!(log.contains("2 databases, 4 tables, 5006 rows; restored on a scratch server in "), "{log}");
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
    let site = site(1);
    let host = &site.hosts[0];
    site.inside(host, "mount -t tmpfs -o size=64k tmpfs /srv");
    let full = site.upshift(["run", "up.toml"]).with(10);
    assert!(full.err.contains("No space left on device"), "{}", full.err);
    assert_eq!(site.inside(host, "find /srv -type f; umount /srv"), "");

    // The scratch server is stopped while it loads, and its agent killed.
    let run = site.start(["run", "up.toml"]);
    // It loads in a tenth of a second: whoever looks from outside comes too late.
    let stop = "until ls /srv/backups/*/mariadb/scratch/data/socket && pkill -STOP -f \"mariadbd.*--skip-networkin[g]\"; do sleep 0.01; done";
    site.inside(host, &format!("timeout 60 sh -c '{stop}'"));
    site.inside(host, "pkill -KILL -f 'agent ste[p]'");
    run.end().with(0);
    assert!(site.log(host).contains("attempt 2"), "{}", site.log(host));
    assert_eq!(site.inside(host, "ls /srv/backups/*/mariadb; pgrep -c mariadbd"), "data.sql.gz\nmanifest.json\n1");
    site.lab(["reset", host]);
}

#[test]
fn a_backup_is_tried_on_one_host_and_kept_on_another_and_a_gate_looks_at_it() {
    let site = site(3);
    let [host, keeps, tries] = &site.hosts[..] else { unreachable!() };
    site.inside(tries, "mkdir -p /srv /var/lib/mysql; mount -t tmpfs tmpfs /srv; mount -t tmpfs tmpfs /var/lib/mysql");
    site.install(tries, "mariadb-server");
    let pipeline = PIPELINE
        .replace("\"cmp\"", &format!("\"{host}\""))
        .replace("restore-test = true", &format!("to = \"{keeps}\", restore-test = \"{tries}\""));
    let (backup, upgrade) = pipeline.split_at(pipeline.rfind("[[stage]]").unwrap());
    let ask = "[[stage]]\nname = \"ask\"\n[[stage.step]]\nwait = { run = \"sh /srv/damage\" }\non = \"HOST\"\n[[stage.step]]\ngate = \"go?\"\n";
    site.sandbox.write("up.toml", &format!("{backup}{}{upgrade}", ask.replace("HOST", host)));
    let before = site.inside(host, SUM);

    // Of another release, with a whole copy or not: the server would not take either.
    let other = r"sed -i 's/10\.11/10.6/'";
    site.inside(host, &format!("cat >/srv/damage <<'E'\n{other} /srv/backups/*/mariadb/manifest.json\nE"));
    let shut = site.upshift(["run", "up.toml", "--pass", "gate"]).with(10);
    assert!(
        shut.err.contains("the way back is not open: the backup on") && shut.err.contains("and the server has 10.11"),
        "{}",
        shut.err
    );
    assert_eq!(site.inside(host, SUM), before);
    assert_eq!(site.inside(tries, "find /srv/backups -name '*@*'"), "", "what was tried is gone");
    for host in [host, keeps] {
        site.inside(host, "rm -r /srv/backups");
    }

    site.inside(host, ">/srv/damage");
    let run = site.upshift(["run", "up.toml", "--pass", "gate"]).with(0);
    assert_ne!(site.inside(host, SUM), before);
    let report = site.upshift(["report"]).with(0).out;
    assert!(report.contains("  restore  takes ") && report.contains(" (measured)"), "{report}{}", run.err);
    let copy = format!("/srv/backups/*/mariadb@{host}");
    assert_eq!(site.inside(keeps, &format!("ls {copy}")), "data.sql.gz\nmanifest.json");
    assert_eq!(site.inside(keeps, &format!("grep -c restored {copy}/manifest.json")), "1");

    site.inside(host, "truncate -s -1 /srv/backups/*/mariadb/data.sql.gz");
    let id = site.inside(keeps, &format!("basename $(dirname {copy})"));
    let planned = site.upshift(["rollback", &id, "--plan"]).with(0).out;
    assert!(planned.contains("(measured)") && !planned.contains("unknown"), "{planned}");
    site.upshift(["rollback", &id]).with(0);
    assert_eq!(site.inside(host, SUM), before);
    for host in [host, tries, keeps] {
        site.lab(["reset", host]);
    }
}

#[test]
fn a_copy_that_is_cut_off_goes_on_where_it_was() {
    let site = Site::of(2);
    let [host, keeps] = &site.hosts[..] else { unreachable!() };
    site.inside(host, "mkdir -p /srv/data; head -c 30000000 /dev/urandom >/srv/data/noise");
    let pipeline = format!(
        "[pipeline]\nname = 'copy'\n[[stage]]\nname = 'backup'\nhosts = '{host}'\n[[stage.step]]\nbackup = {{ engine = 'files', paths = ['/srv/data'], folder = '/srv/backups', to = '{keeps}' }}\n"
    );
    site.sandbox.write("up.toml", &pipeline);
    // About 12 s.
    site.lab(["rate", keeps, "20000"]);
    let arrived = |least: u64| format!("test $(cat /srv/backups/*/*/arriving-* | wc -c) -ge {least}");
    let run = site.start(["run", "up.toml"]);
    site.until(keeps, &arrived(4_000_000));
    run.kill();
    let run = site.start(["resume"]);
    site.until(keeps, &arrived(8_000_000));
    site.lab(["cut", keeps, "3"]);
    site.lab(["rate", keeps, "0"]);
    let ended = run.end().with(0);
    assert!(ended.err.contains("(1/1 done, 0 failed)"), "{}", ended.err);
    let sum = |host: &str, name: &str| site.inside(host, &format!("sha256sum </srv/backups/*/{name}/data.tar.gz"));
    assert_eq!(sum(host, "files"), sum(keeps, &format!("files@{host}")));
    // Nothing was made twice, and nothing came twice.
    assert_eq!(site.inside(keeps, "ls /srv/backups/*/*"), "data.tar.gz\nmanifest.json");
    site.lab(["heal", keeps]);
    site.inside(host, "rm -r /srv/backups /srv/data");
    site.inside(keeps, "rm -r /srv/backups");
}

const POSTGRES: &str = r#"runuser -u postgres -- psql -v ON_ERROR_STOP=1 <<'SQL'
CREATE ROLE nova LOGIN; CREATE ROLE "Reader, all";
CREATE DATABASE nova OWNER nova; CREATE DATABASE "key stone";
\connect nova
SET ROLE nova;
CREATE TABLE instances (id SERIAL PRIMARY KEY, name TEXT, data BYTEA);
INSERT INTO instances (name, data) VALUES (E'it\'s\n\\. (a); \t', '\x00ff27285c0a');
INSERT INTO instances (name, data) SELECT md5(n::text) || E'\n', sha256(n::text::bytea) FROM generate_series(1, 5000) n;
CREATE SCHEMA "we ird"; CREATE TABLE "we ird"."T a" (id INT); CREATE VIEW v AS SELECT id FROM instances;
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$
COPY instances (id) FROM stdin;
$$;
GRANT SELECT ON instances TO "Reader, all";
RESET ROLE;
\connect "key stone"
CREATE TABLE users (id INT PRIMARY KEY); INSERT INTO users VALUES (1), (2), (3);
SQL"#;

/// Everything that is in the databases, as text; the dump of today begins with a key that is another each time.
const POSTGRES_SUM: &str = r#"for db in nova "key stone"; do runuser -u postgres -- pg_dump "$db"; done | grep -v '^.\(un\)\?restrict ' | sha256sum"#;

#[test]
fn a_postgres_database_is_kept_tried_and_given_back_by_a_rollback() {
    let site = Site::of(1);
    site.lab(["debian", "postgresql"]);
    let host = &site.hosts[0];
    site.inside(
        host,
        "for at in /var/lib/postgresql /srv; do mkdir -p $at; mount -t tmpfs -o mode=755 tmpfs $at; done",
    );
    site.install(host, "postgresql");
    site.until(host, "runuser -u postgres -- psql -c 'SELECT 1'");
    site.inside(host, POSTGRES);
    let pipeline = PIPELINE.replace("mariadb\",", "postgres\",");
    let (start, end) = (pipeline.find("mariadb -e").unwrap(), pipeline.rfind('"').unwrap());
    let damage = r#"runuser -u postgres -- psql -v ON_ERROR_STOP=1 nova -c 'DROP TABLE \"we ird\".\"T a\"; DELETE FROM instances WHERE id < 100' -c 'CREATE TABLE newer (x INT)'"#;
    site.sandbox.write("up.toml", &format!("{}{damage}{}", &pipeline[..start], &pipeline[end..]));
    let before = site.inside(host, POSTGRES_SUM);

    site.upshift(["run", "up.toml"]).with(0);
    assert_ne!(site.inside(host, POSTGRES_SUM), before);
    let log = site.log(host);
    assert!(log.contains("2 databases, 3 tables, 5004 rows; restored on a scratch server in "), "{log}");
    assert_eq!(site.inside(host, "ls /var/lib/postgresql"), "15");
    let run = site.inside(host, "ls /srv/backups");

    // Whoever is connected would keep it from being dropped.
    site.inside(host, "runuser -u postgres -- psql -d nova -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 &");
    site.until(host, "runuser -u postgres -- psql -Atc \"SELECT datname FROM pg_stat_activity\" | grep -x nova");
    let refused = site.upshift(["rollback", &run]).with(13);
    assert!(
        refused.err.contains("nothing was touched: `nova` is in use, by 1 such as postgres from this host"),
        "{}",
        refused.err
    );
    let end = "runuser -u postgres -- psql -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'nova'\"";
    site.inside(host, end);
    site.upshift(["resume"]).with(0);
    assert_eq!(site.inside(host, POSTGRES_SUM), before);
    site.lab(["reset", host]);
}

#[test]
fn a_servers_files_are_kept_tried_and_given_back_with_all_its_accounts() {
    let site = site(1);
    let host = &site.hosts[0];
    site.lab(["debian", "mariadb-backup"]);
    site.install(host, "mariadb-backup");
    let pipeline = PIPELINE.replace("engine = \"mariadb\",", "engine = \"mariadb\", method = \"physical\",");
    site.sandbox
        .write("up.toml", &pipeline.replace("DROP TABLE nova.cells;", "DROP TABLE nova.cells; CREATE USER later;"));
    // A server that starts counts on from the last row, and not from what it has set aside.
    let sum = SUM.replace("| sha256sum", "| sed 's/ AUTO_INCREMENT=[0-9]*//' | sha256sum");
    let before = site.inside(host, &sum);
    site.upshift(["run", "up.toml"]).with(0);
    assert_ne!(site.inside(host, &sum), before);
    let log = site.log(host);
    assert!(log.contains("2 databases, 4 tables, 5006 rows; restored on a scratch server in "), "{log}");
    assert_eq!(site.inside(host, "ls -A /srv/backups/*/mariadb; pgrep -c mariadbd"), "data.xb.gz\nmanifest.json\n1");
    site.upshift(["rollback"]).with(0);
    assert_eq!(site.inside(host, &sum), before);
    assert_eq!(site.inside(host, "mariadb -Ne \"SELECT COUNT(*) FROM mysql.user WHERE user = 'later'\""), "0");
    assert_eq!(site.inside(host, "systemctl is-active mariadb; ls -A /var/lib/mysql | grep -c upshift"), "active\n0");
    assert!(site.log(host).contains("restored in ") && site.log(host).contains(", and compared"), "{}", site.log(host));
    site.lab(["reset", host]);
}

#[test]
fn an_etcd_member_is_kept_tried_and_given_back_by_a_rollback() {
    let site = Site::of(1);
    site.lab(["debian", "etcd-server", "etcd-client"]);
    let host = &site.hosts[0];
    site.install(host, "etcd-server etcd-client");
    site.inside(host, "mkdir -p /srv; mount -t tmpfs tmpfs /srv");
    let etcd = |command: &str| site.inside(host, &format!("export ETCDCTL_API=3; {command}"));
    site.until(host, "ETCDCTL_API=3 etcdctl endpoint health");
    etcd("for n in $(seq 40); do etcdctl put key$n value$n; done; etcdctl del key7");
    let pipeline = PIPELINE.replace("mariadb\",", "etcd\",");
    let (start, end) = (pipeline.find("mariadb -e").unwrap(), pipeline.rfind('"').unwrap());
    let damage = "export ETCDCTL_API=3; etcdctl del key8; etcdctl put key9 other; etcdctl put newer 1";
    site.sandbox.write("up.toml", &format!("{}{damage}{}", &pipeline[..start], &pipeline[end..]));
    let all = "etcdctl get --prefix ''";
    let before = etcd(all);
    site.upshift(["run", "up.toml"]).with(0);
    assert_ne!(etcd(all), before);
    let log = site.log(host);
    assert!(log.contains(", 39 keys; restored on a scratch server in "), "{log}");
    assert_eq!(site.inside(host, "ls -A /srv/backups/*/etcd; pgrep -c -x etcd"), "data.db.gz\nmanifest.json\n1");
    site.upshift(["rollback"]).with(0);
    assert_eq!(etcd(all), before);
    assert_eq!(site.inside(host, "systemctl is-active etcd; stat -c %U /var/lib/etcd/default/member"), "active\netcd");
    site.lab(["reset", host]);
}

#[test]
fn a_node_of_a_cluster_holds_nobody_up_while_it_is_read_and_is_always_put_back() {
    let site = Site::of(2);
    site.lab(["debian", "mariadb-server", "galera-4", "rsync"]);
    let [first, second] = &site.hosts[..] else { unreachable!() };
    let addresses = [first, second].map(|host| site.inside(host, "hostname -I | cut -d' ' -f1"));
    let settings = format!(
        "[mysqld]\nwsrep_on=ON\nwsrep_provider=/usr/lib/galera/libgalera_smm.so\nwsrep_cluster_address=gcomm://{}\n\
         wsrep_sst_method=rsync\nbinlog_format=row\ninnodb_autoinc_lock_mode=2\nbind-address=0.0.0.0\n",
        addresses.join(",")
    );
    std::thread::scope(|scope| {
        for host in [first, second] {
            let set_up = || {
                site.inside(host, "for at in /var/lib/mysql /srv; do mkdir -p $at; mount -t tmpfs tmpfs $at; done");
                site.install(host, "mariadb-server galera-4 rsync");
                let write = format!("systemctl stop mariadb; cat >/etc/mysql/mariadb.conf.d/99.cnf <<'E'\n{settings}E");
                site.inside(host, &write);
            };
            scope.spawn(set_up);
        }
    });
    site.inside(first, "galera_new_cluster");
    site.until(second, "systemctl restart mariadb");
    let rows = |host: &str| site.inside(host, "mariadb -Ne 'SELECT COUNT(*) FROM nova.t; SHOW TABLES FROM nova'");
    let state = || site.inside(first, "mariadb -Ne 'SHOW STATUS LIKE \"wsrep_local_state_comment\"' | cut -f 2");
    let insert = "mariadb -e 'CREATE DATABASE nova; CREATE TABLE nova.t (id INT PRIMARY KEY); INSERT INTO nova.t VALUES (1), (2), (3)'";
    site.inside(first, insert);
    let pipeline = PIPELINE.replace("\"cmp\"", &format!("\"{first}\""));
    let damage = "'CREATE TABLE nova.newer (x INT); DELETE FROM nova.t WHERE id = 2'\"";
    let pipeline = format!("{}{damage}\n", &pipeline[..pipeline.find("'DROP").unwrap()]);
    site.sandbox.write("up.toml", &pipeline);

    site.inside(first, "mariadb -e 'SET GLOBAL wsrep_desync = ON'");
    let refused = site.upshift(["run", "up.toml"]).with(10);
    assert!(refused.err.contains("it has to be `Synced`"), "{}", refused.err);
    site.inside(first, "mariadb -e 'SET GLOBAL wsrep_desync = OFF'");
    site.until(first, "mariadb -Ne 'SHOW STATUS LIKE \"wsrep_local_state_comment\"' | grep -w Synced");

    // Killed while it is read, it is put back by the next try; aborted, by the same.
    let slow = "#!/bin/sh\nsleep 3\nexec /usr/bin/mariadb-dump \"$@\"\n";
    site.inside(
        first,
        &format!("cat >/usr/local/bin/mariadb-dump <<'E'\n{slow}E\nchmod +x /usr/local/bin/mariadb-dump"),
    );
    let desynced = "mariadb -Ne 'SHOW STATUS LIKE \"wsrep_local_state_comment\"' | grep Desynced";
    let run = site.start(["run", "up.toml"]);
    site.until(first, desynced);
    site.upshift(["abort"]).with(0);
    run.end().with(11);
    assert_eq!(state(), "Synced");
    let run = site.start(["run", "up.toml"]);
    site.until(first, desynced);
    site.inside(first, "pkill -KILL -f 'agent ste[p]'");
    run.end().with(0);
    assert_eq!(state(), "Synced");
    assert!(site.log(first).contains("an earlier try left the node out of flow control"), "{}", site.log(first));
    assert_eq!([rows(first), rows(second)], ["2\nnewer\nt", "2\nnewer\nt"]);

    site.upshift(["rollback"]).with(0);
    assert_eq!([rows(first), rows(second)], ["3\nt", "3\nt"]);
    for host in [first, second] {
        site.lab(["reset", host]);
    }
}
