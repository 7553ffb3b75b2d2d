# Every function once, each with something to change: a preview of all of it changes nothing.

alias-present:
  alias.present: [{name: new}, {target: me}]
alias-absent:
  alias.absent: [{name: old}]

alternatives-install:
  alternatives.install: [{name: choice}, {link: /usr/local/bin/choice}, {path: /bin/echo}, {priority: 5}]
alternatives-set:
  alternatives.set: [{name: choice}, {path: /bin/false}]
alternatives-auto:
  alternatives.auto: [{name: choice}]
alternatives-remove:
  alternatives.remove: [{name: choice}, {path: /bin/false}]

apache-site-on:
  apache_site.enabled: [{name: new}]
apache-site-off:
  apache_site.disabled: [{name: old}]
apache-module-on:
  apache_module.enabled: [{name: new}]
apache-module-off:
  apache_module.disabled: [{name: old}]
apache-conf-on:
  apache_conf.enabled: [{name: new}]
apache-conf-off:
  apache_conf.disabled: [{name: old}]

extracted:
  archive.extracted: [{name: /srv/p/extracted}, {source: /srv/p/tree.tar}, {enforce_toplevel: false}]

cmd-run:
  cmd.run: [{name: touch /srv/p/ran}]
cmd-wait:
  cmd.wait: [{name: touch /srv/p/waited}, {watch: [{cmd: cmd-run}]}]
cmd-watch:
  cmd.watch: [{name: touch /srv/p/watched}, {watch: [{cmd: cmd-run}]}]
cmd-script:
  cmd.script: [{name: all.sh}, {source: 'salt://all.sh'}]
cmd-wait-script:
  cmd.wait_script: [{name: all.sh}, {source: 'salt://all.sh'}, {watch: [{cmd: cmd-run}]}]

cron-present:
  cron.present: [{name: new}, {user: root}]
cron-absent:
  cron.absent: [{name: old}, {identifier: old}]
cron-env-present:
  cron.env_present: [{name: NEW}, {value: '1'}]
cron-env-absent:
  cron.env_absent: [{name: OLD}]
cron-file:
  cron.file: [{name: 'salt://all.sh'}]

debconf-set:
  debconf.set: [{name: lab}, {data: {lab/question: {type: string, value: new}}}]
debconf-set-file:
  debconf.set_file: [{source: 'salt://debconf'}]

environ:
  environ.setenv: [{name: NEW}, {value: x}]

file-managed:
  file.managed: [{name: /srv/p/file}, {contents: new}, {mode: 600}, {backup: minion}]
file-new:
  file.managed: [{name: /srv/p/a/b/new}, {source: 'salt://all.sh'}, {makedirs: true}, {check_cmd: 'true'}]
file-directory:
  file.directory: [{name: /srv/p/tree}, {mode: 700}, {clean: true}, {user: old}, {recurse: [user]}]
file-recurse:
  file.recurse: [{name: /srv/p/tidy}, {source: 'salt://tree'}, {clean: true}]
file-symlink:
  file.symlink: [{name: /srv/p/link}, {target: /srv/p/file}]
file-hardlink:
  file.hardlink: [{name: /srv/p/hard}, {target: /srv/p/file}]
file-copy:
  file.copy: [{name: /srv/p/copy}, {source: /srv/p/file}]
file-rename:
  file.rename: [{name: /srv/p/renamed}, {source: /srv/p/file}]
file-touch:
  file.touch: [{name: /srv/p/touched}]
file-absent:
  file.absent: [{name: /srv/p/tree}]
file-mknod:
  file.mknod: [{name: /srv/p/pipe}, {ntype: p}, {user: root}, {group: root}, {mode: 600}]
file-tidied:
  file.tidied: [{name: /srv/p/tidy}, {age: 1}]
file-decode:
  file.decode: [{name: /srv/p/decoded}, {encoding_type: base64}, {encoded_data: bmV3}]
file-append:
  file.append: [{name: /srv/p/text}, {text: new}]
file-prepend:
  file.prepend: [{name: /srv/p/text}, {text: new}]
file-replace:
  file.replace: [{name: /srv/p/text}, {pattern: two}, {repl: three}]
