# What every host of a cloud knows. Hosts of the staging cloud have names that begin at 9.
{%- set staging = grains['id'][3] == '9' %}
opencontrail:
  group: root
  discovery: {host: {{ '198.18.1.8' if staging else '198.18.1.2' }}}
  database:
    members:
{%- if staging %}
      ctl91: {id: 1, address: 198.18.1.8}
{%- else %}
      ctl01: {id: 1, address: 198.18.1.2}
      ctl02: {id: 2, address: 198.18.1.3}
      ctl03: {id: 3, address: 198.18.1.4}
{%- endif %}
