"""Seal closed statements: a digest over lines, figures and rules, chained per seller and signed.

A seller's statements are sealed in the order of their due dates, in which they close; whoever
seals holds the seller's balance locked, so a chain has one writer. What is proven, and how, is
told in docs/proof.md.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject

from marketplace import bulk, tenancy
from settlements import proofs, sealed_lines, signing, terms_documents, withholding
from settlements.contracts import Contracts
from settlements.models import SellerBalance, Statement, StatementSeal
from settlements.sealed_lines import Digest

LINES_AT_ONCE = 200_000  # that one query sorts

FIGURES = (
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
    "fee",
    "vat",
    "net",
    "service_net",
    "components",
    "carry_in",
    "released_holds",
    "new_holds",
    "hold_taken",
    "payable",
    "reserve",
    "reserve_released",
    "withholding_income",
    "withholding_local",
    "payout",
    "debt_invoiced",
    "carry_out",
)

# Closed statements behind the last sealed one of each seller. The due date leads the index, so a
# long past costs nothing.
_UNSEALED = """
SELECT s.id
FROM unnest(%(sellers)s::bigint[]) AS r(seller_id)
LEFT JOIN LATERAL (
    SELECT t.due_on FROM settlements_statementseal k
    JOIN settlements_statement t ON t.marketplace_id = %(marketplace)s AND t.id = k.statement_id
    WHERE k.marketplace_id = %(marketplace)s AND k.seller_id = r.seller_id
    ORDER BY k.number DESC LIMIT 1
) last ON true
CROSS JOIN LATERAL (
    SELECT id, seller_id, due_on FROM settlements_statement
    WHERE marketplace_id = %(marketplace)s AND seller_id = r.seller_id AND state <> 'open'
      AND due_on > coalesce(last.due_on, '-infinity'::date)
) s
ORDER BY s.seller_id, s.due_on
"""


def seal_closed(sellers: Collection[int], *, at: datetime) -> dict[int, StatementSeal]:
    """Seal what is closed and not sealed of some sellers; the seals by statement.

    The caller holds the transaction and has locked the sellers' balances.
    """
    parameters = {"marketplace": tenancy.current_id(), "sellers": sorted(sellers)}
    with connection.cursor() as cursor:
        cursor.execute(_UNSEALED, parameters)
        order = [pk for (pk,) in cursor]
    if not order:
        return {}
    found = Statement.objects.select_related("seller").in_bulk(order)
    statements = [found[pk] for pk in order]
    last = _last_seals({statement.seller_id for statement in statements})
    signer, book = signing.signer(at=at), _Book(sellers)
    seals = []
    for batch in _batches(statements):
        for statement, digest in zip(batch, book.digests(batch), strict=True):
            seal = book.sealed(statement, digest, last.get(statement.seller_id), signer)
            last[statement.seller_id] = seal
            seals.append(seal)
    bulk.write(seals)
    return {seal.statement_id: seal for seal in seals}


def seal_all(sellers: Collection[int], *, at: datetime) -> int:
    """Seal what is closed of some sellers, beside nights that may be closing more of theirs.

    The caller holds the transaction. Returns how many statements it sealed.
    """
    rows = SellerBalance.objects.select_for_update().filter(seller_id__in=sellers)
    locked = list(rows.order_by("seller_id").values_list("seller_id", flat=True))
    return len(seal_closed(locked, at=at))


def of(statement: Statement) -> StatementSeal | None:
    """The seal of a statement with its key; None before there is one."""
    return StatementSeal.objects.select_related("key").filter(statement=statement).first()


def with_seal(statements):
    """Give statements of a query `seal`: number, head, key and signature, or None."""
    told = JSONObject(number="number", head="head", key="key__code", signature="signature")
    rows = StatementSeal.objects.filter(statement=OuterRef("pk")).values(told=told)
    return statements.annotate(seal=Subquery(rows[:1]))


def unsealed():
    """Closed statements that have no seal yet."""
    sealed = StatementSeal.objects.values("statement_id")
    return Statement.objects.exclude(state=Statement.State.OPEN).exclude(pk__in=sealed)


def digests(statements: Sequence[Statement]) -> list[Digest]:
    """What the lines of statements come to now, in the order given, computed again from all."""
    return sealed_lines.digests(statements, terms_documents.complete(), again=True)


def figures(statement: Statement) -> dict:
    """The figures of a statement that its seal is about."""
    return {name: getattr(statement, name) for name in FIGURES}


class _Book:
    """What the documents of many statements share."""

    def __init__(self, sellers: Collection[int] = ()):
        self._market = tenancy.current()
        self._terms = terms_documents.complete()
        self._of_label = {proofs.label(digest): digest for digest in self._terms.values()}
        self._contracts = Contracts(
            first_seller=min(sellers, default=0),
            end_seller=max(sellers, default=0) + 1,
            only=sellers,
        )

    def digests(self, statements: Sequence[Statement]) -> list[Digest]:
        return sealed_lines.digests(statements, self._terms)

    def sealed(
        self,
        statement: Statement,
        digest: Digest,
        before: StatementSeal | None,
        signer: signing.Signer,
    ) -> StatementSeal:
        terms = self._contracts.payout_terms(statement.seller_id, statement.due_on)
        past = json.loads(before.document)["figures"] if before else {}
        taxed = withholding.withhold(statement.service_net, past.get("base_carried", 0))
        document = proofs.of_statement(
            facts={
                "seller": statement.seller.code,
                "due_on": statement.due_on.isoformat(),
                "closed_on": statement.closed_on.isoformat(),
                "currency": self._market.currency,
                "currency_exponent": self._market.currency_exponent,
            },
            figures={
                **figures(statement),
                "debt_settled": statement.carry_in - past.get("carry_out", 0),
                "base_carry_in": past.get("base_carried", 0),
                "base_carried": withholding.carried(taxed, is_paid=statement.payout > 0),
            },
            lines=digest.lines,
            lines_digest=digest.sha256,
            terms_digests=(
                self._of_label.get(label, "") for label in digest.labels - {sealed_lines.NO_TERMS}
            ),
            payout_terms=proofs.of_payout_terms(
                terms.due,
                minimum_payout=terms.minimum_payout,
                reserve_ppm=terms.reserve_ppm,
            ),
            number=before.number + 1 if before else 1,
            previous_head=before.head if before else proofs.NO_HEAD,
        )
        text = proofs.canonical(document)
        head = proofs.digest(text)
        return StatementSeal(
            statement=statement,
            seller_id=statement.seller_id,
            number=document["number"],
            document=text,
            head=head,
            key=signer.key,
            signature=signer.sign(head),
        )


def _last_seals(sellers: Iterable[int]) -> dict[int, StatementSeal]:
    """The newest seal of each seller; nothing for one whose chain begins."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.id FROM unnest(%s::bigint[]) AS r(seller_id) CROSS JOIN LATERAL ("
            " SELECT id FROM settlements_statementseal"
            " WHERE marketplace_id = %s AND seller_id = r.seller_id"
            " ORDER BY number DESC LIMIT 1) k",
            [sorted(sellers), tenancy.current_id()],
        )
        keys = [key for (key,) in cursor]
    return {seal.seller_id: seal for seal in StatementSeal.objects.filter(pk__in=keys)}


def _batches(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """Statements in order, as many at once as a query should sort the lines of."""
    batch: list[Statement] = []
    lines = 0
    for statement in statements:
        if batch and lines + statement.lines > LINES_AT_ONCE:
            yield batch
            batch, lines = [], 0
        batch.append(statement)
        lines += statement.lines
    if batch:
        yield batch
