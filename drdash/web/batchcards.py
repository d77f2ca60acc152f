"""What the pages of batches show of one, to one reader: only what is within their reach, and no count of the rest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.urls import reverse

from drdash.failover import batches
from drdash.failover.batches import Stage
from drdash.failover.models import Action, Batch, Item, State
from drdash.tenants.access import Reach
from drdash.web.actioncards import action_url
from drdash.web.buttons import server_url
from drdash.web.phrases import Phrase, phrase
from drdash.web.said import stored
from drdash.web.steps import SUPERSEDED, recovery_point, state_of
from drdash.web.wording import Look, action_name

STATES: dict[str, Look] = {
    Batch.State.RUNNING: Look(phrase("Running"), "moving", "moving"),
    Batch.State.PAUSED: Look(phrase("Paused"), "warn", "warn"),
    Batch.State.STOPPED: Look(phrase("Stopped"), "still", "off"),
    Batch.State.DONE: Look(phrase("Nothing left to send"), "still", "standby"),
}
STAGES: dict[str, Look] = {
    Stage.WAITS: Look(phrase("Not sent yet"), "still", "wait"),
    Stage.IN_FLIGHT: Look(phrase("Being sent now"), "moving", "moving"),
    Stage.LEFT_OUT: Look(phrase("Left out"), "still", "off"),
    Stage.NEVER: Look(phrase("Never sent"), "still", "off"),
}
# What came of an action that was not carried out: these may be looked at once more.
UNDONE = frozenset({State.REFUSED, State.NOT_SENT, State.EXPIRED, State.FAILED})


class ItemCard(msgspec.Struct, frozen=True):
    """One server of a batch. ``undone``: it was certainly not carried out."""

    number: int
    name: str
    uuid: str
    url: str
    tenant: str
    look: Look
    why: str
    point: str
    action_url: str
    taken_at: datetime | None
    undone: bool


class BatchCard(msgspec.Struct, frozen=True):
    """A batch to one reader. ``left``: what is not sent yet and may be; ``tried``: of ``going`` what had its turn."""

    id: int
    url: str
    name: str
    production: bool
    by: str
    made_at: datetime
    finished_at: datetime | None
    state: Look
    why: str
    left: int
    in_flight: int
    never: int
    tried: int
    going: int
    summary: tuple[tuple[Look, int], ...]
    items: tuple[ItemCard, ...]
    own: bool
    runs: bool
    pauses: bool
    goes_on: bool


def batch_url(batch: Batch) -> str:
    """The batch's page."""
    return reverse("batch", args=[batch.pk])


def within(reach: Reach) -> QuerySet[Batch]:
    """The batches that touch a tenant within reach."""
    touched = Item.objects.filter(tenant__in=list(reach.tenants)).values("batch")
    return Batch.objects.filter(pk__in=touched).select_related("user")


def batch_or_404(reach: Reach, pk: int) -> Batch:
    """The batch, if it touches a tenant within reach."""
    if (found := within(reach).filter(pk=pk).first()) is None:
        raise Http404
    return found


def waiting(user: int, reach: Reach) -> QuerySet[Batch]:
    """A person's own batches that go on when they say so."""
    return within(reach).filter(user=user, state=Batch.State.PAUSED)


def batch_card(batch: Batch, items: Iterable[Item], *, user: int, whole: bool, now: datetime) -> BatchCard:
    """The card of a batch of which the reader sees ``items``, which may be the ``whole`` of it. Their tenants and
    actions must be loaded."""
    stages = {item: batches.stage_of(item, batch, now) for item in items}
    cards = tuple(_item(item, stage, number) for number, (item, stage) in enumerate(stages.items(), 1))
    looks = Counter(card.look for card in cards)
    head = _head(batch, Counter(stages.values()), user=user, whole=whole)
    return msgspec.structs.replace(head, items=cards, summary=tuple(looks.most_common()))


def batch_heads(listed: Sequence[Batch], reach: Reach, *, user: int, now: datetime) -> list[BatchCard]:
    """The cards of many batches without their items, which the database counts."""
    theirs = Q(tenant__in=list(reach.tenants))
    left = theirs & Q(action=None, skipped="")
    counts = (
        Item.objects.filter(batch__in=[batch.pk for batch in listed])
        .order_by()
        .values("batch")
        .annotate(
            all=Count("pk"),
            theirs=Count("pk", filter=theirs),
            sent=Count("pk", filter=theirs & ~Q(action=None)),
            taken=Count("pk", filter=left & ~Q(taken_at=None)),
            waiting=Count("pk", filter=left & Q(taken_at=None)),
        )
    )
    of = {one["batch"]: one for one in counts}
    found = []
    for batch in listed:
        one = of[batch.pk]
        counted = Counter({Stage.SENT: one["sent"]})
        counted[Stage.LEFT_OUT] = one["theirs"] - one["sent"] - one["taken"] - one["waiting"]
        counted[batches.stage_of(Item(taken_at=now), batch, now)] += one["taken"]
        counted[batches.stage_of(Item(), batch, now)] += one["waiting"]
        found.append(_head(batch, counted, user=user, whole=one["all"] == one["theirs"]))
    return found


def _head(batch: Batch, counted: Counter[Stage], *, user: int, whole: bool) -> BatchCard:
    left, in_flight = counted[Stage.WAITS], counted[Stage.IN_FLIGHT]
    own = batch.user_id == user
    # Whoever sees a part of it sees no more of its state than that part has.
    over = not left and not in_flight and not (own and whole)
    state = Batch.State.DONE if over and batch.state != Batch.State.STOPPED else batch.state
    return BatchCard(
        id=batch.pk,
        url=batch_url(batch),
        name=action_name(batch.kind, production=batch.production),
        production=batch.production,
        by=batch.user.get_username(),
        made_at=batch.made_at,
        finished_at=batch.finished_at if whole else None,
        state=STATES[state],
        why=stored(batch.why) if whole and state == batch.state else "",
        left=left,
        in_flight=in_flight,
        never=counted[Stage.NEVER],
        tried=counted[Stage.SENT],
        going=counted.total() - counted[Stage.LEFT_OUT],
        summary=(),
        items=(),
        own=own,
        runs=bool(in_flight) or state == Batch.State.RUNNING,
        pauses=own and state == Batch.State.RUNNING,
        goes_on=own and state == Batch.State.PAUSED,
    )


def _item(item: Item, stage: Stage, number: int) -> ItemCard:
    action: Action | None = item.action
    look = state_of(action) if action else STAGES[stage]
    why: Phrase = stored(action.error if action else item.skipped)
    if look is SUPERSEDED and action:
        why = phrase("Action %(action)s went over it.", action=action.superseded_by_id)
    return ItemCard(
        number=number,
        name=item.server_name or item.server_uuid,
        uuid=item.server_uuid,
        url=server_url(item.server_uuid),
        tenant=item.tenant.name,
        look=look,
        why=why,
        point="" if item.recovery_point is None else recovery_point(item.recovery_point),
        action_url=action_url(action) if action else "",
        taken_at=item.taken_at,
        undone=stage in {Stage.LEFT_OUT, Stage.NEVER} or (action is not None and action.state in UNDONE),
    )
