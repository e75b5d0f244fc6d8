"""The rows of the common floor, one file per subject."""

from marketplace.models.approval import Approval
from marketplace.models.audit import AuditEntry, AuditSeal, AuditSealMember
from marketplace.models.base import (
    TenantKey,
    TenantModel,
    VersionedQuerySet,
    VersionedRule,
    scoped,
)
from marketplace.models.calendar import CalendarVersion, ClosedDay
from marketplace.models.changes import Change
from marketplace.models.delivery import InboxMessage, OutboxMessage
from marketplace.models.jobs import JobRow, JobRun, JobShard
from marketplace.models.keys import ApiKey, IdempotencyKey
from marketplace.models.people import Membership, User
from marketplace.models.registry import LegalIdentity, Marketplace
from marketplace.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Approval",
    "AuditEntry",
    "AuditSeal",
    "AuditSealMember",
    "CalendarVersion",
    "Change",
    "ClosedDay",
    "IdempotencyKey",
    "InboxMessage",
    "JobRow",
    "JobRun",
    "JobShard",
    "LegalIdentity",
    "Marketplace",
    "Membership",
    "OutboxMessage",
    "TenantKey",
    "TenantModel",
    "User",
    "VersionedQuerySet",
    "VersionedRule",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "scoped",
]
