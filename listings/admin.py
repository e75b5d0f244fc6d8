from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from listings import finding_words, kind_words, models, policy, reviewing
from marketplace import forms as refusals
from marketplace.admin import (
    ProcessAdmin,
    ReadOnlyAdmin,
    SimpleListFilter,
    VersionedRuleAdmin,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.refusals import Refused
from marketplace.story_pages import SHOWN, Decision, RemarkForm, StoryAdmin

ListingState, RevisionState = models.Listing.State, models.Revision.State


@register(models.Category)
class CategoryAdmin(ProcessAdmin):
    """The tree, as it is: each category below the one that it belongs to."""

    comes_from = _("Categories come with the preset; more are added here.")
    list_display = ["in_tree", "code", "parent"]
    list_select_related = ["parent"]
    ordering = ["path"]
    readonly_fields = ["code", "parent", "path"]
    search_fields = ["code__exact", "name"]

    @display(description=_("name"))
    def in_tree(self, category):
        return "\u2003" * (len(category.path) - 1) + category.name


@register(models.Listing)
class ListingAdmin(StoryAdmin):
    """Listings with all their revisions; what is on sale may be taken down and restored."""

    comes_from = _("Sellers list on the seller centre or through the API.")
    place = 10
    story_template = "listings/admin/listing.html"
    list_display = ["code", "title", "seller", "named_kind", state_column()]
    list_filter = ["state"]
    list_select_related = ["seller", "live_revision"]
    ordering = ["-id"]
    search_fields = ["code__exact", "public_id__exact"]
    search_help_text = _("Exact code or public id.")
    decisions = {
        "take-down": Decision(
            name=_("Take down"),
            explanation=_("Buyers no longer see it until the platform restores it."),
            process=reviewing.take_down,
            offered=lambda listing: (
                listing.state in (ListingState.ON_SALE, ListingState.PAUSED_BY_SELLER)
            ),
            is_grave=True,
            done=_("The listing was taken down."),
        ),
        "restore": Decision(
            name=_("Restore"),
            explanation=_("It is on sale again, or paused where its seller had paused it."),
            process=reviewing.restore,
            form=RemarkForm,
            offered=lambda listing: listing.state == ListingState.SUSPENDED_BY_PLATFORM,
            done=_("The stop is lifted."),
        ),
    }

    @display(description=_("kind"))
    def named_kind(self, listing):
        return kind_words.name(listing.kind)

    @display(description=_("title"))
    def title(self, listing):
        return listing.live_revision.title if listing.live_revision else "-"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "live_revision__category")

    def tell(self, request, row):
        revisions = row.revisions.annotate(found=Count("findings")).order_by("-number")
        return {
            "revisions": list(revisions[:SHOWN]),
            "live": row.live_revision,
            "kind": kind_words.name(row.kind),
        }


