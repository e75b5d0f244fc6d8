"""How long things may stay as they are before a night tells of them, in the admin."""

from marketplace.admin import VersionedRuleAdmin, register
from settlements import models


@register(models.SentinelPolicy)
class SentinelPolicyAdmin(VersionedRuleAdmin):
    """The last deadline of each state; the night of each day goes by the version of that day."""

    place = 37
