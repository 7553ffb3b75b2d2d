# The new packages, and nothing started by them: the schema is still the old one.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, packages with context %}
{%- if grains['os_family'] == 'Debian' %}

# Only if there is something to install, and never in place of a policy that is somebody else's.
nova-upgrade-policy:
  file.managed:
    - name: /usr/sbin/policy-rc.d
    - source: salt://nova/files/policy-rc.d.j2
    - template: jinja
    - mode: '0755'
    - unless: test -e /usr/sbin/policy-rc.d && ! grep -q 'formula .nova' /usr/sbin/policy-rc.d
    - prereq:
      - pkg: nova-upgrade-packages
{%- endif %}

nova-upgrade-packages:
{%- if nova.version %}
  pkg.installed:
    - pkgs:
{%- for package in packages %}
      - {{ package }}: {{ nova.version|json }}
{%- endfor %}
{%- else %}
  pkg.latest:
    - pkgs: {{ packages|json }}
{%- endif %}
    - refresh: True
{%- if grains['os_family'] == 'Debian' %}

# Requires nothing, so that it goes also when the packages failed.
nova-upgrade-policy-absent:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - onlyif: grep -qs 'formula .nova' /usr/sbin/policy-rc.d
{%- endif %}
