# The new packages, and nothing started by them: the schema is still the old one.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import keystone, server with context %}
{%- if grains['os_family'] == 'Debian' %}

# Only if there is something to install, and never in place of a policy that is somebody else's.
keystone-upgrade-policy:
  file.managed:
    - name: /usr/sbin/policy-rc.d
    - source: salt://keystone/files/policy-rc.d.j2
    - template: jinja
    - mode: '0755'
    - unless: test -e /usr/sbin/policy-rc.d && ! grep -q 'formula .keystone' /usr/sbin/policy-rc.d
    - prereq:
      - pkg: keystone-upgrade-packages
{%- endif %}

keystone-upgrade-packages:
{%- if keystone.version %}
  pkg.installed:
    - pkgs:
{%- for package in server.packages %}
      - {{ package }}: {{ keystone.version|json }}
{%- endfor %}
{%- else %}
  pkg.latest:
    - pkgs: {{ server.packages|json }}
{%- endif %}
    - refresh: True
{%- if grains['os_family'] == 'Debian' %}

# Requires nothing, so that it goes also when the packages failed.
keystone-upgrade-policy-absent:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - onlyif: grep -qs 'formula .keystone' /usr/sbin/policy-rc.d
{%- endif %}
