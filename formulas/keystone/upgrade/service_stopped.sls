# Keystone down. On Ubuntu and Red Hat this is the web server, with all else that it serves.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server with context %}

{%- for service in server.services %}

keystone-stopped-{{ service }}:
  service.dead:
    - name: {{ service }}
{%- endfor %}
