# The API, the conductor and the scheduler. On several controllers: the host of `db_sync_host` first.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import controller, is_db_sync_host with context %}

include:
  - nova.installed
  - nova.db_sync

{%- if is_db_sync_host %}

extend:
  nova-db-sync:
    cmd:
      - require:
        - file: nova-config
{%- endif %}

{%- for service in controller.services %}

nova-service-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
{%- if is_db_sync_host %}
    - require:
      - cmd: nova-db-sync
{%- endif %}
    - watch:
      - file: nova-config
{%- endfor %}
