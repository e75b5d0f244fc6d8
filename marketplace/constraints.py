"""What the database itself guarantees about tenant-owned tables, as constraints in Meta.

Django writes them into migrations like any other constraint: row-level security, foreign keys
that cannot cross marketplaces, tables that only grow, and rules that freeze once published.
"""

from django.db.models import BaseConstraint
from django.db.models.constraints import UniqueConstraint

# The sub-select is evaluated once per query; the setting is cast, never the column, because a
# cast column could use no index. After a SET LOCAL has ended the setting is '', not NULL.
_CURRENT = "(SELECT NULLIF(current_setting('app.marketplace', true), '')::bigint)"


class _SqlConstraint(BaseConstraint):
    """A constraint made of plain statements, run after the table exists."""

    def constraint_sql(self, model, schema_editor):
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return

    def validate(self, model, instance, exclude=None, using="default"):
        """PostgreSQL is the only judge; forms cannot foresee it."""

    def __eq__(self, other):
        return type(self) is type(other) and self.deconstruct() == other.deconstruct()

    __hash__ = BaseConstraint.__hash__


class TenantIsolation(_SqlConstraint):
    """Rows are seen and written only by the marketplace that owns them.

    `grants` are the app role's rights on the table; an append-only table grants
    "SELECT, INSERT". `key` is the column that names the marketplace.
    """

    def __init__(self, *, name, grants="SELECT, INSERT, UPDATE, DELETE", key="marketplace_id"):
        self.grants = grants
        self.key = key
        super().__init__(name=name)

    def create_sql(self, model, schema_editor):
        table = schema_editor.quote_name(model._meta.db_table)
        policy = schema_editor.quote_name(self.name)
        rule = f"{self.key} = {_CURRENT}"
        return (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; "
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY; "
            f"CREATE POLICY {policy} ON {table} TO jangteo_app USING ({rule}) WITH CHECK ({rule}); "
            f"REVOKE ALL ON {table} FROM jangteo_app, jangteo_platform; "
            f"GRANT {self.grants} ON {table} TO jangteo_app; "
            f"GRANT SELECT ON {table} TO jangteo_platform"
        )

    def remove_sql(self, model, schema_editor):
        table = schema_editor.quote_name(model._meta.db_table)
        policy = schema_editor.quote_name(self.name)
        return (
            f"DROP POLICY {policy} ON {table}; "
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; "
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
        )

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "grants": self.grants, "key": self.key}


class RegistryIsolation(TenantIsolation):
    """For the marketplace table itself: everyone may look one up, only it may write its row."""

    def create_sql(self, model, schema_editor):
        table = schema_editor.quote_name(model._meta.db_table)
        lookup = schema_editor.quote_name(f"{self.name}_lookup")
        return (
            super().create_sql(model, schema_editor)
            + f"; CREATE POLICY {lookup} ON {table} FOR SELECT TO jangteo_app USING (true)"
        )

    def remove_sql(self, model, schema_editor):
        table = schema_editor.quote_name(model._meta.db_table)
        lookup = schema_editor.quote_name(f"{self.name}_lookup")
        return f"DROP POLICY {lookup} ON {table}; " + super().remove_sql(model, schema_editor)


class TenantForeignKey(_SqlConstraint):
    """The row that `field` points at belongs to the same marketplace.

    PostgreSQL's own foreign-key check ignores row-level security, so the marketplace is part of
    the key. It stands beside a Django ForeignKey with db_constraint=False.
    """

    def __init__(self, *, field, name):
        self.field = field
        super().__init__(name=name)

    def create_sql(self, model, schema_editor):
        # At the end of the migration: the tenant key that it refers to may come after it.
        schema_editor.deferred_sql.append(self._foreign_key_sql(model, schema_editor))

    def constraint_sql(self, model, schema_editor):
        return self.create_sql(model, schema_editor)

    def _foreign_key_sql(self, model, schema_editor):
        quote = schema_editor.quote_name
        field = model._meta.get_field(self.field)
        return (
            f"ALTER TABLE {quote(model._meta.db_table)} ADD CONSTRAINT {quote(self.name)} "
            f"FOREIGN KEY (marketplace_id, {quote(field.column)}) "
            f"REFERENCES {quote(field.related_model._meta.db_table)} (marketplace_id, id) "
            "DEFERRABLE INITIALLY DEFERRED"
        )

    def remove_sql(self, model, schema_editor):
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field}


