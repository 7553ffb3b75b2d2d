# The file only, and no service: nova.controller, nova.compute and nova.upgrade.render_config add
# what follows.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova with context %}

nova-config:
  file.managed:
    - name: /etc/nova/nova.conf
    - source: salt://nova/files/nova.conf.j2
    - template: jinja
    - user: root
    - group: {{ nova.group }}
    # Passwords of the message bus, the identity service and the database are in it.
    - mode: '0640'
    - show_changes: False
