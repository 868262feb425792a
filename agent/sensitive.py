"""What text should not be told to others: secrets by their shape and by the name beside them, and personal data.

Rules, no model: a value is found by what it looks like, so that one that looks like any other word is not, and names of
people never are. Every pattern is linear in the text, and an unfinished key counts as one, because passages are cut.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["secret", "email", "phone", "iban", "card", "ip", "mark"]
"""A secret is a key, a token or a password; a mark is text that could be taken for what stands for another value
(`agent.masking`), and no rule here finds one; the rest is personal data."""

MaskLevel = Literal["off", "secrets", "all"]
"""What a model elsewhere is not shown; `all` is secrets and personal data."""

SECRETS: frozenset[Kind] = frozenset({"secret"})
PERSONAL: frozenset[Kind] = frozenset({"email", "phone", "iban", "card", "ip"})


@dataclass(frozen=True, slots=True)
class Found:
    """A value in a text, from `start` up to but without `end`."""

    start: int
    end: int
    kind: Kind


def find(text: str, kinds: frozenset[Kind] = SECRETS | PERSONAL) -> list[Found]:
    """Return the values of these kinds in their order, none overlapping: two that do are one, of the first's kind."""
    found = list(_secrets(text)) if "secret" in kinds else []
    found += [found for rule in _RULES if rule.kind in kinds for found in rule.find(text)]
    if "phone" in kinds:
        found += _international(text)
    return merged(found)


def merged(found: Iterable[Found]) -> list[Found]:
    """Return the values in their order, with those that overlap made one, of the first and longest one's kind."""
    joined: list[Found] = []
    for each in sorted(found, key=lambda f: (f.start, -f.end)):
        if joined and each.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = Found(last.start, max(last.end, each.end), last.kind)
        else:
            joined.append(each)
    return joined


def distinctive(value: str) -> bool:
    """Return whether a secret is one wherever it stands: a password such as `postgres` is a word like others there."""
    return len(value) >= 8 and _mixed(value) and _entropy(value) >= 2.5 and not _TELLING.search(value)


def from_environment(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the secrets of this process's environment: what its variables' names say are keys, tokens or passwords.

    Values of fewer than eight characters, of letters alone, and those that are paths are none.
    """
    environ = os.environ if environ is None else environ
    named = (value.strip() for name, value in environ.items() if _VARIABLE.search(name))
    return [v for v in named if len(v) >= 8 and not v.isalpha() and not v.startswith("/") and not _SPACE.search(v)]


# Rules --------------------------------------------------------------------------------------------------------------

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern, and what says of a match where the value is; None where it is no value."""

    kind: Kind
    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], Span | None] = re.Match.span

    def find(self, text: str, start: int = 0, end: int | None = None) -> Iterator[Found]:
        for match in self.pattern.finditer(text, start, len(text) if end is None else end):
            if (span := self.value(match)) is not None:
                yield Found(*span, self.kind)

    def at(self, text: str, start: int, ends: dict[_Rule, int]) -> Iterator[Found]:
        """What begins at this place, unless the last that began before goes on there; `ends` says where it ended."""
        match = self.pattern.match(text, start) if start >= ends.get(self, 0) else None
        if match is not None:
            ends[self] = match.end()
            if (span := self.value(match)) is not None:
                yield Found(*span, self.kind)


_SPACE = re.compile(r"\s")
_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$", re.IGNORECASE)

