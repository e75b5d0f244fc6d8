"""Which database alias does what. All three aliases are one database under different roles."""


class OwnerMigrates:
    """Tables are made by their owner alone; reading and writing stays with `default`."""

    def allow_migrate(self, db, app_label, **hints):
        return db == "owner"

    def allow_relation(self, first, second, **hints):
        return True  # rows read as `platform` may be compared with rows read as `default`