class Frozen(_SqlConstraint):
    """Once `column` holds `value`, the row is neither changed nor deleted, whoever asks.

    A published rule is never edited: results name the version that they were computed with.
    With `parent` (the column of a foreign key and the parent's table) the parent's state rules.
    """

    def __init__(self, *, name, column="state", value="published", parent=None):
        self.column = column
        self.value = value
        self.parent = tuple(parent) if parent else None
        super().__init__(name=name)

    def create_sql(self, model, schema_editor):
        quote = schema_editor.quote_name
        table, name = quote(model._meta.db_table), quote(self.name)
        if self.parent:
            key, parent_table = self.parent
            events = "INSERT OR UPDATE OR DELETE"
            judged = (  # nothing in it comes from outside
                f"SELECT 1 FROM {quote(parent_table)} p WHERE p.{quote(self.column)} = "  # noqa: S608
                f"'{self.value}' AND (p.id = (CASE WHEN TG_OP <> 'INSERT' THEN OLD.{key} END) "
                f"OR p.id = (CASE WHEN TG_OP <> 'DELETE' THEN NEW.{key} END))"
            )
            condition = f"EXISTS ({judged})"
        else:
            events = "UPDATE OR DELETE"
            condition = f"OLD.{quote(self.column)} = '{self.value}'"
        return (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
            f"IF {condition} THEN RAISE EXCEPTION 'published rules are never edited ({self.name})' "
            "USING ERRCODE = 'restrict_violation'; END IF; "
            "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $body$; "
            f"CREATE TRIGGER {name} BEFORE {events} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        )

    def remove_sql(self, model, schema_editor):
        quote = schema_editor.quote_name
        table, name = quote(model._meta.db_table), quote(self.name)
        return f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()"

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        return (
            path,
            args,
            {**kwargs, "column": self.column, "value": self.value, "parent": self.parent},
        )


class AppendOnly(_SqlConstraint):
    """Rows are written once, whoever asks: not even the owner of the table changes or deletes one.

    It stands beside rights that say the same (APPEND_ONLY), for the day on which somebody has
    more of them. On a partitioned table it holds for every partition.
    """

    def create_sql(self, model, schema_editor):
        table = schema_editor.quote_name(model._meta.db_table)
        name = schema_editor.quote_name(self.name)
        return (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
            f"RAISE EXCEPTION 'rows are only added ({self.name})' "
            "USING ERRCODE = 'restrict_violation'; END $body$; "
            f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        )

    def remove_sql(self, model, schema_editor):
        table = schema_editor.quote_name(model._meta.db_table)
        name = schema_editor.quote_name(self.name)
        return f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()"


class Fixed(_SqlConstraint):
    """Once `column` no longer holds `value`, `fields` never change and the row stays.

    For documents that go on through states after they were handed out.
    """

    def __init__(self, *, name, fields, column="state", value="draft"):
        self.fields = tuple(fields)
        self.column = column
        self.value = value
        super().__init__(name=name)

    def create_sql(self, model, schema_editor):
        quote = schema_editor.quote_name
        table, name, column = (
            quote(model._meta.db_table),
            quote(self.name),
            quote(self.column),
        )
        columns = [quote(model._meta.get_field(field).column) for field in self.fields]
        old, new = (", ".join(f"{row}.{each}" for each in columns) for row in ("OLD", "NEW"))
        return (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
            f"IF OLD.{column} <> '{self.value}' AND (TG_OP = 'DELETE' OR "
            f"({old}) IS DISTINCT FROM ({new})) THEN "
            f"RAISE EXCEPTION 'what was handed out is never changed ({self.name})' "
            "USING ERRCODE = 'restrict_violation'; END IF; "
            "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $body$; "
            f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        )

    def remove_sql(self, model, schema_editor):
        quote = schema_editor.quote_name
        table, name = quote(model._meta.db_table), quote(self.name)
        return f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()"

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        words = {"fields": self.fields, "column": self.column, "value": self.value}
        return path, args, {**kwargs, **words}


def tenant(label, *foreign_keys, grants="SELECT, INSERT, UPDATE, DELETE"):
    """The constraints of every tenant-owned table: isolation, its tenant key, its references."""
    return [
        TenantIsolation(name=f"{label}_isolation", grants=grants),
        UniqueConstraint(fields=["marketplace", "id"], name=f"{label}_tenant_key"),
        *(TenantForeignKey(field=field, name=f"{label}_{field}_is_own") for field in foreign_keys),
    ]


APPEND_ONLY = "SELECT, INSERT"