class ReviewFilter(SimpleListFilter):
    """Without any choice the list is the queue of reviews, the longest wait first."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request, model_admin):
        return [("waiting", _("Awaiting review")), ("all", _("All"))]

    def choices(self, changelist):
        return list(super().choices(changelist))[1:]  # without Django's own "all"

    def queryset(self, request, queryset):
        if _shows_queue(request):
            return queryset.filter(state=RevisionState.SUBMITTED)
        return queryset


def _shows_queue(request) -> bool:
    chosen = request.GET.get("queue")
    if chosen is not None:
        return chosen == "waiting"
    return not request.GET.keys() - {"p", "o"}


@register(models.Revision)
class RevisionAdmin(StoryAdmin):
    """What sellers have handed in, with what policy found in it, to publish or to send back."""

    comes_from = _("Each text that a seller hands in for review becomes a revision here.")
    place = 20
    story_template = "listings/admin/revision.html"
    list_display = [
        "title",
        "seller",
        "listing",
        money_column("unit_price", _("price")),
        "found",
        "submitted_at",
        state_column(),
    ]
    list_filter = [ReviewFilter, "state"]
    list_select_related = ["listing__seller"]
    decisions = {
        "publish": Decision(
            name=_("Publish"),
            explanation=_("It is checked once more and becomes what buyers see."),
            process=reviewing.publish,
            form=forms.Form,
            offered=lambda revision: revision.state == RevisionState.SUBMITTED,
            done=_("The revision is published."),
        ),
        "send-back": Decision(
            name=_("Send back"),
            explanation=_("The seller changes what you ask for and hands it in again."),
            process=reviewing.send_back,
            offered=lambda revision: revision.state == RevisionState.SUBMITTED,
            is_grave=True,
            done=_("The revision was sent back."),
        ),
    }

    def get_ordering(self, request):
        waits = request.GET.get("state__exact") == RevisionState.SUBMITTED
        return ["submitted_at", "id"] if waits or _shows_queue(request) else ["-id"]

    def add_to_rows(self, rows):
        found = models.Finding.objects.filter(revision__in=[row.pk for row in rows])
        counts = dict(found.values_list("revision").annotate(Count("pk")))
        for row in rows:
            row.findings_count = counts.get(row.pk, 0)

    @display(description=_("findings"))
    def found(self, revision):
        return revision.findings_count

    @display(description=_("seller"))
    def seller(self, revision):
        return revision.listing.seller

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("listing__seller", "category")

    def tell(self, request, row):
        findings = list(row.findings.select_related("pack").order_by("field", "start", "pk"))
        rules: dict[str, policy.Rule] = {}
        for pack in {finding.pack_id: finding.pack for finding in findings}.values():
            rules |= reviewing.rules_of(pack)
        in_field = {name: [f for f in findings if f.field == name] for name in policy.FIELDS}
        return {
            "title_segments": finding_words.segments(row.title, in_field["title"]),
            "text_segments": finding_words.segments(row.description, in_field["description"]),
            "told": finding_words.tell(findings, rules),
        }


class TryOutForm(forms.Form):
    """A text to try a pack against. Nothing of it is kept."""

    title = forms.CharField(label=_("title"), max_length=300, required=False)
    description = forms.CharField(
        label=_("description"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    category = forms.CharField(
        label=_("category"), max_length=300, required=False, help_text=_("Its code.")
    )

    def clean_category(self):
        code = self.cleaned_data["category"].strip()
        if not code:
            return None
        category = models.Category.objects.filter(code=code).first()
        if category is None:
            raise forms.ValidationError(_("There is no category with this code."))
        return category


@register(models.PolicyPack)
class PolicyPackAdmin(VersionedRuleAdmin):
    """Policy packs, to read rule by rule and to try a text against before they are published."""

    list_display = [*VersionedRuleAdmin.list_display, "read"]

    def get_urls(self):
        read = self.admin_site.admin_view(self.read_view)
        return [path("<int:pk>/read/", read, name="listings_policypack_read"), *super().get_urls()]

    @display(description=_("rules"))
    def read(self, pack):
        address = reverse("admin:listings_policypack_read", args=[pack.pk])
        return format_html('<a href="{}">{}</a>', address, gettext("Read and try out"))

    def read_view(self, request, pk):
        pack = self.get_object(request, str(pk))
        if not self.has_view_permission(request, pack):
            raise PermissionDenied
        if pack is None:
            raise Http404
        form = TryOutForm(request.POST or None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": pack,
            "row": pack,
            "title": str(pack),
            "form": form,
            **_rules(pack),
        }
        if "refusal" not in context and form.is_valid():
            context |= _tried(pack, form.cleaned_data)
        answered = refusals.status(form)
        return TemplateResponse(request, "listings/admin/pack.html", context, status=answered)


def _rules(pack: models.PolicyPack) -> dict:
    try:
        rules = policy.parse(pack.body, f"{pack}:").rules
    except Refused as refused:  # a draft that cannot be read yet
        return {"refusal": refused.text(gettext)}
    return {
        "rules": [
            (rule, ", ".join(sorted(rule.categories)), ", ".join(sorted(rule.except_categories)))
            for rule in rules
        ]
    }


def _tried(pack: models.PolicyPack, said: dict) -> dict:
    texts = {name: said[name] for name in policy.FIELDS}
    found = reviewing.try_out(pack, texts, said["category"])
    return {
        "tried": True,
        "found": found,
        "title_segments": finding_words.segments(
            texts["title"], [f for f in found if f.field == "title"]
        ),
        "text_segments": finding_words.segments(
            texts["description"], [f for f in found if f.field == "description"]
        ),
    }


@register(models.Finding)
class FindingAdmin(ReadOnlyAdmin):
    comes_from = _("The policy check writes a finding for each rule that a text breaks.")
    place = 30
    list_display = ["rule", "severity", "field", "evidence", "revision"]
    list_filter = ["severity"]
    list_select_related = ["revision"]
    ordering = ["-id"]
