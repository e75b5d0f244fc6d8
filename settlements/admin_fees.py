"""Fees in the admin: a draft made from a version, edited, compared, tried out, and asked for."""

import tempfile
from pathlib import Path

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import (
    DraftPartAdmin,
    Problem,
    ProcessAdmin,
    RelatedDropdownFilter,
    SimpleListFilter,
    VersionedRuleAdmin,
    action,
    display,
    named,
    register,
)
from marketplace.refusals import Refused
from settlements import (
    admin_forms,
    admin_rehearsals,
    fee_letters,
    fee_publishing,
    fee_trials,
    ledger,
    models,
    percents,
    rate_cards,
    rule_words,
    schedule_comparison,
    schedule_files,
    schedule_import,
)

SHOWN_PROBLEMS = 100
_WHAT = {
    schedule_comparison.CHANGED: _("Changed"),
    schedule_comparison.ADDED: _("Added"),
    schedule_comparison.REMOVED: _("Removed"),
    schedule_comparison.MOVED: _("Only moved"),
}


@register(models.FeeSchedule)
class FeeScheduleAdmin(ProcessAdmin):
    comes_from = _("Fee schedules come with the preset; more are added here.")
    place = 30
    section = "rules"
    list_display = ["named", "notice_days"]
    ordering = ["code"]
    readonly_fields = ["code"]

    @display(description=_("name"), ordering="name")
    def named(self, schedule):
        return named(schedule.name, schedule.code)


