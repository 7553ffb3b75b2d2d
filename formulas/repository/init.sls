# Where packages come from. Every repository is tied to its own key (`signed-by`), so that the key
# of one cannot sign packages of another.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import repository with context %}
{%- set apt = grains['os_family'] == 'Debian' %}

repository-keyrings:
  file.directory:
    - name: {{ repository.keyrings }}
    - user: root
    - group: root
    - mode: '0755'
{%- if apt %}

repository-proxy:
{%- if repository.proxy %}
  file.managed:
    - name: /etc/apt/apt.conf.d/80upshift-proxy
    - contents: 'Acquire::http::Proxy "{{ repository.proxy }}";'
    - mode: '0644'
{%- else %}
  file.absent:
    - name: /etc/apt/apt.conf.d/80upshift-proxy
{%- endif %}
{%- endif %}

{%- for name in repository.absent %}
{%- if name not in repository.repos %}

repository-{{ name }}-absent:
  file.absent:
    - names:
{%- if apt %}
      - {{ repository.sources }}/{{ name }}.list
      - {{ repository.preferences }}/{{ name }}.pref
{%- else %}
      - {{ repository.sources }}/{{ name }}.repo
{%- endif %}
      - {{ repository.keyrings }}/{{ repository.key_prefix }}{{ name }}{{ repository.key_suffix }}
{%- endif %}
{%- endfor %}

{%- for name, repo in repository.repos.items() %}
{%- set keyring = repository.keyrings ~ '/' ~ repository.key_prefix ~ name ~ repository.key_suffix %}
{%- set signed = repo.key or repo.key_source %}
{%- if signed %}

repository-{{ name }}-key:
  file.managed:
    - name: {{ keyring }}
{%- if repo.key %}
    - contents_pillar: repository:repos:{{ name }}:key
{%- else %}
    - source: {{ repo.key_source }}
{%- if repo.key_hash %}
    - source_hash: {{ repo.key_hash }}
{%- endif %}
{%- endif %}
    - user: root
    - group: root
    # apt reads keys as the user _apt.
    - mode: '0644'
    - require:
      - file: repository-keyrings
{%- endif %}
{%- if apt %}
{%- set options = [] %}
{%- if signed %}{% do options.append('signed-by=' ~ keyring) %}{% else %}{% do options.append('trusted=yes') %}{% endif %}
{%- if repo.architectures %}{% do options.append('arch=' ~ repo.architectures|join(',')) %}{% endif %}
{%- set suite = repo.suite or grains['oscodename'] %}
{%- set where = '[' ~ options|join(' ') ~ '] ' ~ repo.url ~ ' ' ~ suite %}
{#- A suite that ends in a slash is a path in a flat repository, which has no components. #}
{%- if not suite.endswith('/') %}{% set where = where ~ ' ' ~ repo.components|join(' ') %}{% endif %}

repository-{{ name }}-pins:
{%- if repo.pins %}
  file.managed:
    - name: {{ repository.preferences }}/{{ name }}.pref
    - source: salt://repository/files/preferences.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0644'
    - context:
        repo_name: {{ name }}
{%- else %}
  file.absent:
    - name: {{ repository.preferences }}/{{ name }}.pref
{%- endif %}

{%- for kind in (['deb', 'deb-src'] if repo.source else ['deb']) %}

repository-{{ name }}-{{ kind }}:
  pkgrepo.managed:
    - name: {{ (kind ~ ' ' ~ where)|json }}
    - file: {{ repository.sources }}/{{ name }}.list
{%- if kind == 'deb' %}
    # The file holds this repository and nothing else: a line for the release before goes.
    - clean_file: True
{%- endif %}
    - disabled: {{ not repo.enabled }}
{%- if signed %}
    # Salt wants the line to name its key with this, and refuses it otherwise.
    - aptkey: False
{%- endif %}
    - refresh: True
    - require:
      - file: repository-{{ name }}-pins
{%- if signed %}
      - file: repository-{{ name }}-key
{%- endif %}
{%- if kind == 'deb-src' %}
      - pkgrepo: repository-{{ name }}-deb
{%- endif %}
{%- endfor %}
{%- else %}

repository-{{ name }}-rpm:
  pkgrepo.managed:
    - name: {{ name }}
    - humanname: {{ name }}
    - baseurl: {{ repo.url }}
    - enabled: {{ 1 if repo.enabled else 0 }}
    - gpgcheck: {{ 1 if signed else 0 }}
{%- if signed %}
    - gpgkey: file://{{ keyring }}
{%- endif %}
{%- if repo.priority %}
    - priority: {{ repo.priority }}
{%- endif %}
{%- if repo.module_hotfixes %}
    - module_hotfixes: 1
{%- endif %}
    - refresh: True
{%- if signed %}
    - require:
      - file: repository-{{ name }}-key
{%- endif %}
{%- endif %}
{%- endfor %}
