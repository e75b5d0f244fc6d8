"""A world whose every text was written by somebody who means harm, and eyes for what came of it.

Rows are rewritten in place by the owner, rules that freeze them set aside, in a transaction that
the test undoes. The codes below are left alone: they are chosen from a list, made by the system
or checked by a format before they are stored, and pages look things up by them.
"""

import json
import re
from html.parser import HTMLParser

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from psycopg import sql

from marketplace.models import Marketplace, TenantModel, User
from marketplace.sealing import SealedField

MARK = "zq"
LONGEST = 600  # letters of a word without an end
LONGEST_NAME = 60  # in a document such as a policy

# Follows what the caller lets each text begin with; where a column is short, it is cut off.
_COMMON = (
    '"><zq zq="1" onclick="zq()">z{{7*7}}q{% zq %}${7*7}%(zq)s%</script></textarea></title>'
    "<script>zq()</script>\u202e\u0007&quot;"
)

CODES = {
    "marketplace.Approval": {"kind", "object_type", "object_key", "fingerprint"},
    "marketplace.AuditEntry": {"action", "object_type", "object_key"},
    "marketplace.AuditSeal": {"previous_hash", "hash"},
    "marketplace.AuditSealMember": {"hash"},
    "marketplace.CalendarVersion": {"country"},
    "marketplace.Change": {"type", "object_id"},
    "marketplace.OutboxMessage": {"topic"},
    "marketplace.InboxMessage": set(),
    "marketplace.JobRun": {"kind", "key"},
    "marketplace.ApiKey": {"code", "seller", "digest", "last_four"},
    "marketplace.IdempotencyKey": {"holder", "fingerprint"},
    "marketplace.WebhookDelivery": {"message_id", "type", "last_outcome"},
    "marketplace.WebhookAttempt": {"outcome"},
    "marketplace.User": {"password"},
    "marketplace.LegalIdentity": {"business_number"},  # checked before it stands on an invoice
    "marketplace.Marketplace": {"slug", "currency", "zone", "locale", "preset"},
    "sellers.BankAccount": {"ending"},
    "sellers.ProjectedGrade": {"grade"},
    "sellers.OfficialGrade": {"grade"},
    "listings.Listing": {"kind"},
    "listings.Finding": {"field"},
    "orders.OrderLine": {"stream", "listing_kind", "channel", "seller_type"},
    "orders.Outcome": {"cause"},
    "orders.Shipment": {"carrier"},
    "settlements.Account": {"code"},
    "settlements.Journal": {"template", "reference"},
    "settlements.FeeSchedule": {"code"},
    "settlements.ManualJournal": {"public_id"},
    "settlements.Discrepancy": {"public_id", "account"},
    "settlements.LedgerDifference": {"account"},
    "settlements.MissingFile": {"provider"},
    "settlements.ProviderFile": {"public_id", "provider", "digest"},
    "settlements.BankFile": {"public_id", "digest"},
    "settlements.DayClose": {"seen_hash"},
    "settlements.PeriodClosing": {"previous_hash", "hash"},
    "settlements.SignedSheet": {"previous_hash", "hash"},
    "settlements.ProviderRow": {"provider"},
    "settlements.FeeRule": {
        "component", "stream", "listing_kind", "channel", "seller_type", "grade", "base",
        "band_kind", "band_basis",
    },
    "settlements.DeadlineGuard": {"pack"},
    "settlements.SigningKey": {"code", "public_half"},
    "settlements.StatementSeal": {"document", "head", "signature"},
}  # fmt: skip
# Of data, the texts under these keys are people's words; what is below the others is a code.
# Filled in even where nothing was written; elsewhere what is empty has to stay it.
FILLED = {
    "listings.Revision.description",
    "settlements.SettlementTerms.note",
    "marketplace.User.name",
}
WORDS = {"name", "note", "reason", "text", "message", "title", "label", "remedy", "subject"}
EVERY_WORD = {"marketplace.AuditEntry", "marketplace.Approval", "marketplace.WebhookDelivery"}


def poison(beginning: str) -> list[str]:
    """Rewrite every text of every table; returns the fields, each of which its own text names."""
    told = []
    with connections["owner"].cursor() as cursor:
        tables = [model for model in apps.get_models() if _is_ours(model)]
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE"
        )  # a table with checks to come is not altered
        for model in tables:
            cursor.execute(f'ALTER TABLE "{model._meta.db_table}" DISABLE TRIGGER USER')
        for model in tables:
            told += _poison(cursor, model, beginning)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    return told