# Shapes that issuers gave their keys so that they are known anywhere. Lengths are those of a key that lost its end.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{16,255}|github_pat_\w{20,255}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[\w-]{16,255}"  # GitLab
    r"|xox[a-z]-[\w-]{10,255}|xapp-[\w-]{10,255}|(?<=hooks\.slack\.com/services/)T[\w/]{16,100}"
    r"|sk-(?=[A-Za-z_-]{0,40}\d)(?=[\d_-]{0,40}[A-Za-z])[\w-]{16,255}"  # OpenAI, Anthropic, OpenRouter and others
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}|whsec_[A-Za-z0-9+/]{16,255}"  # Stripe
    r"|AIza[\w-]{20,64}|ya29\.[\w-]{20,255}|GOCSPX-[\w-]{20,64}"  # Google
    r"|hf_[A-Za-z0-9]{20,64}|gsk_[A-Za-z0-9]{20,100}|xai-[A-Za-z0-9]{20,255}|r8_[A-Za-z0-9]{20,64}"
    r"|npm_[A-Za-z0-9]{20,64}|pypi-AgE[\w-]{16,255}|dckr_pat_[\w-]{20,64}|do[opr]_v1_[a-f0-9]{20,64}"
    r"|SG\.[\w-]{16,32}\.[\w-]{16,64}|AGE-SECRET-KEY-1[A-Z0-9]{20,64}|hvs\.[\w-]{20,255}|shp(?:at|ss|ca|pa)_[a-fA-F0-9]{20,64}"
    r"|eyJ[\w-]{10,4096}(?:\.[\w-]{6,4096}){1,4}"  # a JSON web token
    r")"
)
# A private key, as far as it is there; in a string literal its lines end in \n and quotes.
_BETWEEN = r"""(?:\\[nr]|[\s"'>|#,])"""
_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{_BETWEEN}*(?:Proc-Type|DEK-Info|Version|Comment):[^\n]{{0,200}})*"
    rf"(?:{_BETWEEN}*[A-Za-z0-9+/=]{{16,}})+"
    rf"(?:{_BETWEEN}*[A-Za-z0-9+/=]{{1,15}})?"
    rf"(?:{_BETWEEN}*-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----)?"
)
# A line of one, where a chunk begins below its head: 64, 70 or 76 wide. In hexadecimal it would be a digest.
_LINE = re.compile(r"(?<![\w+/=.-])(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{70}|[A-Za-z0-9+/]{76})(?![\w+/=.-])")

_PASS = r"pass(?:word|wd|phrase|code)|pwd"  # noqa: S105  # a pattern
_KEY = (
    r"secret|token|credential|api[_-]?key"
    r"|(?:access|private|auth|account|encryption|signing|master|client|service|shared)[_-]?key"
)
_NAME = rf"(?:(?P<password>{_PASS})|{_KEY})s?(?:[_-]?(?:key|value|hash|id|[0-9]{{1,3}}))?"
_ASSIGNED = re.compile(
    rf"(?i:{_NAME})[A-Z0-9_]{{0,20}}"
    r"""["'\]]{0,2}[ \t]{0,4}"""
    r"(?P<sign>:[ ]{0,2}[A-Za-z_][\w.]{0,40}(?:\[[^\]\n]{0,40}\])?(?:[ ]\|[ ]None)?[ ]=(?!=)|:=|=>|={1,3}|:)[ \t]{0,4}"
    r"""(?:[rbuf]{0,2}(?P<quote>["'`])(?P<quoted>(?:(?!(?P=quote))[^\n\\]|\\.){1,256})(?P=quote)"""
    r"""|(?P<bare>[^\s"'`,;&<>(){}\[\]]{3,256})(?P<after>.?))"""
)
_KEY_OF_LINE = re.compile(r"[ \t]*(?:-[ ]|export[ ])?[\w.-]{0,60}")
_FLAG = re.compile(rf"(?<![\w-])--(?i:[\w-]{{0,30}}?(?:{_PASS}|{_KEY}))[ =](?P<value>[^\s\"'`<>-][^\s\"'`<>]{{3,255}})")
_SAID = re.compile(rf"""\b(?i:{_PASS})\s+(?:is|was)\s+["'`]?(?P<value>[^\s"'`]{{4,128}})""")
_BEARER = re.compile(r"\b(?:[Bb]earer|[Bb]asic)\s{1,3}(?P<value>[\w.~+/-]{16,4096}={0,2})")
_LOGIN = re.compile(r"(?<=[a-z])://(?:[^\s/:@\"'`<>]{0,100}:)?(?P<value>[^\s/?#\"'`<>]{1,200})@(?=[\w\[])")

