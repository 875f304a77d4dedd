"""What several readers ask about the same panel, worked out once."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

from optiq.market.panel import Panel
from optiq.market.schema import AnyArray

Asked = TypeVar("Asked", bound=Callable[..., AnyArray])


class _Answers(NamedTuple):
    """What was answered about one panel, which may be gone by now."""

    panel: Callable[[], Panel | None]
    said: dict[Hashable, AnyArray]


PANELS = 4
"""Of a day that comes in, some are shown the whole and some its last rows."""
_latest: deque[_Answers] = deque(maxlen=PANELS)


def asked_once(function: Asked) -> Asked:
    """Remember a function's answers about the latest panels; whoever asks gets a copy.

    A panel never changes, so the same question has the same answer. Only a few panels' answers
    are kept, so that memory stays bounded. The panel comes first, the others must be hashable.
    """

    @wraps(function)
    def ask(panel: Panel, *more: Any) -> AnyArray:
        answers, question = _about(panel), (function, *more)
        if question not in answers:
            answers[question] = function(panel, *more)
        return answers[question].copy(order="K")

    return cast(Asked, ask)


def _about(panel: Panel) -> dict[Hashable, AnyArray]:
    for answers in list(_latest):
        if answers.panel() is panel:
            return answers.said
    _latest.appendleft(_Answers(weakref.ref(panel), {}))
    return _latest[0].said
