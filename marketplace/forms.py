"""Forms that come back: what a refusal means for them, and how such a page is answered."""

from django.forms import BaseForm
from django.utils.translation import gettext

from marketplace.refusals import Refused


def show(form: BaseForm, refused: Refused, **fields: str) -> None:
    """Put a refusal beside the field that it names, or over the form.

    `fields` says which field of the form is meant where the refusal calls it otherwise.
    """
    named = str(refused.params.get("field", ""))
    field = fields.get(named, named)
    form.add_error(field if field in form.fields else None, refused.text(gettext))


def status(form: BaseForm | None) -> int:
    """How a page with this form is answered: one that came back wrong is no success.

    Browsers and htmx show it all the same.
    """
    return 422 if form is not None and form.is_bound and form.errors else 200
