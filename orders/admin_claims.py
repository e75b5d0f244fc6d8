"""Claims in the admin: the queue, each claim's page, and what is decided there."""

from dataclasses import asdict

from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from marketplace.admin import (
    HIDDEN,
    ReadOnlyAdmin,
    SimpleListFilter,
    chip,
    display,
    register,
    state_column,
)
from marketplace.story_pages import Decision, ReasonForm, RemarkForm, StoryAdmin
from orders import (
    arbitrating,
    claim_deadlines,
    claims,
    evidence_pages,
    exchanging,
    goodwill,
    models,
)
from orders.claim_forms import (
    ApprovalForm,
    ArbitrationDecisionForm,
    ArbitrationForm,
    ConversionForm,
    GoodwillForm,
    ParcelForm,
    StatementForm,
)

ClaimState = models.Claim.State
OPEN_STATES = [str(state) for state in models.Claim.OPEN_STATES]
GOODWILL = _(
    "The buyer keeps the goods and gets some of the money back, once a second person approves; at "
    "once where the confirmation policy lets one person grant as little."
)
GOODWILL_ASKED = _(
    "Goodwill was asked for. It is granted once a second person approves, or already where one "
    "person may grant as little."
)


def _as_asked(claim):
    terms = asdict(claim.shipping_terms)
    return {"fault": claim.fault, "quantity": claim.quantity, **terms}


def _without_a_replacement(claim):
    return asdict(claim.shipping_terms) | {"outbound_cost": 0}


def _is_asked(claim):
    return claim.state == ClaimState.REQUESTED


def _is_in_arbitration(claim):
    return claim.state == ClaimState.ARBITRATION


@register(models.Arbitration)
class ArbitrationAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["claim", "side", "opened_at", "outcome", "decided_at", "decided_by"]
    list_select_related = ["claim", "decided_by"]
    ordering = ["-id"]


@register(models.ArbitrationStatement)
class ArbitrationStatementAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["arbitration", "side", "text", "said_at"]
    list_select_related = ["arbitration"]
    ordering = ["-id"]