_BLANK = re.compile(
    r"[$%<{\[*#…]|\.\.\.|x{3,}$|your[_-]|[^\w]*$|(?:changeme|redacted|none|null|nil|true|false)$", re.IGNORECASE
)
_TYPE = re.compile(
    r"(?:str|string|text|bytes|bool|boolean|int|integer|float|number|any|object|none|null|undefined|optional|required"
    r"|secretstr|char|varchar|file|env|function|list|dict|tuple)\Z",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z")
# What a field or a setting for a password is called: new_password, newPassword, DB_PASSWORD.
_FIELD = re.compile(
    r"(?:[A-Za-z]+[_-]|[a-z]+(?=P))*(?:[Pp]ass(?:word|wd|phrase|code)s?|[Pp]wd|PASS(?:WORD|WD|PHRASE|CODE)|PWD)"
    r"(?:[_-][A-Za-z]+|[A-Z][a-z]+)*\Z"
)
_TELLING = re.compile(rf"(?:{_PASS}|secret|token|key)", re.IGNORECASE)


def _mixed(value: str) -> bool:
    """Whether there are letters and digits in it."""
    return any(c.isalpha() for c in value) and any(c.isdigit() for c in value)


def _entropy(value: str) -> float:
    """Bits a character, by how often each one is in it."""
    shares = [value.count(c) / len(value) for c in set(value)]
    return -sum(share * math.log2(share) for share in shares)


def _written_out(value: str) -> bool:
    """Whether it is a value, no template of one, no address, no path and no expression that gives one."""
    return not (
        _BLANK.match(value)
        or _TYPE.match(value)
        or _DOTTED.match(value)
        or "{" in value
        or "://" in value
        or value.startswith(("/", "./", "../"))
        or value.endswith("/")
    )


def _is_key(value: str) -> bool:
    """Whether it is as random as what stands beside "key" or "token" has to be to count."""
    return (
        len(value) >= 8
        and _mixed(value)
        and not _SPACE.search(value)
        and _written_out(value)
        and _entropy(value) >= min(3.0, len(value) / 4)
    )


def _is_password(value: str) -> bool:
    """Whether a string beside "password" is one, and not the name of a field or of a setting."""
    phrase = _SPACE.search(value) is not None
    if phrase and (_TELLING.search(value) or not value[0].isalnum() or value[0].isupper() or not value[-1].isalnum()):
        return False  # a label or a sentence
    return len(value) >= 3 and _written_out(value) and not _FIELD.match(value)


def _assigned(match: re.Match[str]) -> Span | None:
    quoted = match["quoted"]
    if match["password"] is None:
        group = "bare" if quoted is None else "quoted"
        span = _stripped(match, group) if quoted is None else match.span(group)
        fits = _is_key(match.string[slice(*span)]) and match["after"] not in ("(", "[")
        return span if fits else None
    if quoted is not None:
        return match.span("quoted") if _is_password(quoted) else None
    span = _stripped(match, "bare")
    value = match.string[slice(*span)]
    if match["after"] in ("(", "[", "{") or not _is_password(value):
        return None
    # Without quotes it may be a variable or the next word of a sentence, unless a line of settings has nothing else.
    return span if (_mixed(value) and len(value) >= 6) or _is_setting(match) else None


def _is_setting(match: re.Match[str]) -> bool:
    """Whether the line is `KEY=value` or `key: value` and no more, as in files of settings."""
    text = match.string
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    gap = {"=": 0, ":": 1}.get(match["sign"])
    return (
        _KEY_OF_LINE.fullmatch(before) is not None
        and match.start("bare") - match.end("sign") == gap
        and text[match.end("bare") : match.end("bare") + 1] in ("", "\n", "\r")
    )


def _stripped(match: re.Match[str], group: str) -> Span:
    """The span of a group without the punctuation of the sentence that it ends."""
    start, _ = match.span(group)
    return start, start + len(match[group].rstrip(".:!?)"))


def _flagged(match: re.Match[str]) -> Span | None:
    span = _stripped(match, "value")
    value = match.string[slice(*span)]
    return span if len(value) >= 4 and _mixed(value) and _written_out(value) else None


def _headed(match: re.Match[str]) -> Span | None:
    return match.span("value") if _mixed(match["value"]) else None


def _login(match: re.Match[str]) -> Span | None:
    """The password of an address; where there is none, a name that is as long as a token."""
    value = match["value"]
    alone = match.start("value") == match.start() + len("://")
    fits = _is_key(value) and len(value) >= 16 if alone else not _BLANK.match(value)
    return match.span("value") if fits else None


def _key_line(match: re.Match[str]) -> Span | None:
    tests: tuple[Callable[[str], bool], ...] = (str.isdigit, str.isupper, str.islower)
    return match.span() if all(any(map(test, match[0])) for test in tests) else None


# Personal data ------------------------------------------------------------------------------------------------------

_EMAIL = re.compile(r"(?<![\w.+%-])(?!git@)[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")
# Without a country's code: the North American form, and digits beside a word that says what they are.
_PHONE = re.compile(
    r"(?<![\w.-])(?:\(\d{3}\)[ ]?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-]|\.\d)"
    r"|(?<![A-Za-z])(?i:phone|telephone|telefon|tel|mobile|mobil|handy|cell|fax)\b[^\w\n]{1,4}"
    r"(?P<value>[(\d][\d ()/.-]{4,20}\d)(?!\w)"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_CARD = re.compile(
    r"(?<![\w.-])(?=3[0-9]|4|5[0-5]|6[0245]|2[2-7])"
    r"(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-]|\.\d)"
)
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")


def _phone(match: re.Match[str]) -> Span:
    return match.span("value") if match["value"] else match.span()


def _international(text: str) -> Iterator[Found]:
    """Numbers with a country's code, wherever that country's numbering makes them possible."""
    if "+" not in text and "＋" not in text:
        return
    import phonenumbers  # tens of milliseconds, for those who want phone numbers masked

    for match in phonenumbers.PhoneNumberMatcher(text, None, leniency=phonenumbers.Leniency.POSSIBLE):
        yield Found(match.start, match.end, "phone")


def _iban(match: re.Match[str]) -> Span | None:
    """The longest beginning whose check digits are right: a word in capitals may stand behind it."""
    text = match[0]
    ends = [len(text), *(m.start() for m in reversed(list(re.finditer(r"[ -]", text))))]
    for end in ends:
        digits = re.sub(r"[ -]", "", text[:end])
        if 15 <= len(digits) <= 34 and int("".join(str(int(c, 36)) for c in digits[4:] + digits[:4])) % 97 == 1:
            return match.start(), match.start() + end
    return None


def _card(match: re.Match[str]) -> Span | None:
    """A number that Luhn's check accepts."""
    digits = [int(c) for c in reversed(match[0]) if c.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return match.span() if (sum(digits[::2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1 else None


def _address(match: re.Match[str]) -> Span | None:
    """An address that tells a machine: not loopback, a link's own, a network mask or a group."""
    text = match[0]
    groups = [group for group in text.split(":") if group]
    if ":" in text and (len(groups) < 3 or not any(c.isdigit() for c in text)):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    nobody = (
        address.is_loopback
        or address.is_unspecified
        or address.is_multicast
        or address.is_link_local
        or text.startswith(("255.", "0."))
    )
    return None if nobody else match.span()


_RULES = (
    _Rule("email", _EMAIL),
    _Rule("phone", _PHONE, _phone),
    _Rule("iban", _IBAN, _iban),
    _Rule("card", _CARD, _card),
    _Rule("ip", _IP4, _address),
    _Rule("ip", _IP6, _address),
)

# Where secrets can be: to look only there takes a fifth of the time that it takes to look everywhere. ----------------

_RUN = re.compile(rb"[\w./+=-]{15,}")
_CLUE = re.compile(rb"pass|pwd|secret|token|credential|key|://|bearer|basic|-----begin")
_BEFORE_KEY = re.compile(
    r"(?:api|access|private|auth|account|encryption|signing|master|client|service|shared)[_-]?\Z", re.IGNORECASE
)
_IN_RUN = _Rule("secret", _KEYS)
_IN_LONG_RUN = _Rule("secret", _LINE, _key_line)
_AT_CLUES = {
    b"-----begin": _Rule("secret", _BLOCK),
    b"bearer": _Rule("secret", _BEARER, _headed),
    b"basic": _Rule("secret", _BEARER, _headed),
    b"://": _Rule("secret", _LOGIN, _login),
}
_NAMED = (_Rule("secret", _ASSIGNED, _assigned), _Rule("secret", _SAID, _flagged))
_FLAGGED = _Rule("secret", _FLAG, _flagged)
_FLAG_NAME = 32  # characters from a flag's dashes to the word that tells it


def _secrets(text: str) -> Iterator[Found]:
    raw = text.encode("latin-1", "replace").lower()  # a byte for each character
    for run in _RUN.finditer(raw):
        yield from _IN_RUN.find(text, *run.span())
        if len(run[0]) >= 64:
            yield from _IN_LONG_RUN.find(text, *run.span())
    ends: dict[_Rule, int] = {}
    for clue in _CLUE.finditer(raw):
        at = clue.start()
        if (other := _AT_CLUES.get(clue[0])) is not None:
            yield from other.at(text, at, ends)
            continue
        before = _BEFORE_KEY.search(text[max(0, at - 11) : at]) if clue[0] == b"key" else None
        name = at if before is None else at - len(before[0])
        for rule in _NAMED:
            yield from rule.at(text, name, ends)
        begin = max(0, name - _FLAG_NAME)
        if "--" in text[begin:name]:
            yield from _FLAGGED.find(text, begin, name + _FLAG_NAME + 256)
