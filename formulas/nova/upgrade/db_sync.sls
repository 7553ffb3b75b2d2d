# The schema of the new release, on the one host that the pillar names, while the controllers are
# down. A migration that was cut off is not repeated: the backup goes back first.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, is_db_sync_host with context %}

include:
  - nova.db_sync
{%- if is_db_sync_host %}

# By the new code. 0 is fine and 1 is a warning to read; 2 is stop, and 255 means that the check
# itself broke.
nova-upgrade-check:
  cmd.run:
    - name: runuser -u {{ nova.user }} -- nova-status upgrade check; [ $? -le 1 ] && printf '\nchanged=no\n'
    - stateful: True
    - require_in:
      - cmd: nova-db-sync
{%- endif %}
