"""What there is, and what a task or mixture looks like to a model: behind `mt5x tasks`.

`listing` reads the registry and the data sets' metadata; `inspect` reads examples of one task or
mixture and says how long they are in the chosen vocabulary, which TASK_FEATURE_LENGTHS suit them,
and how the packed rows look. Nothing is registered or written here.
"""

from tasks.inspection.inspect import Inspection, inspect
from tasks.inspection.listing import Entry, Group, entries, group, matching
from tasks.inspection.pages import list_page, task_page

__all__ = [
    "Entry",
    "Group",
    "Inspection",
    "entries",
    "group",
    "inspect",
    "list_page",
    "matching",
    "task_page",
]
