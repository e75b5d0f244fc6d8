"""Events and outcomes of webhooks, in words."""

from django import template

from marketplace.webhooks import words

register = template.Library()
register.filter("event", words.event)
register.filter("outcome", words.outcome)