file-line:
  file.line: [{name: /srv/p/text}, {mode: ensure}, {content: half}, {after: one}]
file-comment:
  file.comment: [{name: /srv/p/text}, {regex: ^one}]
file-uncomment:
  file.uncomment: [{name: /srv/p/text}, {regex: 'off'}]
file-keyvalue:
  file.keyvalue: [{name: /srv/p/ini}, {key: a}, {value: '3'}, {separator: ' = '}]
file-serialize:
  file.serialize: [{name: /srv/p/serialized}, {dataset: {a: 1}}, {serializer: json}]
file-accumulated:
  file.accumulated: [{filename: /srv/p/text}, {text: new}, {require_in: [{file: file-blockreplace}]}]
file-blockreplace:
  file.blockreplace: [{name: /srv/p/text}, {marker_start: '# {'}, {marker_end: '# }'}, {append_if_not_found: true}]

gem-installed:
  gem.installed: [{name: new}]
gem-removed:
  gem.removed: [{name: old}]

git-latest:
  git.latest: [{name: /srv/p/origin}, {target: /srv/p/latest}]
git-cloned:
  git.cloned: [{name: /srv/p/origin}, {target: /srv/p/cloned}]
git-detached:
  git.detached: [{name: /srv/p/origin}, {target: /srv/p/detached}, {rev: master}]
git-present:
  git.present: [{name: /srv/p/repository}]
git-config-set:
  git.config_set: [{name: user.name}, {value: me}, {global: true}]
git-config-unset:
  git.config_unset: [{name: user.old}, {global: true}]

grain-present:
  grains.present: [{name: 'a:b'}, {value: 1}]
grain-absent:
  grains.absent: [{name: old}, {destructive: true}]
grain-append:
  grains.append: [{name: roles}, {value: new}]
grain-list-present:
  grains.list_present: [{name: roles}, {value: [new]}]
grain-list-absent:
  grains.list_absent: [{name: roles}, {value: old}]

group-present:
  group.present: [{name: newest}]
group-absent:
  group.absent: [{name: olds}]
user-present:
  user.present: [{name: new}, {password: '$6$x$y'}]
user-absent:
  user.absent: [{name: old}, {purge: true}]

host-present:
  host.present: [{name: new}, {ip: 192.0.2.8}]
host-absent:
  host.absent: [{name: old}, {ip: 192.0.2.9}]
host-only:
  host.only: [{name: 192.0.2.9}, {hostnames: [other]}]

http-query:
  http.query: [{name: 'http://127.0.0.1:1/'}, {status: 200}]

ini-options-present:
  ini.options_present: [{name: /srv/p/ini}, {sections: {s: {b: '3'}}}]
ini-options-absent:
  ini.options_absent: [{name: /srv/p/ini}, {sections: {s: [b]}}]
ini-sections-present:
  ini.sections_present: [{name: /srv/p/ini}, {sections: {t: {c: '1'}}}]
ini-sections-absent:
  ini.sections_absent: [{name: /srv/p/ini}, {sections: [s]}]

iptables-append:
  iptables.append: [{chain: INPUT}, {jump: ACCEPT}, {proto: tcp}, {dport: 80}, {save: true}]
iptables-insert:
  iptables.insert: [{chain: INPUT}, {position: 1}, {jump: ACCEPT}, {proto: tcp}, {dport: 81}, {save: true}]
iptables-delete:
  iptables.delete: [{chain: INPUT}, {jump: ACCEPT}, {proto: tcp}, {dport: 22}, {save: true}]
iptables-chain-present:
  iptables.chain_present: [{name: new}]
iptables-chain-absent:
  iptables.chain_absent: [{name: old}]
iptables-flush:
  iptables.flush: [{chain: INPUT}]
iptables-policy:
  iptables.set_policy: [{chain: INPUT}, {policy: DROP}]

kmod-present:
  kmod.present: [{name: lab_new}, {persist: true}]

kmod-absent:
  kmod.absent: [{name: lab_old}, {persist: true}]

locale-present:
  locale.present: [{name: de_DE.UTF-8}]
locale-system:
  locale.system: [{name: de_DE.UTF-8}]
