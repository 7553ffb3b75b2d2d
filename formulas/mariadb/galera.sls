# A member of a galera cluster. Apply to one host at a time, the founder first: each apply ends
# when its node has the data and answers, so that the next one may go.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mariadb with context %}
{%- from tplroot ~ "/galera.jinja" import galera, member with context %}
{%- set others = [] %}
{%- for name, address in galera.members.items() if name != member.name %}
{%- do others.append("timeout 3 bash -c '</dev/tcp/" ~ address ~ "/4567'") %}
{%- endfor %}

include:
  - mariadb.package
  - mariadb.config
{%- if member.founder %}
  # They travel to the other members by themselves.
  - mariadb.databases
{%- endif %}

mariadb-galera-packages:
  pkg.installed:
    - pkgs: {{ galera.packages|json }}
    - require:
      - pkg: mariadb-packages

# After the packages: their first start makes the data directory, which galera must not be in.
mariadb-galera-config:
  file.managed:
    - name: {{ galera.config }}
    - source: salt://mariadb/files/galera.cnf.j2
    - template: jinja
    - user: root
    - group: mysql
    # The password that nodes copy each other with is in it.
    - mode: '0640'
    - show_changes: False
    - check_cmd: sh -c '{{ mariadb.program }} --defaults-file="$0" --verbose --help >/dev/null'
    - require:
      - pkg: mariadb-galera-packages
{%- if grains['os_family'] == 'Debian' %}

# With socket activation a client that knocks while a node joins keeps it from joining.
mariadb-galera-socket:
  service.dead:
    - name: mariadb.socket
    - enable: False
    - require:
      - pkg: mariadb-packages
    - require_in:
      - cmd: mariadb-galera-restart
{%- if member.founder %}
      - cmd: mariadb-galera-bootstrap
{%- endif %}
{%- endif %}

{%- if member.founder %}

# Founds the cluster, once in its life. Two clusters of one name are a split brain, so never when
#  - this node was in a cluster before (it has a grastate.dat). After a power cut of all nodes a
#    person decides which of them has the newest data;
#  - another member is up: this one was installed anew, and joins like everybody.
mariadb-galera-bootstrap:
  cmd.run:
    - name: systemctl stop {{ mariadb.service }} && galera_new_cluster
    - creates: {{ mariadb.datadir }}/grastate.dat
{%- if others %}
    - unless: {{ others|join(' || ')|json }}
{%- endif %}
    - require:
      - file: mariadb-config
      - file: mariadb-galera-config
      - cmd: mariadb-limits-loaded
    - require_in:
      - cmd: mariadb-galera-restart
{%- endif %}

# Not a `watch`: the only node of a cluster must not be restarted, nobody could give it the
# cluster back. Its new settings wait until others have joined.
mariadb-galera-restart:
  cmd.run:
    - name: systemctl restart {{ mariadb.service }}
    - unless: mariadb -NBe "show status like 'wsrep_cluster_size'" | grep -qw 1
{%- if not mariadb.server.restart %}
    # The pillar leaves restarts to a maintenance window: only a node that is in no cluster yet.
    - onlyif: mariadb -NBe "show variables like 'wsrep_on'" | grep -qw OFF
{%- endif %}
    - onchanges:
      - file: mariadb-config
      - file: mariadb-galera-config
    - require:
      - cmd: mariadb-limits-loaded

mariadb-service:
  service.running:
    - name: {{ mariadb.service }}
    - enable: True
    - require:
      - file: mariadb-config
      - file: mariadb-galera-config
      - cmd: mariadb-galera-restart

# A node that joins copies everything from another one, which takes its time.
mariadb-galera-synced:
  cmd.run:
    - name: timeout {{ galera.synced_timeout }} sh -c 'until mariadb -NBe "show status like \"wsrep_local_state_comment\"" | grep -qw Synced; do sleep 2; done'
    - unless: mariadb -NBe "show status like 'wsrep_local_state_comment'" | grep -qw Synced
    - require:
      - service: mariadb-service
{%- if member.founder and galera.sst.method == 'mariabackup' %}

mariadb-galera-sst-user:
  mysql_user.present:
    - name: {{ galera.sst.user }}
    - host: localhost
    - password: {{ galera.sst.password|json }}
    - connection_user: root
    - connection_unix_socket: {{ mariadb.socket }}
    - connection_charset: utf8
    - require:
      - cmd: mariadb-galera-synced

mariadb-galera-sst-grants:
  mysql_grants.present:
    - grant: reload,process,lock tables,replication client
    - database: '*.*'
    - user: {{ galera.sst.user }}
    - host: localhost
    - connection_user: root
    - connection_unix_socket: {{ mariadb.socket }}
    - connection_charset: utf8
    - require:
      - mysql_user: mariadb-galera-sst-user
{%- endif %}
