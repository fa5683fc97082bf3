"""Which names look like secrets. A value that has such a name doesn't leave the process.

A name is split into words (``userPassword``, ``user_password`` and ``User-Password`` all have the
words *user* and *password*), and words are matched whole: ``shipping`` has no *pin* in it, and
``token_count`` counts tokens. The table is for names as programs write them; for a name that it
doesn't know, pass it as ``extra``.
"""

from __future__ import annotations

import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: A name that has one of these words anywhere is a secret.
_ANYWHERE = frozenset(
    [
        "password",
        "passwords",
        "passwd",
        "passwort",
        "passphrase",
        "pwd",
        "secret",
        "secrets",
        "credential",
        "credentials",
        "authorization",
        "cookie",
        "cookies",
        "ssn",
        "cvv",
        "cvc",
        "apikey",
        "apikeys",
        "jwt",
        "bearer",
        "secretkey",
        "accesskey",
        "privatekey",
        "authkey",
        "cardnumber",
        "creditcard",
        "sessionid",
    ]
)
#: A name that ends in one of these is: ``access_token``, not ``token_count`` or ``max_tokens``.
_LAST = frozenset({"token", "card", "auth", "pin", "otp", "iban"})
#: Two words in a row.
_PAIRS = frozenset(
    (first, second)
    for first, seconds in {
        "api": "key keys token tokens",
        "access": "key keys token tokens",
        "private": "key keys",
        "signing": "key keys",
        "encryption": "key keys",
        "auth": "key keys token tokens header headers",
        "refresh": "token tokens",
        "session": "key keys token tokens id",
        "csrf": "token tokens",
        "bearer": "token tokens",
        "id": "token",
        "token": "value hash key string header",
        "card": "number numbers no",
        "social": "security",
        "security": "code",
    }.items()
    for second in seconds.split()
)
#: One word that is two, written without a border: ``userpassword``, ``accesstoken``.
_INSIDE = ("password", "passwd", "passphrase", "credential")
_ENDINGS = ("secret", "secrets", "token", "apikey")

#: What is longer is text, not a name; only its beginning is looked at.
_MAX_NAME_CHARS = 128
_MAX_REMEMBERED = 4096


class Redaction:
    """Tells names of secrets from others.

    Args:
        extra: More names to hide, each matched as whole words, case aside, anywhere in a name.
    """

    __slots__ = ("_extra", "expressions", "known")

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._extra = tuple(words for words in map(_words, extra) if words)
        #: Answers of ``hides`` so far: who reads many names saves the call.
        self.known: dict[str, bool] = {}
        #: Answers for whole expressions, given by whoever parsed them.
        self.expressions: dict[str, bool] = {}

    def hides(self, name: str) -> bool:
        """Whether a value of this name is to be left out. ``name`` is of exactly type ``str``."""
        known = self.known.get(name)
        if known is None:
            words = _words(name)
            known = self.hides_inside(name) or _ends_secret(words)
            # Names come from dict keys too, so there is no end to them.
            if len(self.known) >= _MAX_REMEMBERED:
                self.known.clear()
            if len(name) <= _MAX_NAME_CHARS:
                self.known[name] = known
        return known

    def remember(self, expression: str, *, is_hidden: bool) -> None:
        """Keep the answer for an expression: parsing it at each hit costs far more than the hit."""
        if len(self.expressions) >= _MAX_REMEMBERED:
            self.expressions.clear()
        self.expressions[expression] = is_hidden

    def hides_inside(self, name: str) -> bool:
        """Whether whatever is *inside* a value of this name is to be left out as well.

        Stricter evidence: ``token.kind`` of a parser is not a secret, ``password.value`` is.
        """
        words = _words(name)
        return (
            not _ANYWHERE.isdisjoint(words)
            or any(part in word for word in words for part in _INSIDE)
            or any(pair in _PAIRS for pair in itertools.pairwise(words))
            or any(_holds(words, extra) for extra in self._extra)
        )


def _words(name: str) -> tuple[str, ...]:
    """The words of a name: runs of small letters with the capital before them, of capitals, digits."""
    name = name[:_MAX_NAME_CHARS]
    parts = name.replace("_", " ").split()
    if name.isascii() and name.islower() and all(map(str.isalpha, parts)):
        return tuple(parts)  # most names; the rest is for the others
    words: list[str] = []
    before = ""
    for char in name:
        kind = _KIND_OF.get(char)
        if kind is None:
            kind = _kind_of(char)
        if kind == "small" and before == "capital":
            # The last of many capitals begins the next word: HTTPServer.
            capitals = words.pop()
            words += [capitals[:-1]] if len(capitals) > 1 else []
            words.append(capitals[-1] + char)
        elif kind and kind == before:
            words[-1] += char
        elif kind:
            words.append(char)
        before = kind
    return tuple(map(str.lower, words))


def _kind_of(char: str) -> str:
    """What a character is in a name; empty for what stands between words."""
    if char.isascii() and char.isalpha():
        return "small" if char.islower() else "capital"
    if char.isdecimal():
        return "digit"
    return "other" if char.isalnum() else ""


_KIND_OF = {chr(number): _kind_of(chr(number)) for number in range(128)}


def _ends_secret(words: tuple[str, ...]) -> bool:
    while words and words[-1].isdigit():
        words = words[:-1]
    return bool(words) and (words[-1] in _LAST or words[-1].endswith(_ENDINGS))


def _holds(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    width = len(wanted)
    return any(words[start : start + width] == wanted for start in range(len(words) - width + 1))
