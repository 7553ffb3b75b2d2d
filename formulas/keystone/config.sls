# Files only, and no service: keystone.server and keystone.upgrade.render_config add what follows.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server with context %}

keystone-config:
  file.managed:
    - name: /etc/keystone/keystone.conf
    - source: salt://keystone/files/keystone.conf.j2
    - template: jinja
    - user: root
    - group: {{ server.group }}
    # The database's password is in it.
    - mode: '0640'
    - show_changes: False

keystone-rc:
  file.managed:
    - name: {{ server.rc }}
    - source: salt://keystone/files/keystonerc.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0600'
    - show_changes: False

{%- for kind, keys in [('fernet', server.fernet_keys), ('credential', server.credential_keys)] if keys %}

keystone-{{ kind }}-keys:
  file.directory:
    - name: /etc/keystone/{{ kind }}-keys
    - user: {{ server.user }}
    - group: {{ server.group }}
    - mode: '0700'
{%- for number in keys %}

keystone-{{ kind }}-key-{{ number }}:
  file.managed:
    - name: /etc/keystone/{{ kind }}-keys/{{ number }}
    - contents_pillar: keystone:server:{{ kind }}_keys:{{ number }}
    # Keystone reads the key with or without a newline at its end.
    - show_changes: False
    - user: {{ server.user }}
    - group: {{ server.group }}
    - mode: '0600'
    - require:
      - file: keystone-{{ kind }}-keys
{%- endfor %}
{%- endfor %}