@register(models.FeeScheduleVersion)
class FeeScheduleVersionAdmin(VersionedRuleAdmin):
    """Versions of fees. Their rules are a list of their own: there are tens of thousands."""

    place = 10
    form = admin_forms.FeeScheduleVersionForm
    list_display = ["schedule", *VersionedRuleAdmin.list_display]
    list_select_related = ["schedule"]
    readonly_fields = ["schedule", "sellers_told", *VersionedRuleAdmin.readonly_fields]
    actions_list = ["import_file"]
    actions_detail = ["rules", "compare", "try_out", "examine", "rehearse", "ask_for_one"]
    asking_form = admin_forms.PublicationForm

    def problems(self, version) -> list[Problem]:
        return [*self._findings(version), *_notice(version)]

    def _findings(self, version) -> list[Problem]:
        findings = rate_cards.read_schedule(version).check()[:SHOWN_PROBLEMS]
        ids = {key for found in findings for key in found.rule_ids}
        ranks = dict(models.FeeRule.objects.filter(pk__in=ids).values_list("pk", "rank"))
        names = ledger.component_names()
        return [
            Problem(rule_words.finding(found, ranks, names), found.forbids) for found in findings
        ]

    def get_fields(self, request, obj=None):
        """A published version says names and percentages; a draft's fields are edited."""
        fields = super().get_fields(request, obj)
        if self.has_change_permission(request, obj):
            return [name for name in fields if name != "sellers_told"]
        named = {"components": "named_components", "vat_rate_ppm": "vat_rate"}
        return [named.get(name, name) for name in fields]

    @display(description=_("letters to sellers"))
    def sellers_told(self, version):
        """How many sellers were told of the version, and when."""
        told = fee_letters.told(version)
        if not told.sellers:
            return _("Nobody is told of a draft, or of the first version of a schedule.")
        lines = [
            gettext("Told: %(sent)s of %(all)s")
            % {"sent": told.sent, "all": told.sellers - told.unconcerned},
            gettext("Not concerned: %(count)s") % {"count": told.unconcerned},
        ]
        if told.unmailed:
            lines.append(gettext("Not mailed: %(count)s") % {"count": told.unmailed})
        if told.waiting:
            lines.append(gettext("Still to be told: %(count)s") % {"count": told.waiting})
        if told.first_at:
            moments = [timezone.localtime(at, version.marketplace.tz) for at in _span(told)]
            lines.append(gettext("Sent: %(when)s") % {"when": " – ".join(map(_shown, moments))})
        trouble = ""
        if told.in_trouble:
            text = gettext("Letters in trouble: %(count)s") % {"count": told.in_trouble}
            page = reverse("admin:settlements_sellerletter_changelist")
            trouble = format_html(
                '<div><a href="{}?state__in=failed,unknown">{}</a></div>', page, text
            )
        shown = format_html_join("", "<div>{}</div>", ((line,) for line in lines))
        return format_html("{}{}", shown, trouble)

    @display(description=_("VAT rate"))
    def vat_rate(self, version):
        return percents.show(version.vat_rate_ppm)

    @display(description=_("components"))
    def named_components(self, version):
        names = ledger.component_names()
        shown = ((named(names.get(code, code), code),) for code in version.components)
        return format_html_join("", "<div>{}</div>", shown)

    @action(description=_("Rules of this version"), url_path="rules", permissions=["view"])
    def rules(self, request, object_id):
        version = self.found(request, object_id)
        address = reverse("admin:settlements_feerule_changelist")
        return HttpResponseRedirect(f"{address}?version__id__exact={version.pk}")

    @action(
        description=_("Compare with the live version"), url_path="compare", permissions=["view"]
    )
    def compare(self, request, object_id):
        version = self.found(request, object_id)
        live = schedule_comparison.live(version)
        what = request.GET.get("what", schedule_comparison.CHANGED)
        what = what if what in _WHAT else schedule_comparison.CHANGED
        number = request.GET.get("page", "1")
        number = max(int(number), 1) if number.isdecimal() and len(number) < 6 else 1
        counts, rows, is_more = {}, [], False
        names = ledger.component_names()
        if live is not None:
            counts = schedule_comparison.counts(live, version)
            rows, is_more = schedule_comparison.page(live, version, what, number=number)
        return self.page(
            request,
            "settlements/admin_compare.html",
            title=gettext("Compare fees"),
            version=version,
            live=live,
            kinds=[(kind, name, counts.get(kind, 0)) for kind, name in _WHAT.items()],
            what=what,
            rows=[_side_by_side(row, names) for row in rows],
            number=number,
            is_more=is_more,
            vat_before=percents.show(live.vat_rate_ppm) if live else "",
            vat_after=percents.show(version.vat_rate_ppm),
        )

    @action(description=_("Check"), url_path="check", permissions=["view"])
    def examine(self, request, object_id):
        version = self.found(request, object_id)
        return self.page(
            request,
            "settlements/admin_check.html",
            title=gettext("Check fees"),
            version=version,
            problems=self._findings(version),
        )

    @action(description=_("Rehearse"), url_path="rehearse", permissions=["view"])
    def rehearse(self, request, object_id):
        return admin_rehearsals.show(self, request, self.found(request, object_id))

    @action(description=_("Try out"), url_path="try", permissions=["view"])
    def try_out(self, request, object_id):
        version = self.found(request, object_id)
        live = schedule_comparison.live(version)
        initial = {"on": version.valid_from, "quantity": 1, "stream": "goods"}
        form = admin_forms.LineForm(
            request.GET or None, initial=initial, versions=[row for row in (live, version) if row]
        )
        trials = []
        names = ledger.component_names()
        if form.is_valid():
            sides = [(gettext("In force"), live), (gettext("This version"), version)]
            trials = [
                _tried(name, side, form.cleaned_data, names)
                for name, side in sides
                if side is not None
            ]
        return self.page(
            request,
            "settlements/admin_try.html",
            title=gettext("Try fees out"),
            version=version,
            form=form,
            trials=trials,
            difference=trials[1]["trial"].net - trials[0]["trial"].net if len(trials) > 1 else None,
        )

    @action(description=_("Import a file"), url_path="import", permissions=["ask"])
    def import_file(self, request):
        form = admin_forms.ScheduleFileForm(request.POST or None, request.FILES or None)
        problems = []
        if form.is_valid():
            try:
                imported = _imported(request, form.cleaned_data)
            except schedule_files.FileRefused as refused:
                problems = refused.problems
                form.add_error("file", refused.text(gettext))
            except Refused as refused:
                refusals.show(form, refused)
            else:
                told = {"rules": imported.rules, "categories": imported.categories}
                messages.success(
                    request,
                    gettext("Drafted: %(rules)s rules in %(categories)s categories.") % told,
                )
                name = "admin:settlements_feescheduleversion_compare"
                return HttpResponseRedirect(reverse(name, args=[imported.version.pk]))
        return self.page(
            request,
            "settlements/admin_import.html",
            title=gettext("Import fees from a file"),
            form=form,
            problems=[
                {"row": problem.row, "column": problem.column, "reason": _reason(problem)}
                for problem in problems[:SHOWN_PROBLEMS]
            ],
            count=len(problems),
        )


