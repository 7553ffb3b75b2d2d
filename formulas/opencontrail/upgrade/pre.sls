# Before anything stops: what would be needed to go back, and whether the databases are whole.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import contrail, roles, upgrade with context %}
{%- set backup = upgrade.backup ~ '/opencontrail-' ~ (upgrade.name or contrail.version or 'latest') ~ '.tar.gz' %}

opencontrail-upgrade-backup-directory:
  file.directory:
    - name: {{ upgrade.backup }}
    - user: root
    - group: root
    - mode: '0700'
    - makedirs: True

# The configuration as it is now. Never overwritten: a second try would save what the first one
# left behind.
opencontrail-upgrade-backup:
  cmd.run:
    - name: umask 077 && tar -czf {{ backup }}.part -C / etc/contrail && mv {{ backup }}.part {{ backup }}
    - creates: {{ backup }}
    - onlyif: test -d /etc/contrail
    - require:
      - file: opencontrail-upgrade-backup-directory
{%- if 'database' in roles and contrail.database.cassandra.enabled %}

# No node of Cassandra is down: an upgrade with one copy less has none to spare.
opencontrail-upgrade-database-whole:
  cmd.run:
    - name: |-
        nodes=$(nodetool status) || exit 1
        if echo "$nodes" | grep '^D[NLJM] ' >&2; then exit 1; fi
        printf '\nchanged=no\n'
    - stateful: True
{%- endif %}
