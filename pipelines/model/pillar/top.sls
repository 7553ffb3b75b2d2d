base:
  '*': [cloud, release.v302]
  'ctl*': [control]
  'dbs*': [database]
  'cmp*': [compute]
