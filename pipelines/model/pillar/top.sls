base:
  '*': [cloud]
  'ctl*': [control]
  'dbs*': [database]
  'cmp*': [compute]
