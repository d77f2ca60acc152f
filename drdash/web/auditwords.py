"""What the audit's verbs say, in the operators' words. A verb that is not here is shown as it was written."""

from drdash.failover.models import Action
from drdash.web.phrases import phrase
from drdash.web.wording import KIND, action_name

OF_ACTION: dict[str, str] = {
    "Requested": phrase("Requested"),
    "Sending": phrase("Sending"),
    "Accepted": phrase("Accepted"),
    "Succeeded": phrase("Succeeded"),
    "Failed": phrase("Failed"),
    "Refused": phrase("Refused"),
    "Expired": phrase("Expired"),
    "not sent": phrase("not sent"),
    "Unknown": phrase("Unknown"),
    "Closed": phrase("Closed"),
    "answered late": phrase("answered late"),
    "told late": phrase("told late"),
}
VERBS: dict[str, str] = {
    "approval asked": phrase("approval asked"),
    "approval given": phrase("approval given"),
    "approval declined": phrase("approval declined"),
    "approval withdrawn": phrase("approval withdrawn"),
    "approval void": phrase("approval void"),
    "approval expired": phrase("approval expired"),
    "approval used": phrase("approval used"),
    "batch made": phrase("batch made"),
    "batch gone on": phrase("batch gone on"),
    "batch paused": phrase("batch paused"),
    "batch stopped": phrase("batch stopped"),
    "batch done": phrase("batch done"),
    "connected": phrase("connected"),
    "taken off": phrase("taken off"),
    "paused": phrase("paused"),
    "resumed": phrase("resumed"),
    "armed": phrase("armed"),
    "disarmed": phrase("disarmed"),
    "asks for two persons": phrase("asks for two persons"),
    "asks for one person": phrase("asks for one person"),
    "credential replaced": phrase("credential replaced"),
    "credential dropped": phrase("credential dropped"),
    "acting credential set": phrase("acting credential set"),
    "acting credential removed": phrase("acting credential removed"),
    "customer found": phrase("customer found"),
    "customer vanished": phrase("customer vanished"),
    "customer came back": phrase("customer came back"),
    "left a note": phrase("left a note"),
    "took a note off": phrase("took a note off"),
    "signed in": phrase("signed in"),
    "signed out": phrase("signed out"),
    "sign-in refused": phrase("sign-in refused"),
    "password given": phrase("password given"),
    "password refused": phrase("password refused"),
    "changed their password": phrase("changed their password"),
    "token made": phrase("token made"),
    "token revoked": phrase("token revoked"),
    "token let run production": phrase("token let run production"),
    "token kept from production": phrase("token kept from production"),
    "took the audit away": phrase("took the audit away"),
    "added user": phrase("added user"),
    "changed user": phrase("changed user"),
    "changed tenant": phrase("changed tenant"),
    "deleted user": phrase("deleted user"),
    "gave membership": phrase("gave membership"),
    "took membership": phrase("took membership"),
    "added membership": phrase("added membership"),
    "changed membership": phrase("changed membership"),
    "deleted membership": phrase("deleted membership"),
}


def words_of(verb: str, action: Action | None) -> str:
    """A verb of the audit, which may be about an action."""
    kind, _, what = verb.partition(" ")
    if kind not in KIND or not what:
        return VERBS.get(verb, verb)
    name = action_name(kind, production=bool(action and action.production))
    return phrase("%(action)s: %(what)s", action=name, what=OF_ACTION.get(what, what))
