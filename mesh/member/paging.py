"""Pages of a list of jobs: where the next one begins, as a token that any node understands.

The token holds the last job told, not how many were: jobs that come or go between two pages make no
other job be told twice or not at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from scheduler.job_view import JobView
from scheduler.view import View

Place = tuple[int, str]
"""A job's place in an order: an HLC, or 0 in the order of ids, and the id."""

ORDERS: Mapping[str, Callable[[JobView], Place]] = {
    "created_at": lambda job: (job.created_hlc, job.id),
    "modified_at": lambda job: (job.modified_hlc, job.id),
    "id": lambda job: (0, job.id),
}


@dataclass(frozen=True, slots=True)
class Paging:
    """Which jobs a page holds; `limit` 0 is all of them."""

    order_by: str = "created_at"
    reverse: bool = False
    limit: int = 0
    after: Place | None = None

    def in_order(self, view: View) -> Iterable[JobView]:
        """Every job that comes after the last one told."""
        place, after = ORDERS[self.order_by], self.after
        if self.order_by == "created_at":
            return view.by_creation(after=after, reverse=self.reverse)
        ordered = sorted(view.jobs.values(), key=place, reverse=self.reverse)
        if after is None:
            return ordered
        if self.reverse:
            return (one for one in ordered if place(one) < after)
        return (one for one in ordered if place(one) > after)

    def cut(self, wanted: Iterable[JobView]) -> tuple[Sequence[JobView], str]:
        """The page, and the token for more ("" at the end): no more jobs are looked at than it
        holds, and one that tells whether more follow."""
        if not self.limit:
            return list(wanted), ""
        page = list(islice(wanted, self.limit + 1))
        if len(page) <= self.limit:
            return page, ""
        last = ORDERS[self.order_by](page[self.limit - 1])
        return page[: self.limit], replace(self, after=last).token()

    def token(self) -> str:
        """As `read_token_untrusted` reads it."""
        hlc, job = self.after or (0, "")
        direction = "Y" if self.reverse else "N"
        text = f"{self.order_by}:{direction}:{self.limit}:{hlc}:{job}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token_untrusted(token: str) -> Paging | None:
    """The page that a token asks for; None when no list gave it out."""
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        order_by, direction, limit_text, hlc_text, job = text.split(":")
        limit, hlc = int(limit_text), int(hlc_text)
    except (ValueError, binascii.Error):
        return None
    if order_by not in ORDERS or direction not in ("Y", "N") or limit < 1 or hlc < 0:
        return None
    return Paging(order_by, direction == "Y", limit, (hlc, job))