timezone:
  timezone.system: [{name: Asia/Kathmandu}]

module-run:
  module.run: [{name: cmd.run}, {cmd: touch /srv/p/module}]
module-wait:
  module.wait: [{name: cmd.run}, {cmd: touch /srv/p/module}, {watch: [{cmd: cmd-run}]}]
module-watch:
  module.watch: [{name: cmd.run}, {cmd: touch /srv/p/module}, {watch: [{cmd: cmd-run}]}]

mount-mounted:
  mount.mounted: [{name: /srv/new}, {device: tmpfs}, {fstype: tmpfs}, {mkmnt: true}]
mount-again:
  mount.mounted: [{name: /srv/old}, {device: tmpfs}, {fstype: tmpfs}, {opts: [ro]}]
mount-unmounted:
  mount.unmounted: [{name: /srv/old}, {persist: true}]
mount-swap:
  mount.swap: [{name: /srv/p/swap}]
fstab-present:
  mount.fstab_present: [{name: /dev/none}, {fs_file: /srv/new}, {fs_vfstype: ext4}]
fstab-absent:
  mount.fstab_absent: [{name: tmpfs}, {fs_file: /srv/old}]

mysql-database-present:
  mysql_database.present: [{name: new}]
mysql-user-present:
  mysql_user.present: [{name: new}, {host: localhost}, {password: x}]
mysql-grants-present:
  mysql_grants.present: [{grant: select}, {database: new.*}, {user: new}]

mysql-database-absent:
  mysql_database.absent: [{name: old}]
mysql-user-absent:
  mysql_user.absent: [{name: old}, {host: localhost}]
mysql-grants-absent:
  mysql_grants.absent: [{grant: select}, {database: old.*}, {user: old}]
mysql-query:
  mysql_query.run: [{database: old}, {query: 'DELETE FROM t'}]
mysql-query-file:
  mysql_query.run_file: [{database: old}, {query_file: 'salt://query.sql'}]

openvswitch-bridge-present:
  openvswitch_bridge.present: [{name: br-new}]
openvswitch-bridge-absent:
  openvswitch_bridge.absent: [{name: br-old}]
openvswitch-port-present:
  openvswitch_port.present: [{name: port-new}, {bridge: br-old}]
openvswitch-port-absent:
  openvswitch_port.absent: [{name: port-old}, {bridge: br-old}]

pip-installed:
  pip.installed: [{name: new}, {bin_env: /usr/local/sbin/pip}]
pip-removed:
  pip.removed: [{name: old}, {bin_env: /usr/local/sbin/pip}]
pip-uptodate:
  pip.uptodate: [{bin_env: /usr/local/sbin/pip}]

pkg-installed:
  pkg.installed: [{name: contrail-vrouter-agent}, {version: 3.1.1}, {refresh: true}]
pkg-installed-from-a-release-to-come:
  pkg.installed: [{name: contrail-vrouter-agent}, {fromrepo: later}, {refresh: true}]
pkg-latest:
  pkg.latest: [{name: contrail-vrouter-agent}]
pkg-downloaded:
  pkg.downloaded: [{name: contrail-vrouter-agent}, {version: 3.1.1}]
pkg-uptodate:
  pkg.uptodate: [{refresh: true}]
pkg-removed:
  pkg.removed: [{name: contrail-vrouter-agent}]
pkg-purged:
  pkg.purged: [{name: contrail-vrouter-agent}]
pkg-held:
  pkg.held: [{name: apt}]
pkg-unheld:
  pkg.unheld: [{name: dpkg}]
pkgrepo-managed:
  pkgrepo.managed: [{name: 'deb http://192.0.2.1/new ./'}, {file: /etc/apt/sources.list.d/new.list}]
pkgrepo-absent:
  pkgrepo.absent: [{name: 'deb [trusted=yes] http://192.0.2.1/old ./'}]

postgres-user-present:
  postgres_user.present: [{name: new}, {password: x}]
postgres-group-present:
  postgres_group.present: [{name: new}]
postgres-database-present:
  postgres_database.present: [{name: new}]
postgres-schema-present:
  postgres_schema.present: [{name: new}, {dbname: new}]
