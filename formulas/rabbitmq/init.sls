include:
  - rabbitmq.server
