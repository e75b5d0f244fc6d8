"""Small parts that every page is made of: {% icon "home" %} and {{ field|control }}."""

from django import forms, template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext

from marketplace import imprints, paging, tenancy

register = template.Library()

_TICKS = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple)


@register.simple_tag
def icon(name: str):
    """A drawing of the sprite, hidden from screen readers: the text beside it says the same."""
    return format_html(
        '<svg class="icon" width="24" height="24" aria-hidden="true">'
        '<use href="{}#{}"></use></svg>',
        static("vendor/tabler-icons/sprite.svg"),
        name,
    )


@register.simple_tag
def imprint_of_today() -> imprints.Imprint | None:
    """Who runs the marketplace in use today; nobody where none is in use."""
    if tenancy.current_id_or_none() is None:
        return None
    today = timezone.localdate(timezone=tenancy.current().tz)
    return imprints.of(imprints.identity_of(today))


@register.filter
def age(moment) -> str:
    """How long ago something was, in its two largest units: "5 hours 3 minutes"."""
    return timesince(moment).replace(gettext(", "), " ")


@register.filter
def thousands(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


@register.filter
def counted(count: int) -> str:
    """How many wait, as far as they were counted."""
    return paging.counted(count)


@register.filter
def control(field):
    """The form field's own widget in our look, marked when it was wrong.

    Without a placeholder: it would vanish as soon as somebody types; labels and help stay.
    """
    widget = field.field.widget
    if isinstance(widget, _TICKS):
        kind = "form-check-input"
    elif isinstance(widget, forms.Select):
        kind = "form-select"
    else:
        kind = "form-control"
    classes = [widget.attrs.get("class", ""), kind, "is-invalid" if field.errors else ""]
    return field.as_widget(attrs={"class": " ".join(filter(None, classes)), "placeholder": False})


@register.filter
def choice_control(choice):
    """One tick of a field of many, in our look."""
    choice.data["attrs"]["class"] = "form-check-input"
    return choice.tag()


@register.filter
def is_tick(field) -> bool:
    return isinstance(field.field.widget, forms.CheckboxInput)


@register.filter
def is_choice_of_many(field) -> bool:
    return isinstance(field.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
