# Keystone on one controller. On several: the host of `db_sync_host` first.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server, is_db_sync_host with context %}

include:
  - keystone.package
  - keystone.config
  - keystone.db_sync

# The packages bring the directories, users and groups that the files need.
extend:
  keystone-config:
    file:
      - require:
        - pkg: keystone-packages
{%- for kind, keys in [('fernet', server.fernet_keys), ('credential', server.credential_keys)] if keys %}
  keystone-{{ kind }}-keys:
    file:
      - require:
        - pkg: keystone-packages
{%- endfor %}
{%- if is_db_sync_host %}
  keystone-db-sync:
    cmd:
      - require:
        - file: keystone-config
{%- endif %}

{%- for kind, keys in [('fernet', server.fernet_keys), ('credential', server.credential_keys)] if not keys %}

# One host only: it makes its own keys, once.
keystone-{{ kind }}-setup:
  cmd.run:
    - name: keystone-manage {{ kind }}_setup --keystone-user {{ server.user }} --keystone-group {{ server.group }}
    - creates: /etc/keystone/{{ kind }}-keys/0
    - require:
      - file: keystone-config
    - require_in:
{%- for service in server.services %}
      - service: keystone-service-{{ service }}
{%- endfor %}
{%- endfor %}
{%- if server.site is defined %}

keystone-site:
  file.symlink:
    - name: {{ server.site.link }}
    - target: {{ server.site.target }}
    - require:
      - pkg: keystone-packages
    - watch_in:
{%- for service in server.services %}
      - service: keystone-service-{{ service }}
{%- endfor %}
{%- endif %}

{%- for service in server.services %}

keystone-service-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
{%- if is_db_sync_host %}
    - require:
      - cmd: keystone-db-sync
{%- endif %}
    # Not the keys: keystone reads them again by itself.
    - watch:
      - file: keystone-config
{%- endfor %}

{%- if is_db_sync_host %}

# The administrator, the region and keystone's own endpoints. Runs when the administrator of the
# pillar cannot log in; what is there already is left as it is. The password comes from a file.
keystone-bootstrap:
  cmd.run:
    - name: |-
        . {{ server.rc }} && OS_BOOTSTRAP_PASSWORD="$OS_PASSWORD" keystone-manage bootstrap \
          --bootstrap-username {{ server.admin.user }} --bootstrap-project-name {{ server.admin.project }} \
          --bootstrap-region-id {{ server.region }} \
          --bootstrap-public-url {{ server.public_url }} \
          --bootstrap-internal-url {{ server.internal_url or server.public_url }} \
          --bootstrap-admin-url {{ server.internal_url or server.public_url }}
    - unless: . {{ server.rc }} && openstack token issue
    - require:
      - file: keystone-rc
{%- for service in server.services %}
      - service: keystone-service-{{ service }}
{%- endfor %}
{%- endif %}
