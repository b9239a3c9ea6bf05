"""How far a collection is, and how fast people are, for the page of the researcher."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from .folder import ANSWERS, Forms
from .store import Answer, Person, collected

#: A longer time between two answers is a pause, in seconds.
_PAUSE = 600.0


def progress_of(forms: Forms, idle: float, now: float) -> dict[str, Any]:
    """Counts and times per group, and the sheets that are not finished.

    Parameters
    ----------
    forms : Forms
    idle : float
        Seconds without an answer after which a sheet is free again.
    now : float
    """
    sheets, people, answers = collected(forms.folder / ANSWERS)
    done = Counter(answer.person for answer in answers if answer.done)
    sheet_of = {person.id: forms.sheets[person.sheet] for person in people}
    images = Counter[int]()
    for answer in answers:
        if answer.done:
            images[answer.person] += forms.kind.size(sheet_of[answer.person].tasks[answer.task])
    by_person: dict[int, list[Answer]] = {person.id: [] for person in people}
    for answer in answers:
        by_person[answer.person].append(answer)
    seconds = {person.id: _seconds(forms, person, by_person[person.id]) for person in people}
    groups, open_sheets = [], []
    for group in dict.fromkeys(one[1] for one in sheets):
        theirs = [person for person in people if person.grp == group]
        finished = [one for one in theirs if one.finished is not None]
        active = [one for one in theirs if one.finished is None and one.seen > now - idle]
        states = Counter[str]()
        for name, _, capacity, n_tasks in (one for one in sheets if one[1] == group):
            on_it = [person for person in theirs if person.sheet == name]
            state = _state(on_it, capacity, idle, now)
            states[state] += 1
            if state != "finished" and capacity is not None:
                last = max(on_it, key=lambda person: done[person.id], default=None)
                open_sheets.append({
                    "sheet": name,
                    "group": group,
                    "state": state,
                    "done": 0 if last is None else done[last.id],
                    "tasks": n_tasks,
                    "quiet": None if last is None else now - max(one.seen for one in on_it),
                })  # fmt: skip
        times = [one for person in theirs for one in seconds[person.id]]
        groups.append({
            "group": group,
            "begun": len(theirs),
            "finished": len(finished),
            "active": len(active),
            "dropouts": len(theirs) - len(finished) - len(active),
            "sheets": dict(states),
            "answered": sum(images[person.id] for person in theirs),
            "seconds": round(median(times), 1) if times else None,
        })  # fmt: skip
    return {
        "unit": forms.kind.unit,
        "links": dict(forms.links),
        "groups": groups,
        "open": open_sheets,
        "limited": all(capacity is not None for _, _, capacity, _ in sheets),
        "idle": idle,
        "at": now,
    }


def _state(on_it: Sequence[Person], capacity: int | None, idle: float, now: float) -> str:
    finished = sum(person.finished is not None for person in on_it)
    active = sum(person.finished is None and person.seen > now - idle for person in on_it)
    if capacity is None:
        return "open"
    if finished >= capacity:
        return "finished"
    return "taken" if finished + active >= capacity else "free"


def _seconds(forms: Forms, person: Person, answers: Sequence[Answer]) -> list[float]:
    """Seconds per image or pair, as the page counted them, or between answers without pauses."""
    done = [answer for answer in answers if answer.done]
    tasks = forms.sheets[person.sheet].tasks
    counted: list[float | None] = []
    for answer in done:
        took = forms.kind.seconds(json.loads(answer.value))
        counted.append(None if took is None else took / forms.kind.size(tasks[answer.task]))
    if all(one is not None for one in counted):
        return [one for one in counted if one is not None]
    times = [person.begun, *sorted(answer.given for answer in done)]
    return [later - before for before, later in pairwise(times) if later - before < _PAUSE]
