"""What is said of an answer that is not what the reference says. ``told``: what it looks like."""

from drdash.english import english

NOT_JSON = english("The cloud answered with %(told)s instead of JSON.")
NO_PAGE = english("The cloud answered with JSON that is not a page of a list of items.")
NO_TASK = english("The cloud answered 202, but with %(told)s instead of the task that it started.")
NO_TASKS = english("The cloud answered 409 %(code)s, but its list of tasks cannot be read.")
UNTOLD = english("The cloud answered %(status)s with %(told)s, which does not tell whether it took the action.")
REDIRECT = english("The cloud answered with a redirect (%(status)s), which is never followed.")
UNKNOWN = english("The cloud answered %(status)s with %(told)s, which its reference does not know.")

EMPTY = english("an empty body")
HTML = english("a page of HTML")
OTHER_JSON = english("another JSON than documented")
OTHER = english("something that is not JSON")
