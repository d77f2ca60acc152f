from django.apps import AppConfig


class FailoverConfig(AppConfig):
    name = "drdash.failover"