def _is_ours(model) -> bool:
    return issubclass(model, TenantModel) or model in (User, Marketplace)


def _poison(cursor, model, beginning: str) -> list[str]:
    label = model._meta.label
    texts = [field for field in model._meta.concrete_fields if _is_text(label, field)]
    changes, values = [], []
    for field in texts:
        length = field.max_length or len(beginning + _COMMON) + LONGEST
        text = f"{beginning}{MARK}.{label}.{field.name}{_COMMON}" + "W" * LONGEST
        # What is unique stays it by its number at the end.
        changes.append(
            sql.SQL(
                "{0} = CASE WHEN {0} = '' AND NOT %s THEN '' ELSE left(%s, %s - length(id::text)) "
                "|| id::text END"
            ).format(sql.Identifier(field.column))
        )
        is_filled = f"{label}.{field.name}" in FILLED
        values += [is_filled, text, min(length, len(text))]
    if changes:
        table = sql.Identifier(model._meta.db_table)
        statement = sql.SQL("UPDATE {} SET {}").format(table, sql.SQL(", ").join(changes))
        cursor.execute(statement, values)
    for field in model._meta.concrete_fields:
        if isinstance(field, models.JSONField):
            _poison_data(cursor, model, field, (beginning + _COMMON)[:LONGEST_NAME])
    return [f"{label}.{field.name}" for field in texts]


def _is_text(label: str, field) -> bool:
    return (
        isinstance(field, models.CharField | models.TextField)
        and not isinstance(field, ArrayField | SealedField)
        and not field.choices
        and field.name not in CODES.get(label, ())
        and field.name != "public_id"
    )


def _poison_data(cursor, model, field, text: str) -> None:
    table, column = model._meta.db_table, field.column
    cursor.execute(f'SELECT id, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
    rewritten = []
    for key, data in cursor.fetchall():
        data = json.loads(data) if isinstance(data, str) else data
        every = model._meta.label in EVERY_WORD
        if (changed := _rewritten(data, text, every)) != data:
            rewritten.append((json.dumps(changed), key))
    cursor.executemany(f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s', rewritten)


def _rewritten(data, text: str, is_word: bool):
    if isinstance(data, dict):
        return {
            key: _rewritten(value, text, is_word or key in WORDS) for key, value in data.items()
        }
    if isinstance(data, list):
        return [_rewritten(value, text, is_word) for value in data]
    return text if is_word and isinstance(data, str) else data


class Eyes(HTMLParser):
    """Collects from a page what a hostile text has become: anything but text."""

    _ADDRESSES = ("href", "src", "action", "formaction", "data", "srcdoc", "poster", "srcset")
    _EVALUATED = ("x-", "@", ":", "on", "hx-on", "hx-vals", "hx-vars", "hx-headers", "style")

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._script: str | None = None

    def handle_starttag(self, tag, attributes):
        if MARK in tag:
            self.found.append(f"an element <{tag}>")
        for name, value in attributes:
            value = value or ""
            if MARK in name:
                self.found.append(f"an attribute of <{tag}>: {name}")
            if name.startswith(self._EVALUATED) and MARK in value:
                self.found.append(f"<{tag} {name}> would run {value[:60]!r}")
            scheme = re.sub(r"[\x00-\x20]", "", value).lower()
            if (name in self._ADDRESSES or name.startswith("hx-")) and scheme.startswith(
                ("javascript:", "vbscript:", "data:text")
            ):
                self.found.append(f"<{tag} {name}> leads to {value[:60]!r}")
        if tag == "script":
            self._script = dict(attributes).get("type") or "text/javascript"

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script is not None and "json" not in self._script and MARK in data:
            self.found.append(f"a text in a script: {data[:60]!r}")


def complaints(html: str) -> list[str]:
    """What on a page a hostile text has become."""
    eyes = Eyes()
    eyes.feed(html)
    if "z49q" in html:
        eyes.found.append("an expression was evaluated")
    return eyes.found


def runs(cell: object) -> bool:
    """Whether a spreadsheet would run the text of a cell."""
    text = str(cell)
    is_number = re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
    return text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) and not (
        is_number
    )
