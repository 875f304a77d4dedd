"""Rupees as people in India read them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from rich.text import Text


def grouped(number: int) -> str:
    """Return a whole number with Indian digit grouping.

    >>> grouped(123456789), grouped(-1234), grouped(999)
    ('12,34,56,789', '-1,234', '999')
    """
    head, tail = divmod(abs(number), 1000)
    if not head:
        return str(number)
    pairs = f"{head:,}".replace(",", "")
    first = len(pairs) % 2 or 2
    parts = [pairs[:first], *(pairs[at : at + 2] for at in range(first, len(pairs), 2))]
    return f"{'-' if number < 0 else ''}{','.join(parts)},{tail:03d}"


def rupees(amount: float | Decimal, *, signed: bool = False) -> str:
    """Return an amount to the paisa with Indian digit grouping; NaN is a dash.

    >>> rupees(1234567.89), rupees(-20.005), rupees(75, signed=True), rupees(float("nan"))
    ('12,34,567.89', '-20.01', '+75.00', '-')
    """
    exact = Decimal(str(amount))
    if not exact.is_finite():
        return "-"
    paise = int((exact * 100).to_integral_value(ROUND_HALF_UP))
    sign = "-" if paise < 0 else "+" if signed and paise > 0 else ""
    whole, part = divmod(abs(paise), 100)
    return f"{sign}{grouped(whole)}.{part:02d}"


def profit(amount: float | Decimal) -> Text:
    """Return a signed amount in rupees, green for a gain and red for a loss."""
    words = rupees(amount, signed=True)
    return Text(words, style={"+": "green", "-": "red"}.get(words[0], "") if words != "-" else "")
