"""The kinds of pages: rows of a marketplace, those only looked at, those that processes make.

Rows of a marketplace appear once one is chosen. Most of them are written by processes, so most
pages only show; what can be done is an action that calls one process.
"""

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext
from unfold.admin import ModelAdmin, TabularInline

from marketplace import audit, forms, paging, tenancy
from marketplace.refusals import Refused

COUNTED = 10_000  # rows of a list; beyond them a page is found by filters, not by leafing


class CappedPaginator(Paginator):
    """Counts some pages ahead of whoever leafs, so that a list does not slow as history grows."""

    most = COUNTED

    @cached_property
    def count(self):
        return min(self._counted, self.most)

    @cached_property
    def has_more(self) -> bool:
        return self._counted > self.most

    @cached_property
    def _counted(self):
        return self.object_list.order_by()[: self.most + 1].count()


class Placed:
    """What all pages of models share.

    Where a list stands in the sidebar (admin_site.SECTIONS): without a `section` of its own it
    stands under its app's; a low `place` puts it before its neighbours. `comes_from` tells, where
    the list is empty, what fills it. And a form that came back wrong is answered as such.
    """

    section = ""
    place = 50
    comes_from = ""

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        answer = super().changeform_view(request, object_id, form_url, extra_context)
        if request.method == "POST" and (getattr(answer, "context_data", None) or {}).get("errors"):
            answer.status_code = 422
        return answer


class TenantAdmin(Placed, ModelAdmin):
    """A model whose rows a marketplace owns. Without a chosen marketplace it is not there."""

    paginator = CappedPaginator
    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request):
        return has_chosen() and super().has_module_permission(request)

    def has_view_permission(self, request, obj=None):
        return has_chosen() and super().has_view_permission(request, obj)

    def has_add_permission(self, request):
        return has_chosen() and super().has_add_permission(request)

    def has_change_permission(self, request, obj=None):
        return has_chosen() and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return has_chosen() and super().has_delete_permission(request, obj)

    def add_to_rows(self, rows) -> None:
        """Give the rows of one page of the list what its columns ask for, all at once."""

    def get_paginator(self, request, queryset, per_page, *args, **kwargs):
        found = super().get_paginator(request, queryset, per_page, *args, **kwargs)
        asked = request.GET.get(PAGE_VAR, "")
        page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1
        found.most = min(page * per_page + paging.MOST_COUNTED, COUNTED)
        return found

    def get_changelist(self, request, **kwargs):
        add_to_rows = self.add_to_rows

        class Rows(super().get_changelist(request, **kwargs)):
            def get_results(self, request):
                super().get_results(request)
                self.result_list = list(self.result_list)
                add_to_rows(self.result_list)

            @property
            def is_narrowed(self):
                """Whether a search or a filter may have left rows out."""
                return bool(self.query or self.get_filters_params())

        return Rows

    def ask_for_each(self, request, queryset, process):
        """Call `process(row)` for each selected row; tell which were refused, and why."""
        done = 0
        for row in queryset:
            try:
                process(row)
            except Refused as refused:
                self.message_user(request, f"{row}: {refused.text(gettext)}", messages.WARNING)
            else:
                done += 1
        if done:
            self.message_user(request, gettext("%(count)s done.") % {"count": done})

    def page(self, request, template, *, title, **context):
        """A page of our own inside the admin. Its template extends admin/page.html."""
        # What a search or a filter cannot read is no failure: there is nothing to be kept.
        status = forms.status(context.get("form")) if request.method == "POST" else 200
        context |= {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, template, context, status=status)

    def found(self, request, object_id):
        """The row of an address, or 404: of another marketplace's rows none is there.

        Whoever may not look at such rows, or has chosen no marketplace, is refused.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    def list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        form = super().changeform_view
        return self._or_refused(request, form, object_id, form_url, extra_context)

    def delete_view(self, request, object_id, extra_context=None):
        return self._or_refused(request, super().delete_view, object_id, extra_context)

    def _or_refused(self, request, view, *arguments):
        """What the process behind a form refuses is told; nothing is changed then."""
        try:
            return view(request, *arguments)
        except Refused as refused:
            self.message_user(request, refused.text(gettext), messages.ERROR)
            return redirect(self.list_url())

    # Django's own log keeps names of rows beside no marketplace. Ours is the audit trail.

    def log_addition(self, request, obj, message):
        _record("added", request, obj, {})

    def construct_change_message(self, request, form, formsets, add=False):
        return form.changed_data

    def log_change(self, request, obj, message):
        _record("changed", request, obj, {"fields": message})

    def log_deletions(self, request, queryset):
        for obj in queryset:
            _record("deleted", request, obj, {})

    def history_view(self, request, object_id, extra_context=None):
        trail = reverse("admin:marketplace_auditentry_changelist")
        kind = self.opts.label_lower
        return redirect(f"{trail}?object_type={kind}&object_key={object_id}")


class ReadOnlyAdmin(TenantAdmin):
    """Rows that processes write and people look at."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ProcessAdmin(TenantAdmin):
    """Rows that a process makes and ends; in between, some of their fields are edited."""

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class RowsInline(TabularInline):
    """The parts of a row, to look at."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


def has_chosen() -> bool:
    return tenancy.current_id_or_none() is not None


def _record(deed, request, obj, data):
    audit.record(
        f"{obj._meta.model_name}.{deed}", by=request.user, at=timezone.now(), obj=obj, data=data
    )
