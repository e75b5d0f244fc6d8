"""What a seller keeps to check statements with: the heads of all of them, and the program."""

import csv
import io

from django.conf import settings

from sellers.models import Seller
from settlements.models import StatementSeal

CSV = "text/csv; charset=utf-8"
SCRIPT = "text/x-python; charset=utf-8"
HEAD_COLUMNS = ("number", "due_on", "closed_on", "head", "key", "signature")


def heads(seller: Seller) -> bytes:
    """The chain of a seller as CSV, the first statement first; `--head` of the program takes it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD_COLUMNS)
    rows = StatementSeal.objects.filter(seller=seller).order_by("number")
    writer.writerows(
        rows.values_list(
            "number",
            "statement__due_on",
            "statement__closed_on",
            "head",
            "key__code",
            "signature",
        )
    )
    return out.getvalue().encode()


def verifier() -> bytes:
    """The program that checks bundles, as it stands in the project's documents."""
    return (settings.BASE_DIR / "docs" / "verify_statement.py").read_bytes()
