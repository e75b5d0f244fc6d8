"""Django's PostgreSQL backend, starting the embedded server before its first connection."""

from django.db.backends.postgresql import base

from marketplace import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params):
        embedded.start_database()
        return super().get_new_connection(conn_params)
