# Keystone up again, never on a schema that is not its own: where `upgrade.db_sync` was a step of
# its own, the one here finds nothing to do.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server, is_db_sync_host with context %}

include:
  - keystone.upgrade.db_sync

{%- for service in server.services %}

keystone-running-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
{%- if is_db_sync_host %}
    - require:
      - cmd: keystone-db-sync
{%- endif %}
{%- endfor %}
