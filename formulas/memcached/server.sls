# memcached: the token cache of keystone and of everything that asks it.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server with context %}

memcached-server-package:
  pkg.installed:
    - name: {{ server.package }}
{%- if server.version %}
    - version: {{ server.version|json }}
{%- endif %}

memcached-server-config:
  file.managed:
    - name: {{ server.config }}
    - source: salt://memcached/files/{{ server.source }}
    - template: jinja
    - user: root
    - group: root
    - mode: '0644'
    - require:
      - pkg: memcached-server-package

# A restart empties this host's cache: tokens are checked again, nobody is logged out. Still, apply
# one host after the other, so that keystone does not meet all of them at once.
memcached-server-service:
  service.running:
    - name: {{ server.service }}
    - enable: True
    - watch:
      - file: memcached-server-config