class ComponentFilter(SimpleListFilter):
    title = _("component")
    parameter_name = "component"

    def lookups(self, request, model_admin):
        return sorted(ledger.fee_names().items(), key=lambda row: row[1])

    def queryset(self, request, queryset):
        return queryset.filter(component=self.value()) if self.value() else queryset


@register(models.FeeRule)
class FeeRuleAdmin(DraftPartAdmin):
    """Rules of all versions and contracts; reached from one, whose rules alone are then listed."""

    comes_from = _("Rules belong to a version of a fee schedule. Add them to a draft.")
    place = 20
    form = admin_forms.FeeRuleForm
    section = "rules"
    part_of = ("version", "contract")
    autocomplete_fields = ["category", "seller"]
    list_filter = [("version", RelatedDropdownFilter), ComponentFilter]
    list_filter_submit = True
    list_display = ["rank", "named_component", "holds_for", "charges", "holds_on", "version"]
    list_display_links = ["rank", "named_component"]
    list_select_related = ["version", "contract", "category", "seller"]
    ordering = ["-version", "component", "rank"]

    def add_to_rows(self, rows):
        names = ledger.component_names()
        for rule in rows:
            rule.component_name = names.get(rule.component, rule.component)

    @display(description=_("component"), ordering="component")
    def named_component(self, rule):
        return rule.component_name

    @display(description=_("holds for"))
    def holds_for(self, rule):
        return ", ".join(rule_words.conditions(rule)) or _("all lines")

    @display(description=_("charges"))
    def charges(self, rule):
        return format_html('<span class="figure">{}</span>', rule_words.charge(rule))

    @display(description=_("days"))
    def holds_on(self, rule):
        return rule_words.days(rule)


@register(models.SettlementTerms)
class SettlementTermsAdmin(VersionedRuleAdmin):
    place = 35
    form = admin_forms.SettlementTermsForm


def _span(told) -> list:
    """The moments of the first and of the last letter; one where they are the same."""
    return sorted(
        {
            told.first_at.replace(second=0, microsecond=0),
            told.last_at.replace(second=0, microsecond=0),
        }
    )


def _shown(moment) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _notice(version) -> list[Problem]:
    """Whether it was rehearsed, and whether sellers would have their notice."""
    problems = []
    if (told := admin_rehearsals.told(version)) is not None:
        problems.append(Problem(told, forbids=False))
    try:
        fee_publishing.ensure_notice(version, at=timezone.now())
    except Refused as refused:
        problems.append(Problem(refused.text(gettext), forbids=True))
    return problems


def _side_by_side(row, names) -> dict:
    """A difference as the page shows it, with what of it is not the same on both sides."""
    sides = {}
    for side, rule in (("before", row.before), ("after", row.after)):
        told = None
        if rule is not None:
            told = {
                "pk": rule.pk,
                "rank": rule.rank,
                "charge": rule_words.charge(rule),
                "days": rule_words.days(rule),
            }
        sides[side] = told
    before, after = sides["before"], sides["after"]
    has_both = before and after
    return {
        "component": names.get(row.rule.component, row.rule.component),
        "conditions": rule_words.conditions(row.rule),
        **sides,
        "charge_differs": bool(has_both and before["charge"] != after["charge"]),
        "days_differ": bool(has_both and before["days"] != after["days"]),
    }


def _tried(name, version, line, names) -> dict:
    trial = fee_trials.run(version, line)
    parts = [(names.get(part.component, part.component), part) for part in trial.components]
    return {"name": name, "version": version, "trial": trial, "parts": parts}


def _reason(problem) -> str:
    return gettext(schedule_files.REASONS[problem.code]) % dict(problem.values)


def _imported(request, given) -> schedule_import.Imported:
    """Draft a version from an uploaded file; the process reads it from a file of its own name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.csv"
        with path.open("wb") as out:
            for part in given["file"].chunks():
                out.write(part)
        return schedule_import.import_file(
            path,
            mapping=schedule_files.load_mapping(given["mapping"]),
            schedule=given["schedule"].code,
            valid_from=given["valid_from"],
            by=request.user,
            at=timezone.now(),
        )