postgres-extension-present:
  postgres_extension.present: [{name: new}]
postgres-tablespace-present:
  postgres_tablespace.present: [{name: new}, {directory: /srv/p/space}]
postgres-privileges-present:
  postgres_privileges.present: [{name: new}, {object_name: new}, {object_type: table}, {privileges: [ALL]}]

postgres-user-absent:
  postgres_user.absent: [{name: old}]
postgres-group-absent:
  postgres_group.absent: [{name: old}]
postgres-database-absent:
  postgres_database.absent: [{name: old}]
postgres-schema-absent:
  postgres_schema.absent: [{name: old}, {dbname: old}]
postgres-extension-absent:
  postgres_extension.absent: [{name: old}]
postgres-tablespace-absent:
  postgres_tablespace.absent: [{name: old}]
postgres-privileges-absent:
  postgres_privileges.absent: [{name: old}, {object_name: old}, {object_type: table}, {privileges: [ALL]}]

rabbitmq-user-present:
  rabbitmq_user.present: [{name: new}, {password: x}]
rabbitmq-user-absent:
  rabbitmq_user.absent: [{name: old}]
rabbitmq-vhost-present:
  rabbitmq_vhost.present: [{name: /new}]
rabbitmq-vhost-absent:
  rabbitmq_vhost.absent: [{name: /old}]
rabbitmq-policy-present:
  rabbitmq_policy.present: [{name: new}, {pattern: '.*'}, {definition: '{"ha-mode": "all"}'}]
rabbitmq-policy-absent:
  rabbitmq_policy.absent: [{name: old}]
rabbitmq-plugin-on:
  rabbitmq_plugin.enabled: [{name: rabbitmq_new}]
rabbitmq-plugin-off:
  rabbitmq_plugin.disabled: [{name: rabbitmq_old}]
rabbitmq-cluster-join:
  rabbitmq_cluster.join: [{name: there}, {host: there}, {user: rabbit}]
rabbitmq-cluster-joined:
  rabbitmq_cluster.joined: [{name: there}, {host: there}, {user: rabbit}]

service-running:
  service.running: [{name: lab-rests}, {enable: true}]
service-dead:
  service.dead: [{name: lab-runs}, {enable: false}]
service-enabled:
  service.enabled: [{name: lab-rests}]
service-disabled:
  service.disabled: [{name: lab-runs}]
service-masked:
  service.masked: [{name: lab-rests}]
service-unmasked:
  service.unmasked: [{name: lab-masked}]

ssh-auth-present:
  ssh_auth.present: [{name: AAAAC3NzaC1lZDI1NTE5AAAAIJ6wtSfIkeQ8y5bI4jJ4MzQ2nJ0Z4c9lKZyDq5b8xYxW}, {user: root}, {enc: ssh-ed25519}]
ssh-auth-absent:
  ssh_auth.absent: [{name: AAAAC3NzaC1lZDI1NTE5AAAAIBzHkH9l2ZhbL0cEr0FzEb0zM3vVEmvMvqkVJ5Zbv0Ai}, {user: root}]
ssh-auth-manage:
  ssh_auth.manage: [{name: root}, {user: root}, {ssh_keys: [AAAAC3NzaC1lZDI1NTE5AAAAIJ6wtSfIkeQ8y5bI4jJ4MzQ2nJ0Z4c9lKZyDq5b8xYxW]}]
ssh-known-hosts-present:
  ssh_known_hosts.present: [{name: new.example}, {user: root}, {enc: ssh-ed25519}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIJ6wtSfIkeQ8y5bI4jJ4MzQ2nJ0Z4c9lKZyDq5b8xYxW}, {hash_known_hosts: false}]
ssh-known-hosts-absent:
  ssh_known_hosts.absent: [{name: old.example}, {user: root}]

sysctl-present:
  sysctl.present: [{name: net.ipv4.ip_forward}, {value: 1}]

test-changes:
  test.succeed_with_changes: []

user-in-file:
  webutil.user_exists: [{name: new}, {password: x}, {htpasswd_file: /srv/p/htpasswd}]
user-not-in-file:
  webutil.user_absent: [{name: old}, {htpasswd_file: /srv/p/htpasswd}]
