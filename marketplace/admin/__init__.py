"""The admin's manners, in one place: whose rows, who may, and what is only looked at.

The pages are drawn by django-unfold. Other apps take everything about the admin from here, so
that another library, or a new version of it, is a change of this package alone.
"""

from django.contrib.admin import SimpleListFilter, register
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

from marketplace.admin import (  # noqa: F401 (register their pages)
    approvals,
    jobs,
    keys,
    messages,
    people,
    trail,
    webhooks,
)
from marketplace.admin.cells import COLOURS, amount, chip, money_column, named, state_column
from marketplace.admin.marketplaces import choose_marketplace
from marketplace.admin.pages import (
    CappedPaginator,
    ProcessAdmin,
    ReadOnlyAdmin,
    RowsInline,
    TenantAdmin,
)
from marketplace.admin.rules import DraftPartAdmin, VersionedRuleAdmin, usual_start
from marketplace.admin_site import HIDDEN
from marketplace.approval_pages import Problem

__all__ = [
    "COLOURS",
    "HIDDEN",
    "AutocompleteSelectFilter",
    "CappedPaginator",
    "ChoicesDropdownFilter",
    "DraftPartAdmin",
    "DropdownFilter",
    "ModelAdmin",
    "Problem",
    "ProcessAdmin",
    "RangeDateFilter",
    "RangeDateTimeFilter",
    "ReadOnlyAdmin",
    "RelatedDropdownFilter",
    "RowsInline",
    "SimpleListFilter",
    "StackedInline",
    "TabularInline",
    "TenantAdmin",
    "TextInput",
    "Textarea",
    "VersionedRuleAdmin",
    "action",
    "amount",
    "chip",
    "choose_marketplace",
    "display",
    "money_column",
    "named",
    "register",
    "state_column",
    "usual_start",
]
