# Nova up again, never on a schema that is not its own: where `upgrade.db_sync` was a step of its
# own, the one here finds nothing to do. Computes have no schema.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import roles, services, is_db_sync_host with context %}

{%- if 'controller' in roles %}

include:
  - nova.upgrade.db_sync
{%- endif %}

{%- for service in services %}

nova-running-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
{%- if is_db_sync_host %}
    - require:
      - cmd: nova-db-sync
{%- endif %}
{%- endfor %}
