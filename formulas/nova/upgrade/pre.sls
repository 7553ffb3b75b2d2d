# Before anything stops: is an upgrade possible, and what would be needed to go back.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, roles, upgrade, is_db_sync_host with context %}
{%- set backup = upgrade.backup ~ '/nova-' ~ (upgrade.name or nova.version or 'latest') ~ '.tar.gz' %}

nova-upgrade-backup-directory:
  file.directory:
    - name: {{ upgrade.backup }}
    - user: root
    - group: root
    - mode: '0700'
    - makedirs: True

# The configuration as it is now. Never overwritten: a second try would save what the first one
# left behind.
nova-upgrade-backup:
  cmd.run:
    - name: umask 077 && tar -czf {{ backup }}.part -C / etc/nova && mv {{ backup }}.part {{ backup }}
    - creates: {{ backup }}
    - require:
      - file: nova-upgrade-backup-directory
{%- if is_db_sync_host %}

# The old release ends its own data migrations: the new one no longer knows how.
nova-upgrade-migrations-complete:
  cmd.run:
    - name: runuser -u {{ nova.user }} -- nova-manage db online_data_migrations && printf '\nchanged=no\n'
    - stateful: True

# No row of a compute that is too old, or gone: the new conductor refuses to start with one.
# 0 is fine and 1 is a warning to read; 2 is stop, and 255 means that the check itself broke.
nova-upgrade-check-before:
  cmd.run:
    - name: runuser -u {{ nova.user }} -- nova-status upgrade check; [ $? -le 1 ] && printf '\nchanged=no\n'
    - stateful: True
    - require:
      - cmd: nova-upgrade-migrations-complete
{%- endif %}
{%- if 'compute' in roles and upgrade.take_out %}

# New instances go elsewhere; those that are here stay. A compute that somebody else took out
# keeps its own reason, and `post` leaves it out.
nova-upgrade-taken-out:
  cmd.run:
    - name: . {{ nova.rc }} && openstack compute service set --disable --disable-reason '{{ upgrade.reason }}' {{ grains['host'] }} nova-compute
    - unless: . {{ nova.rc }} && openstack compute service list --host {{ grains['host'] }} --service nova-compute -f value -c Status | grep -qx disabled
    - require:
      - cmd: nova-upgrade-backup
{%- endif %}
