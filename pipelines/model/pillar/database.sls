# The database, a small one.
{%- set staging = grains['id'][3] == '9' %}
mariadb:
  server:
    bind: 0.0.0.0
    max_connections: 100
    buffer_pool_size: 64M
    options: {innodb_log_file_size: 32M}
  galera:
    bootstrap: {{ 'dbs91' if staging else 'dbs01' }}
    members:
{%- if staging %}
      dbs91: 198.18.1.9
{%- else %}
      dbs01: 198.18.1.5
      dbs02: 198.18.1.6
      dbs03: 198.18.1.7
{%- endif %}
    sst: {method: rsync}
    provider_options: {gcache.size: 32M}
    synced_timeout: 3m
  databases:
    contrail_config: {}
