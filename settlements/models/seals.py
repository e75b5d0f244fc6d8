"""What makes a closed statement provable: its seal, the rules in words of data, and the keys.

Written by settlements.seals and settlements.signing only, never changed afterwards.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, sealing
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller
from settlements.models.statements import LineTerms, Statement


class SigningKey(TenantModel):
    """An Ed25519 key pair of the marketplace. One at a time signs; retired ones still prove.

    `code` is the beginning of the public half's SHA-256, so a key names itself.
    """

    code = models.CharField(_("key id"), max_length=16, editable=False)
    public_half = models.CharField(_("public half"), max_length=64, editable=False)
    private_half = sealing.SealedField(_("private half"), bound_to="code", editable=False)
    made_at = models.DateTimeField(_("made at"), editable=False)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")
        constraints = [
            *constraints.tenant("signing_key", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "code"], name="signing_key_code_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace"],
                condition=Q(retired_at__isnull=True),
                name="signing_key_in_use_is_one",
            ),
        ]

    def __str__(self):
        return self.code


class TermsDocument(TenantModel):
    """What the terms of lines say, without row ids, as it stands in sellers' files.

    Kept as it was first written: a later program may tell terms in another way.
    """

    terms = TenantKey(LineTerms, related_name="+", verbose_name=_("terms"))
    digest = models.CharField(_("SHA-256"), max_length=64)
    text = models.TextField(_("document"))

    class Meta(TenantModel.Meta):
        verbose_name = _("terms document")
        verbose_name_plural = _("terms documents")
        constraints = [
            *constraints.tenant("terms_document", "terms", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "terms"], name="terms_document_is_one_per_terms"
            ),
        ]

    def __str__(self):
        return self.digest


class StatementSeal(TenantModel):
    """The link of a closed statement in its seller's chain.

    `document` holds the statement's figures, the digest of its lines, the digests of their terms
    and the head before; `head` is its SHA-256, `signature` that of the marketplace over it.
    """

    statement = TenantKey(Statement, related_name="+", verbose_name=_("statement"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    number = models.PositiveIntegerField(_("number in the chain"))
    document = models.TextField(_("document"))
    head = models.CharField(_("head"), max_length=64)
    key = TenantKey(SigningKey, related_name="+", verbose_name=_("signing key"))
    signature = models.CharField(_("signature"), max_length=128)

    class Meta(TenantModel.Meta):
        verbose_name = _("seal of a statement")
        verbose_name_plural = _("seals of statements")
        constraints = [
            *constraints.tenant(
                "statement_seal", "statement", "seller", "key", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "statement"], name="statement_seal_is_one"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "number"], name="statement_seal_is_in_one_chain"
            ),
        ]

    def __str__(self):
        return self.head
