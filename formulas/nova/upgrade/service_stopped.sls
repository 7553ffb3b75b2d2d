# Nova down on this host. The hypervisor is left alone: instances run on.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import services with context %}

{#- The API first, so that nobody asks for what can no longer be done. #}
{%- for service in services|reverse %}

nova-stopped-{{ service }}:
  service.dead:
    - name: {{ service }}
{%- endfor %}
