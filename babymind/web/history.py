"""The history of a family in words: what was done, as the record of it says."""

from collections.abc import Callable, Mapping
from datetime import date

from babymind.domain.delivery import Hold
from babymind.services.families import EventView
from babymind.web.show import HOLDS, LOSSES, TASKS, day

Details = Mapping[str, object]


def told(event: EventView) -> str:
    """Return what was done, without whom it was about and who did it."""
    words = ACTIONS.get(event.action, event.action.replace("_", " "))
    return words if isinstance(words, str) else words(event.details)


def said(event: EventView) -> str | None:
    """Return what somebody gave as the reason, in their own words."""
    because = event.details.get("because")
    return str(because) if because else None


def _birth(details: Details) -> str:
    gestation = details.get("gestation")
    return f"birth recorded: {_day(details.get('born_on'))}" + (f", at {gestation} weeks" if gestation else "")


def _dates(details: Details) -> str:
    parts = [
        f"{words} {_day(details[name])}"
        for name, words in (("due_on", "due date"), ("born_on", "birth date"))
        if details.get(name)
    ]
    if details.get("gestation"):
        parts.append(f"{details['gestation']} weeks at birth")
    return f"dates corrected: {', '.join(parts)}"


def _loss(details: Details) -> str:
    return f"loss recorded: {LOSSES.get(str(details.get('reason')), 'no reason noted')}"


def _loss_reason(details: Details) -> str:
    return f"what happened corrected: {LOSSES.get(str(details.get('reason')), 'no reason noted')}"


def _hold(details: Details) -> str:
    why = str(details.get("why"))
    return f"messages held: {HOLDS[Hold(why)] if why in set(Hold) else why}"


def _pause(details: Details) -> str:
    until = details.get("until")
    return f"messages paused until {_day(until)}" if until else "messages paused until they say so"


def _times(details: Details) -> str:
    return f"times set: fact {details.get('fact')}, prompt {details.get('prompt')}, {details.get('zone')}"


def _preferences(details: Details) -> str:
    parts = [f"language {details['locale']}"] if details.get("locale") else []
    for name, words in (("wants_facts", "facts"), ("wants_prompts", "prompts")):
        if name in details:
            parts.append(f"wants {words}" if details[name] else f"wants no {words}")
    return f"wishes changed: {', '.join(parts)}"


def _withdraw(details: Details) -> str:
    wish = "is to be erased" if details.get("data") == "erase" else "is kept"
    return f"withdrew from the study; what they gave {wish}"


def _move(details: Details) -> str:
    return f"moves to the study {details.get('study')}, arm {details.get('arm')}"


def _task(details: Details) -> str:
    task = TASKS.get(str(details.get("kind")))
    return f"task done: {task.title}" if task else "task done"


def _day(value: object) -> str:
    try:
        return day(date.fromisoformat(str(value)))
    except ValueError:
        return str(value)


ACTIONS: Mapping[str, str | Callable[[Details], str]] = {
    "enrol": "family enrolled",
    "birth": _birth,
    "dates": _dates,
    "pregnancy_added": "added to the family",
    "enrolment_went_on": "began the programme again, in the same arm",
    "loss": _loss,
    "loss_told": "a loss was told by text; everything waits until a person has asked of whom they speak",
    "loss_undone": "loss undone",
    "loss_reason": _loss_reason,
    "hold": _hold,
    "release": "hold ended",
    "stop": "messages stopped",
    "start": "messages started again",
    "pause": _pause,
    "resume": "pause ended",
    "times": _times,
    "preferences": _preferences,
    "number": "number changed",
    "wrong_number": "number closed: it belongs to somebody else",
    "left": "left the family",
    "caregiver_added": "joined the family",
    "withdraw": _withdraw,
    "move": _move,
    "task_done": _task,
}
