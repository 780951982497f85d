"""What a trial is called and which candidate comes first, where its source does not say: told by hashes."""

from __future__ import annotations

from hashlib import sha256


def derived_id(kind: str, *parts: str) -> str:
    """Derive an id from what it stands for.

    >>> derived_id("trial", "a dog", "1.jpg", "2.jpg") == derived_id("trial", "a dog", "2.jpg", "1.jpg")
    False
    """
    return f"{kind}-{_digest(parts).hex()[:16]}"


def comes_first(*parts: str) -> bool:
    """Toss a coin for what the parts name, the same at each time.

    Candidates that a source lists best first must not stay in that order, or a model that always takes the first is
    always right.
    """
    return bool(_digest(parts)[-1] % 2)


def _digest(parts: tuple[str, ...]) -> bytes:
    # The lengths keep ("a", "bc") and ("ab", "c") apart, whatever characters they hold.
    return sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
