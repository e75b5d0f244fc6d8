"""Pages of messages: what the outbox holds, and what was received."""

from functools import partial

from django.contrib.admin import register
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from marketplace import models, outbox
from marketplace.admin.pages import ReadOnlyAdmin, has_chosen
from marketplace.admin_site import HIDDEN


@register(models.OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    comes_from = _("Follow-up work appears here for as long as it waits to be handed over.")
    list_display = ["topic", "created_at", "sent_at", "attempts", "last_error"]
    ordering = ["-created_at"]
    actions = ["replay"]

    @action(description=_("Deliver selected messages once more"), permissions=["replay"])
    def replay(self, request, queryset):
        self.ask_for_each(
            request, queryset, partial(outbox.replay, by=request.user, at=timezone.now())
        )

    def has_replay_permission(self, request):
        return has_chosen() and request.user.has_perm("marketplace.change_outboxmessage")


@register(models.InboxMessage)
class InboxMessageAdmin(ReadOnlyAdmin):
    comes_from = _("Messages appear here once they have been dealt with.")
    section = HIDDEN
    list_display = ["consumer", "message", "received_at"]
    ordering = ["-id"]
