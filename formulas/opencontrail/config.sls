# Files only, and no service: opencontrail.control, opencontrail.compute and
# opencontrail.upgrade.render_config add what follows.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import contrail, files, services with context %}

{%- for name, readers in files.items() %}
{%- for reader in readers if reader in services %}
{%- if loop.first %}

opencontrail-config-{{ name }}:
  file.managed:
    - name: /etc/contrail/{{ name }}
    - source: salt://opencontrail/files/{{ name }}.j2
    - template: jinja
    - user: root
    - group: {{ contrail.group }}
    # Passwords are in most of them.
    - mode: '0640'
    - show_changes: False
{%- endif %}
{%- endfor %}
{%- endfor %}
