# Before the outage: is an upgrade possible at all, and what would be needed to go back.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import keystone, server, upgrade, is_db_sync_host with context %}
{%- set backup = upgrade.backup ~ '/keystone-' ~ (upgrade.name or keystone.version or 'latest') ~ '.tar.gz' %}

keystone-upgrade-backup-directory:
  file.directory:
    - name: {{ upgrade.backup }}
    - user: root
    - group: root
    - mode: '0700'
    - makedirs: True

# Configuration and keys as they are now. Never overwritten: a second try would save what the first
# one left behind.
keystone-upgrade-backup:
  cmd.run:
    - name: umask 077 && tar -czf {{ backup }}.part -C / etc/keystone && mv {{ backup }}.part {{ backup }}
    - creates: {{ backup }}
    - require:
      - file: keystone-upgrade-backup-directory
{%- if is_db_sync_host %}

# The old release must have ended its own migrations: the new one starts from there.
keystone-upgrade-schema-complete:
  cmd.run:
    - name: runuser -u {{ server.user }} -- keystone-manage db_sync --check && printf '\nchanged=no\n'
    - stateful: True
{%- endif %}
