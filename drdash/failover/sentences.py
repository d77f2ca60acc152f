"""What an action says of itself where its usual reason says too little: each with its values named."""

from drdash.english import english

UNWRITABLE = english(
    "Nothing was sent: the database cannot be written, and without a record nothing ever is. "
    "What cannot wait can be done in the cloud's own console."
)
ONLY_LOOKS = english("Your role may look, not act, so the cloud was not asked.")
TOO_MANY_LOOKS = english("Too many are being looked at just now: try again in a moment.")
TOO_MANY = english("Too many actions are under way at once. Nothing was sent: try again in a moment.")
TOO_OFTEN = english("You may not do this, and asked too often: nothing more is written down. Ask again in a minute.")
NAME_IT = english('Type the server\'s name, "%(server)s", to confirm: this is production.')
SLOW_READ = english("The cloud took over %(seconds)s s to tell the current state.")
SLOW_CONNECTION = english("The cloud took over %(seconds)s s to be reached after its state was read.")
SLOW_CLAIM = english("The claim took so long that what was read of the server may be true no more.")
NODS = english("Acknowledge what stands against it: %(missing)s.")
CHANGED = english("Since you looked, %(told)s. Look again.")
KEY_REUSED = english("This idempotency key was used for something else. Use a new one for a new wish.")