@register(models.Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["name", "kind", "size", "statement"]
    list_select_related = ["statement"]
    exclude = ["content"]
    ordering = ["-id"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("content")


class QueueFilter(SimpleListFilter):
    """Without any choice the list is the queue of open claims, the longest wait first."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request, model_admin):
        return [("open", _("Open")), ("all", _("All"))]

    def choices(self, changelist):
        return list(super().choices(changelist))[1:]  # without Django's own "all"

    def queryset(self, request, queryset):
        if _shows_queue(request):
            return queryset.filter(state__in=OPEN_STATES)
        return queryset


def _shows_queue(request) -> bool:
    chosen = request.GET.get("queue")
    if chosen is not None:
        return chosen == "open"
    return not request.GET.keys() - {"p", "o"}


def _shows_open_ones(request) -> bool:
    asked = request.GET.get("state__exact") or request.GET.get("state__in") or ""
    return _shows_queue(request) or asked in (*OPEN_STATES, ",".join(OPEN_STATES))


@register(models.Claim)
class ClaimAdmin(StoryAdmin):
    """Claims to decide on: who is at fault, how many units, and what it does to the money."""

    comes_from = _("Claims come in through the API.")
    place = 20
    story_template = "orders/admin/claim.html"
    list_display = [
        "type",
        state_column(),
        "waited",
        "deadline",
        "seller",
        "line_title",
        "quantity",
        "fault",
    ]
    list_filter = [QueueFilter, "state", "type"]
    list_select_related = ["line", "seller"]
    search_fields = ["public_id__exact"]
    decisions = {
        "approve": Decision(
            name=_("Approve"),
            explanation=_("Goods or money may go back. Units are taken back on completion."),
            process=claims.approve,
            form=ApprovalForm,
            initial=_as_asked,
            offered=_is_asked,
            done=_("The claim is approved."),
        ),
        "collect": Decision(
            name=_("The goods are back"),
            explanation=_("The seller may now send the replacement."),
            process=exchanging.collect,
            form=RemarkForm,
            offered=lambda claim: claim.may_become(ClaimState.COLLECTED),
            done=_("The goods are back. The replacement is to be sent."),
        ),
        "resend": Decision(
            name=_("Record the replacement"),
            explanation=_("The parcel that is on its way to the buyer; its number may be mended."),
            process=exchanging.resend,
            form=ParcelForm,
            initial=lambda claim: {
                "carrier": claim.resent_carrier,
                "tracking_number": claim.resent_number,
            },
            offered=lambda claim: claim.state in (ClaimState.COLLECTED, ClaimState.REDELIVERING),
            done=_("The parcel of the replacement is recorded."),
        ),
        "arrived": Decision(
            name=_("Complete"),
            explanation=_(
                "The buyer has the replacement. The sale stays as it is; what the buyer pays of "
                "the shipping is settled."
            ),
            process=claims.complete,
            form=RemarkForm,
            offered=lambda claim: claim.state == ClaimState.REDELIVERING,
            done=_("The claim is completed."),
        ),
        "convert": Decision(
            name=_("Make it a return"),
            explanation=_(
                "No replacement is sent: the buyer gets the money back. Who is at fault, and how "
                "far the goods are, stays as it is."
            ),
            process=exchanging.convert,
            form=ConversionForm,
            initial=_without_a_replacement,
            offered=lambda claim: claim.is_exchange and claim.state in exchanging.CONVERTIBLE,
            is_grave=True,
            done=_("The exchange is a return now."),
        ),
        "complete": Decision(
            name=_("Complete"),
            explanation=_(
                "Goods and money are where they belong: the units are taken back, and a sale "
                "that was settled is reversed by the next night."
            ),
            process=claims.complete,
            form=RemarkForm,
            offered=lambda claim: (
                claim.state == ClaimState.APPROVED and claim.may_become(ClaimState.COMPLETED)
            ),
            done=_("The claim is completed."),
        ),
        "reject": Decision(
            name=_("Reject"),
            explanation=_("The line stays as it is. The buyer is told the reason."),
            process=claims.reject,
            form=ReasonForm,
            offered=lambda claim: claim.may_become(ClaimState.REJECTED),
            is_grave=True,
            done=_("The claim is rejected."),
        ),
        "withdraw": Decision(
            name=_("Withdraw for the buyer"),
            explanation=_("The buyer has taken the claim back. The line stays as it is."),
            process=claims.withdraw,
            form=RemarkForm,
            offered=_is_asked,
            done=_("The claim is withdrawn."),
        ),
        "arbitrate": Decision(
            name=_("Take to arbitration"),
            explanation=_(
                "Buyer and seller do not agree. Until somebody else than you has decided, nobody "
                "can take another step, and no deadline runs."
            ),
            process=arbitrating.begin,
            form=ArbitrationForm,
            offered=lambda claim: claim.may_become(ClaimState.ARBITRATION),
            done=_("The claim is in arbitration."),
        ),
        "state": Decision(
            name=_("Add a statement"),
            explanation=_("What one of the sides says, and the files it sends in as evidence."),
            process=arbitrating.say,
            form=StatementForm,
            offered=_is_in_arbitration,
            done=_("The statement is added."),
        ),
        "decide": Decision(
            name=_("Decide the arbitration"),
            explanation=_(
                "Whoever took the claim here cannot decide. Money back: the units are taken back "
                "at once, an exchange becomes a return; fault, units and shipping are as you say. "
                "Goodwill: the claim is rejected, and the amount is granted once a second person "
                "approves. Back: the claim goes on where it stood, and its days begin anew."
            ),
            process=arbitrating.decide,
            form=ArbitrationDecisionForm,
            initial=_as_asked,
            offered=_is_in_arbitration,
            is_grave=True,
            done=_("The arbitration is decided."),
        ),
        "goodwill": Decision(
            name=_("Ask for goodwill"),
            explanation=GOODWILL,
            process=goodwill.ask_for_claim,
            form=GoodwillForm,
            offered=lambda claim: claim.line.status == models.OrderLine.Status.CONFIRMED,
            done=GOODWILL_ASKED,
        ),
    }

    def get_ordering(self, request):
        return ["requested_at", "id"] if _shows_open_ones(request) else ["-id"]

    def add_to_rows(self, rows):
        claim_deadlines.add_to(rows, at=timezone.now())

    @display(description=_("waits for"))
    def waited(self, claim):
        if claim.waited_days is None:
            return "-"
        days = claim.waited_days
        return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}

    @display(description=_("due"))
    def deadline(self, claim):
        """Until when it is to be answered; of an exchange whose goods are back, to be sent anew."""
        due = claim.resend_by or claim.answer_by
        if due is None:
            return "-"
        return chip(due.isoformat(), "bad" if claim.is_overdue else "")

    @display(description=_("line"))
    def line_title(self, claim):
        return claim.line.title or claim.line.sku or "-"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("line__order", "seller")

    def tell(self, request, row):
        claim_deadlines.add_to([row], at=timezone.now())
        return {
            "claimable": claims.claimable(row.line),
            "shipping": row.shipping_effect,
            "goodwill": goodwill.of_line(row.line),
            "arbitrations": arbitrating.of_claim(row),
        }

    def get_urls(self):
        view = self.admin_site.admin_view(self.evidence_view)
        address = "<path:object_id>/evidence/<str:public_id>/"
        return [path(address, view, name="orders_claim_evidence"), *super().get_urls()]

    def evidence_view(self, request, object_id, public_id):
        """A file that was sent in about a claim, for whoever may see the claim."""
        return evidence_pages.answer(self._row(request, object_id), public_id)
