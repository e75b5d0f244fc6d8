"""What a refusal means for a form: the field that is to be mended, and nothing typed is lost."""

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
