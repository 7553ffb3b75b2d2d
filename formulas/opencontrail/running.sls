# Used by opencontrail.control and opencontrail.compute: packages, then files, then services.
# Each service restarts for its own files only.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import files, services with context %}

include:
  - opencontrail.package
  - opencontrail.config

extend:
{%- for name, readers in files.items() %}
{%- for reader in readers if reader in services %}
{%- if loop.first %}
  opencontrail-config-{{ name }}:
    file:
      - require:
        - pkg: opencontrail-packages
{%- endif %}
{%- endfor %}
{%- endfor %}

{%- for service in services %}

opencontrail-service-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
    - require:
      - pkg: opencontrail-packages
{%- for name, readers in files.items() if service in readers %}
{%- if loop.first %}
    - watch:
{%- endif %}
      - file: opencontrail-config-{{ name }}
{%- endfor %}
{%- endfor %}
