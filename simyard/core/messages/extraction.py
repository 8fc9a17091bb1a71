"""Extraction: the code in a text, found by scoring every number against the words and the shape around it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simyard.core.messages.aliases import slug_of
from simyard.core.messages.attribution import code_pattern, sole_sender
from simyard.core.messages.characters import Plain, plain
from simyard.core.messages.words import Kind, is_unspaced, kind_of, kinds_within

# What is read of a text. An SMS of ten parts has 1530 characters.
TEXT_READ_MAX = 2000
# Numbers looked at in one text, links included. A text with more is not one that brings a code.
NUMBERS_READ_MAX = 32
# How many characters away a word still says something about a number.
REACH = 160
# A candidate below this is not a code.
SCORE_ACCEPTED = 2.6


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was read out of a text.

    `code` has ASCII digits and letters only and is None when the text carries none; `confidence` lies in 0..1;
    `span` is where the code stands in the original text, its grouping included.
    """

    code: str | None
    confidence: float
    span: tuple[int, int] | None


NOTHING = Extraction(None, 0.0, None)


class Mark(NamedTuple):
    """A word that says what a number near it is."""

    kind: Kind
    start: int
    end: int


class Number(NamedTuple):
    """A run of characters that holds a digit, with the parts that hyphens join to it."""

    start: int
    end: int
    text: str


class Candidate(NamedTuple):
    """What may be the code, and how much its shape alone speaks for it."""

    code: str
    start: int
    end: int
    shape: float


class Reading(NamedTuple):
    """A text taken apart: where its numbers and its telling words are."""

    text: str
    numbers: list[Number]
    marks: list[Mark]


_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ\u0300-\u036fḀ-ỿ"
_OTHER_LETTERS = (
    "\u0370-\u037d\u037f-\u0386\u0388-\u0482\u0483-\u0559\u0560-\u0588\u0591-\u05bd\u05bf-\u05f4\u0610-\u061a\u0620-\u0669"
    "\u066e-\u06d3\u06d5-\u0963\u0966-\u0e3e\u0e40-\u0e4e\u0e50-\u0e59\u0e81-\u1049\u1050-\u10fa\u10fc-\u135f\u1369-\u17d3"
    "\u17dc-\u1fff\u2c00-\u2dff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30fa\u30fc-\ua69f\ua720-\ud7ff\uf900-\ufd3d\ufd50-\ufefe"
    "\uff66-\uffdc\U00020000-\U0003ffff"
)
_TOKEN = re.compile(
    r"((?:[A-Za-z]{1,12}-){0,3}[A-Za-z]{0,24}[0-9][0-9A-Za-z]*(?:-[0-9A-Za-z]+)*)"
    rf"|([{_LATIN}]+)|[{_OTHER_LETTERS}]+"
)
_HAS_DIGIT = re.compile(r"[0-9]")
_SENTENCE_END = re.compile(
    r"[.!?](?=\s|$)(?<!\b(?:Rs|rs|RS|No|no|Nr|nr)\.)(?<!\b(?:INR|Ref|ref|Tel|tel|тел)\.)|[。！？।։።؟۔]|\n\s*\n"
)
_LETTER = re.compile(r"[^\W\d_]")


def read(text: str) -> Reading:
    """Takes a plain text apart into numbers and telling words, in one pass."""
    numbers: list[Number] = []
    marks: list[Mark] = []
    for found in _TOKEN.finditer(text):
        word = found[0]
        if found.lastindex == 1:
            numbers.append(Number(found.start(), found.end(), word))
        elif found.lastindex is None and is_unspaced(word[0]):
            offset = found.start()
            for kind, start, end in kinds_within(word):
                marks.append(Mark(kind, offset + start, offset + end))
        elif kind := kind_of(word):
            marks.append(Mark(kind, found.start(), found.end()))
    return Reading(text, numbers, _settle_codes(text, marks))


def _settle_codes(text: str, marks: list[Mark]) -> list[Mark]:
    """Turns "code" beside a word like "promo" or "postal" into a reference: its number is not the one wanted."""
    if not any(mark.kind is Kind.NOT_CODE for mark in marks):
        return marks
    return [
        mark._replace(kind=Kind.REFERENCE) if _is_of_another_kind(text, marks, index) else mark
        for index, mark in enumerate(marks)
    ]


def _is_of_another_kind(text: str, marks: Sequence[Mark], index: int) -> bool:
    mark = marks[index]
    if mark.kind is not Kind.CODE:
        return mark.kind is Kind.NOT_CODE
    neighbours = (*marks[max(index - 1, 0) : index], *marks[index + 1 : index + 2])
    return any(other.kind is Kind.NOT_CODE and _touches(text, mark, other) for other in neighbours)


def _touches(text: str, one: Mark, other: Mark) -> bool:
    between = text[min(one.end, other.end) : max(one.start, other.start)]
    return len(between) <= 5 and not re.search(r"[.,:;!?\n0-9]", between)


# -- shapes of numbers ------------------------------------------------------------------------------------------

# Codes by their length: six and four digits are what nearly everybody sends.
_LENGTH_SHAPE = {3: -0.6, 4: 1.1, 5: 1.1, 6: 1.2, 7: 0.7, 8: 0.8, 9: -0.3, 10: -0.6}
_HOPELESS = -9.0
_DATE = re.compile(
    r"([0-9]{1,2})([./])([0-9]{1,2})\2(?:[12][0-9]{3}|[0-9]{2})(?![0-9])"
    r"|[12][0-9]{3}([./])[0-9]{1,2}\4[0-9]{1,2}(?![0-9])"
    r"|[0-9]{1,2}/[0-9]{1,2}(?![0-9/])|[0-9]{1,2}[/.][12][0-9]{3}(?![0-9])"
)
_HYPHEN_DATE = re.compile(
    r"[0-9]{1,2}-[0-9]{1,2}-[12][0-9]{3}|[12][0-9]{3}-[0-9]{1,2}-[0-9]{1,2}|(?:19|20)[0-9]{2}-(?:19|20)?[0-9]{2}"
    r"|(?:0?[1-9]|[12][0-9]|3[01])-(?:0?[1-9]|[12][0-9]|3[01])-[23][0-9]"
)
# `4471-2026`: an invoice, more often than not.
_NUMBER_OF_YEAR = re.compile(r"[0-9]{3,6}-20[0-9]{2}")
_TIME = re.compile(r"(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::[0-5][0-9])?(?![0-9])")
_AMOUNT = re.compile(r"[0-9]+(?:[.,][0-9]{3})+(?:[.,][0-9]{1,2})?(?![0-9])|[0-9]+[.,][0-9]{1,2}(?![0-9])")
# `448.120` is an amount nearly everywhere: only a word right before it makes it a code.
_DOTTED = re.compile(r"([0-9]{3})\.([0-9]{3})")
_DOTTED_SHAPE = -1.4
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){2,}(?![0-9])")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_MAYBE_PHONE = re.compile(r"[01689][0-9]{9}")
_AREA_CODE = re.compile(r"\([0-9]{1,5}\)")
_MONEY_SIGNS = frozenset("$€£¥₽₹₩₺₴₦฿₫₪₱₸₾₼₵₡₲₭៛₮֏﷼৳৲")
_MASKED_AFTER = re.compile(r"(?:\.{2,3}|…|[*•]+|[xX]{2,})[0-9]")
_MASK_SIGNS = frozenset("*•·…xX")
_INNER_SIGNS = frozenset(".,:/")
_GLUE = frozenset((" ", ".", "/", ":", ",", "-", " - ", ") ", " (", "(", ")", "_", "+", ".-"))
_PREFIX_OF_CODE = frozenset(
    ("G", "FB", "IG", "VK", "IM", "OK", "WB", "BW", "TK", "MS", "M", "A", "S", "T", "U", "W", "Y")
)
# `09h30`, and `XX4821`, the end of a card.
_CLOCK_OR_MASK = re.compile(r"[0-9]{1,2}[hH][0-9]{2}(?:min)?|[xX]{2,}[0-9]+")
_ORDINAL = re.compile(
    r"[0-9]+(?:st|nd|rd|th|x[0-9]+|[kKmMgGtT][bB]?|[hHsSdDmMyY]|am|pm|AM|PM|px|mm|cm|km|kg|mg|ml|lb|oz|mAh|MP)"
)


# `SAVE20`, `SUMMER2026`: what shops call a discount.
_SLOGAN = re.compile(r"[A-Z]{3,}[0-9]{1,4}")
_ADVERTISING = re.compile(r"[0-9] ?%|% ?[0-9]|\boff\b|\bsave\b|\bfree\b|\bdeal", re.IGNORECASE)


def _digits_shape(digits: str) -> float:
    shape = _LENGTH_SHAPE.get(len(digits), _HOPELESS)
    if (len(digits) == 4 and digits[:2] in ("19", "20")) or _MAYBE_PHONE.fullmatch(digits):
        return shape - 1.2
    if digits.endswith("000") and digits[0] != "0" and len(digits) > 3:
        return shape - 0.5
    return shape


def _mixed_shape(code: str) -> float:
    """How much letters and digits in one word look like a code: `2FK9M` does, `iphone15` does not."""
    if not 4 <= len(code) <= 12:
        return _HOPELESS
    digits = sum(character.isdigit() for character in code)
    shape = 0.7 if 5 <= len(code) <= 8 else 0.4 if len(code) == 4 else -0.2
    if code.isupper():
        shape += 0.3
    if digits == 1:
        shape -= 0.4
    if re.fullmatch(r"[a-z]{3,}[0-9]{1,3}|[A-Z][a-z]{2,}[0-9]{1,3}", code):
        shape -= 1.2
    elif _SLOGAN.fullmatch(code):
        shape -= 0.8
    return shape


def _read_word_number(number: Number) -> list[Candidate]:
    """The candidates in a number that has letters or hyphens of its own."""
    text = number.text
    if "-" in text:
        return _read_hyphenated(number, text.split("-"))
    letters = re.fullmatch(r"([A-Za-z]+)([0-9]+)", text)
    if letters:
        kind = kind_of(letters[1])
        start = number.start + letters.start(2)
        if kind is Kind.CODE or (letters[1] in _COPULAS and len(letters[2]) >= 4):
            return [Candidate(letters[2], start, number.end, _digits_shape(letters[2]) + 4.0)]
        if kind in (Kind.REFERENCE, Kind.CONTACT, Kind.CURRENCY, Kind.NOT_CODE):
            return []
    trailing = re.fullmatch(r"([0-9]+)([A-Za-z]+)", text)
    if trailing:
        kind = kind_of(trailing[2])
        if kind in (Kind.UNIT, Kind.CURRENCY) or _ORDINAL.fullmatch(text):
            return []
        end = number.start + trailing.end(1)
        if kind is Kind.CODE:
            return [Candidate(trailing[1], number.start, end, _digits_shape(trailing[1]) + 4.0)]
        if len(trailing[1]) >= 4 and len(trailing[2]) >= 2 and trailing[2].islower():
            return [Candidate(trailing[1], number.start, end, _digits_shape(trailing[1]))]
    if _CLOCK_OR_MASK.fullmatch(text):
        return []
    return [Candidate(text, number.start, number.end, _mixed_shape(text))]


def _read_hyphenated(number: Number, parts: Sequence[str]) -> list[Candidate]:
    joined = "".join(parts)
    if joined.isdigit():
        return _read_hyphenated_digits(number, parts, joined)
    last = parts[-1]
    even_halves = len(parts[0]) == len(last) == 3 and parts[0].isupper() and not kind_of(parts[0])
    if len(parts) == 2 and parts[0].isalpha() and last.isdigit() and not even_halves:
        return _read_prefixed(number, parts[0], last)
    if (
        len(parts) == 2
        and parts[0].isdigit()
        and len(parts[0]) >= 4
        and last.isalpha()
        and not last.isupper()
    ):
        return [Candidate(parts[0], number.start, number.start + len(parts[0]), _digits_shape(parts[0]))]
    if any(part.isalpha() and not part.isupper() for part in parts):
        # "Verification-code-123456", "x-123456": words, then the number.
        if last.isdigit() and len(last) >= 3:
            return _read_prefixed(number, parts[-2], last)
        return []
    if all(2 <= len(part) <= 6 for part in parts) and 5 <= len(joined) <= 16:
        even = 0.4 if len({len(part) for part in parts}) == 1 else 0.0
        return [Candidate(joined, number.start, number.end, 0.5 + even)]
    return []


def _read_hyphenated_digits(number: Number, parts: Sequence[str], joined: str) -> list[Candidate]:
    lengths = [len(part) for part in parts]
    if len(joined) > 10 or lengths == [3, 3, 4] or _HYPHEN_DATE.fullmatch(number.text):
        return []
    shape = _LENGTH_SHAPE.get(len(joined), _HOPELESS)
    if _NUMBER_OF_YEAR.fullmatch(number.text):
        shape -= 1.0
    if len(set(lengths)) == 1 and len(joined) >= 4:
        return [
            Candidate(
                joined,
                number.start,
                number.end,
                shape + (0.3 if lengths[0] > 2 or len(lengths) > 2 else -0.6),
            )
        ]
    return [Candidate(joined, number.start, number.end, shape - 0.8)]


def _read_prefixed(number: Number, prefix: str, digits: str) -> list[Candidate]:
    """`G-123456`: the digits are the code. `INV-48213` names a thing instead."""
    kind = kind_of(prefix)
    shape = _digits_shape(digits)
    if kind is Kind.CODE:
        shape += 4.0
    elif prefix in _PREFIX_OF_CODE and len(digits) >= 4:
        shape += 1.6
    elif kind in (Kind.REFERENCE, Kind.CONTACT) or re.fullmatch(
        r"INV|ORD|TKT|BK|PO|SO|RMA|CASE|AWB|ID|SKU|NO|HH|TT", prefix
    ):
        shape -= 3.0
    return [Candidate(digits, number.end - len(digits), number.end, shape)]


def _chains(reading: Reading) -> list[list[Number]]:
    """Neighbouring digit numbers that one separator joins: what may be one phone, date, amount or grouped code."""
    chains: list[list[Number]] = []
    for number in reading.numbers:
        plain_digits = number.text.replace("-", "").isdigit()
        if chains and plain_digits:
            before = chains[-1][-1]
            if before.text.replace("-", "").isdigit() and reading.text[before.end : number.start] in _GLUE:
                chains[-1].append(number)
                continue
        chains.append([number])
    return chains


def _read_chain(text: str, chain: Sequence[Number]) -> list[Candidate]:
    """The candidates in a chain, once phones, dates, times, amounts and versions are put aside."""
    if _is_phone(text, chain):
        return []
    found: list[Candidate] = []
    index = 0
    while index < len(chain):
        number = chain[index]
        if dotted := _DOTTED.fullmatch(text, number.start, chain[-1].end):
            return [*found, Candidate(dotted[1] + dotted[2], *dotted.span(), _DOTTED_SHAPE)]
        skipped = _end_of_other_number(text, number)
        if skipped:
            while index < len(chain) and chain[index].start < skipped:
                index += 1
            continue
        taken = _grouped_by_spaces(text, chain, index)
        if taken > 1:
            parts = chain[index : index + taken]
            code = "".join([part.text for part in parts])
            shape = _LENGTH_SHAPE.get(len(code), _HOPELESS) + (0.2 if len(parts[0].text) != 4 else -0.2)
            found.append(Candidate(code, parts[0].start, parts[-1].end, shape))
        elif "-" in number.text:
            found += _read_hyphenated(number, number.text.split("-"))
        else:
            found.append(Candidate(number.text, number.start, number.end, _digits_shape(number.text)))
        index += taken
    return found


def _end_of_other_number(text: str, number: Number) -> int:
    """Where the date, time, version or amount that begins with this number ends; 0 when it begins none."""
    if text[number.end : number.end + 1] not in _INNER_SIGNS:
        return 0
    for pattern in (_DATE, _TIME, _VERSION, _AMOUNT):
        if found := pattern.match(text, number.start):
            if pattern is _DATE and found[1] and not _plausible_day(found[1], found[3]):
                continue
            return found.end()
    return 0


def _plausible_day(one: str, other: str) -> bool:
    return 1 <= int(one) <= 31 and 1 <= int(other) <= 31


def _grouped_by_spaces(text: str, chain: Sequence[Number], index: int) -> int:
    """How many numbers from `index` on are groups of one code, as in `123 456`, `12 34 56`, `1 2 3 4 5 6`."""
    size = len(chain[index].text)
    if "-" in chain[index].text or size > 4:
        return 1
    count = 1
    while (
        index + count < len(chain)
        and len(chain[index + count].text) == size
        and chain[index + count].text.isdigit()
        and text[chain[index + count - 1].end : chain[index + count].start] == " "
    ):
        count += 1
    if size == 1:
        return count if 4 <= count <= 8 else 1
    return count if count > 1 and 4 <= count * size <= 9 else 1


def _is_phone(text: str, chain: Sequence[Number]) -> bool:
    start, end = chain[0].start, chain[-1].end
    before = text[max(start - 2, 0) : start]
    if end - start <= 8 and "+" not in before and "(" not in before and len(chain) == 1:
        return False
    digits = _NOT_DIGITS.sub("", text[start:end])
    if before.endswith(("+", "+ ", "(+")) and len(digits) >= 6:
        return True
    if _AREA_CODE.search(text, max(start - 1, 0), end):
        return len(digits) >= 7
    groups = _NOT_DIGITS.split(text[start:end])
    if len(groups) == 1:
        return len(digits) > 10 or (len(digits) >= 9 and digits.startswith("00"))
    if any(mark in text[start:end] for mark in ",:/"):
        return False
    regular = len({len(group) for group in groups}) == 1
    if len(digits) > 10:
        return all(len(group) <= 6 for group in groups)
    if len(digits) >= 9 and not regular:
        return all(len(group) <= 5 for group in groups)
    return groups[0] in ("0800", "800", "8800", "1800", "0900", "1900", "900") and len(digits) >= 7


# -- what stands around a number --------------------------------------------------------------------------------

_HINT_PULL_MAX = 2.0
_COPULAS = frozenset(
    [
        "is",
        "es",
        "ist",
        "est",
        "lautet",
        "son",
        "é",
        "è",
        "er",
        "är",
        "on",
        "jest",
        "je",
        "to",
        "là",
        "adalah",
        "ialah",
        "ni",
        "yra",
        "ir",
        "este",
        "sunt",
        "are",
    ]
)
_COPULA = re.compile(
    rf"[:=：]|[-–—>]\s*$|\b(?<!sent )(?:{'|'.join(_COPULAS)})\b\W*$"
    r"|है|هو|هي|است|ہے|είναι|这是|为|為|是|は|는|은|คือ|হল|হলো|আছে|ఇది|ஆகும்"
)
# What follows "code for" is what the code is for.
_PREPOSITION = re.compile(r"\b(?:for|at|from|für|von|pour|para|per|voor|för|для|за|от)\W*$")
_OTHER_MEANINGS = frozenset((Kind.NOT_CODE, Kind.REFERENCE, Kind.CONTACT, Kind.CURRENCY))
_NAME_BEFORE = re.compile(r"[\W_]{0,3}[^\W\d_][^\W\d_ .&'’-]{0,20}(?:[ .&'’-][^\W\d_]{1,20}){0,2} ?[:-] ?")
_ENDS_HERE = re.compile(r"[.!。]?(?:\s|$)")
# A text no longer than this may be just a name and a code.
_NAME_AND_CODE_MAX = 40
_WORDS = re.compile(r"[^\W\d_]+")
_OPENING = frozenset("\"'“”«„‘[(【「『*<`『{›»")
_CLOSING = frozenset("\"'“”»’])】」』*>`}«")


_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
# `12 March 2026`, `March 12, 2026`, `12 de marzo de 2026`: what stands before the year.
_DAY_AND_MONTH = re.compile(
    r"\b[0-3]?[0-9](?:st|nd|rd|th|º|\.)?(?: of| de)? [^\W\d_]{3,12}[.,]?(?: de)? $|\b[A-Z][a-z]{2,8}\.? [0-3]?[0-9], $"
)


def _score(candidate: Candidate, reading: Reading, candidates: Sequence[Candidate]) -> float:
    text = reading.text
    start, end = candidate.start, candidate.end
    before = text[start - 1] if start else "\n"
    after = text[end] if end < len(text) else "\n"
    score = candidate.shape
    if score <= _HOPELESS:
        return score
    if before in "@&" or after == "@" or (before == "+" and len(candidate.code) > 5):
        return _HOPELESS
    if after == "%" or text[end : end + 2] == " %":
        return _HOPELESS
    if _is_money(text, start, end) or _is_part_of_decimal(text, start, end):
        return _HOPELESS
    if _MASKED_AFTER.match(text, end):
        return _HOPELESS
    if before in _MASK_SIGNS and not (before == "*" and after == "*") and len(candidate.code) <= 5:
        return _HOPELESS
    if _YEAR.fullmatch(candidate.code) and _DAY_AND_MONTH.search(text, max(start - 28, 0), start):
        return _HOPELESS
    if _SLOGAN.fullmatch(candidate.code) and (
        _ADVERTISING.search(text) or any(sign in text for sign in _MONEY_SIGNS)
    ):
        return _HOPELESS
    score += _standing(text, start, end, before, after)
    if _is_said_by_name(candidate, reading):
        score += 1.6
    affinity, code_word_at = _affinity(candidate, reading, candidates)
    return score + affinity + _objections(candidate, reading, code_word_at)


def _is_said_by_name(candidate: Candidate, reading: Reading) -> bool:
    """Whether a name and this number are all there is, as in `Airbnb: 8841`, or all of the first sentence."""
    text, code = reading.text, candidate.code
    if not (code.isdigit() and 4 <= len(code) <= 8):
        return False
    if any(mark.kind in _OTHER_MEANINGS for mark in reading.marks):
        return False
    if _NAME_BEFORE.fullmatch(text, 0, candidate.start) and _ENDS_HERE.match(text, candidate.end):
        return True
    before, after = text[: candidate.start], text[candidate.end :]
    if len(text) > _NAME_AND_CODE_MAX or reading.marks or len(reading.numbers) > 1:
        return False
    return len(_WORDS.findall(before or after)) in (1, 2, 3) and not (before and _LETTER.search(after))


def _is_money(text: str, start: int, end: int) -> bool:
    lead = text[max(start - 2, 0) : start].rstrip()
    if lead and lead[-1] in _MONEY_SIGNS:
        return True
    trail = text[end : end + 2].lstrip(" ")
    return bool(trail) and trail[0] in _MONEY_SIGNS


def _is_part_of_decimal(text: str, start: int, end: int) -> bool:
    return (start > 1 and text[start - 1] in ".," and text[start - 2].isdigit()) or (
        end + 1 < len(text) and text[end] in ".," and text[end + 1].isdigit()
    )


def _standing(text: str, start: int, end: int, before: str, after: str) -> float:
    """What the place in the text says: a line of its own, quotes, the start or the end."""
    score = 0.0
    if before in _OPENING and after in _CLOSING:
        score += 0.5
        if before == "【" and text[:start].strip("【 ") == "":
            score -= 1.5
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    if not _LETTER.search(text, line_start, start) and not _HAS_DIGIT.search(text, line_start, start):
        score += 0.4
        if not _LETTER.search(text, end, line_end) and not _HAS_DIGIT.search(text, end, line_end):
            score += 1.1
    if len(text) - end <= 2:
        score += 0.3
        if _SENTENCE_END.search(text, max(start - 3, 0), start):
            score += 1.0
    if before in "#№" and text[max(start - 3, 0) : start] != "<#>":
        score -= 0.8
    return score


def _affinity(candidate: Candidate, reading: Reading, candidates: Sequence[Candidate]) -> tuple[float, int]:
    """The pull of the strongest word for "code", and where it stands (-1: none); else that of a word like "verify"."""
    best, at = 0.0, -1
    for mark in reading.marks:
        if mark.kind is Kind.CODE and -REACH < mark.start - candidate.start < REACH:
            pull = _code_pull(reading.text, mark, candidate, candidates)
            if pull > best:
                best, at = pull, mark.start
    if best < _HINT_PULL_MAX:
        for mark in reading.marks:
            if mark.kind is Kind.HINT and -REACH < mark.start - candidate.start < REACH:
                best = max(best, _hint_pull(reading.text, mark, candidate))
    return best, at


def _code_pull(text: str, mark: Mark, candidate: Candidate, candidates: Sequence[Candidate]) -> float:
    """How much a word for "code" speaks for a candidate: less with distance, a sentence's end, numbers between."""
    if mark.end <= candidate.start:
        start, end = mark.end, candidate.start
        pull = 4.0 - 0.025 * (end - start)
        introduced = _COPULA.search(text[start:end]) is not None
        if introduced or end - start <= 9:
            pull += 0.7 if introduced or not _PREPOSITION.search(text, start, end) else -0.7
    else:
        start, end = candidate.end, mark.start
        pull = 3.6 - 0.03 * (end - start)
    if end - start > 1:
        between = text[start:end]
        if _SENTENCE_END.search(between):
            pull -= 2.0
        elif "\n" in between and not between.isspace():
            pull -= 0.5
    for other in candidates:
        if start <= other.start < end and other.code != candidate.code:
            # "code for order 4471 is 661920"
            return pull if start == mark.end and _COPULA.search(text, other.end, end) else pull - 0.9
    return pull


def _hint_pull(text: str, mark: Mark, candidate: Candidate) -> float:
    between = (
        text[mark.end : candidate.start] if mark.end <= candidate.start else text[candidate.end : mark.start]
    )
    if len(between) > 80:
        return 0.3
    if _SENTENCE_END.search(between):
        return 0.8
    return _HINT_PULL_MAX if len(between) <= 9 else 1.7


def _objections(candidate: Candidate, reading: Reading, code_word_at: int) -> float:
    """What the words beside a number hold against its being a code."""
    text, worst = reading.text, 0.0
    for mark in reading.marks:
        kind = mark.kind
        if mark.end <= candidate.start:
            gap = candidate.start - mark.end
            if gap > 30 or kind in (Kind.CODE, Kind.HINT, Kind.UNIT):
                continue
            between = text[mark.end : candidate.start]
            if kind is Kind.CURRENCY:
                if gap <= 2 and not between.strip(" ."):
                    return _HOPELESS
                continue
            if mark.start < code_word_at < candidate.start or _HAS_DIGIT.search(between):
                continue
            if _SENTENCE_END.search(between) and not re.fullmatch(r"\.? ?#?", between):
                continue
            if "," in between or "，" in between:
                continue
            if "\n" in between and not between.rstrip().endswith(":"):
                continue
            introduced = bool(_COPULA.search(between))
            if (
                introduced
                and 0 <= code_word_at < mark.start
                and not _SENTENCE_END.search(text, code_word_at, mark.start)
            ):
                continue
            if kind is Kind.CONTACT:
                worst = min(worst, -3.0 if gap <= 20 else -1.5)
            elif kind is Kind.REFERENCE:
                worst = min(worst, -3.4 if gap <= 14 else -1.5)
        elif kind in (Kind.UNIT, Kind.CURRENCY) and text[candidate.end : mark.start] in ("", " ", "  "):
            return _HOPELESS
    return worst


# -- links ------------------------------------------------------------------------------------------------------

_CHUNK = re.compile(r"[^\s<>\"“”«»]+")
_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.]{1,20}://)?[a-z0-9][a-z0-9.-]*\.[a-z]{2,12}(?::[0-9]+)?[/?#]|[a-z][a-z0-9+.]{1,20}://",
    re.IGNORECASE,
)
_QUERY_CODE = re.compile(
    r"[?&#;](?:[a-z_]{0,20}(?:code|codigo|codice|kode?|otp|pin|pass|password|pwd)|c|v|k|verify|verification|confirm|confirmation|one_time_code|token|t|key)"
    r"=([0-9A-Za-z](?:[0-9A-Za-z-]{1,12}[0-9A-Za-z])?)(?![0-9A-Za-z%_.-])",
    re.IGNORECASE,
)
_NAMED_QUERY = re.compile(r"cod|kod|otp|pin|pass", re.IGNORECASE)
_PATH_DIGITS = re.compile(r"(?<=[/=#])(?:[A-Za-z]{1,2}-)?([0-9]{3}-[0-9]{3}|[0-9]{4,8})(?=$|[/?#&.,;)!])")
_PATH_MIXED = re.compile(r"(?<=/)([0-9A-Z]{5,8})(?=$|[/?#&.,;)!])")
_CODE_PATH = re.compile(
    r"//v\.|^v\.|[/.](?:v|login|log-in|signin|sign-in|verify|verification|confirm|confirmation|code|otp|auth|activate|activation|2fa|magic|pin|vc)[/.?]"
    r"|whatsapp|//t\.me|^t\.me|telegram|signal",
    re.IGNORECASE,
)
_OTHER_PATH = re.compile(
    r"order|trip|booking|reserv|track|product|item|catalog|invoice|delivery|parcel|promo|sale|offer|news|post|help|faq|support|article|pay|review|survey|status|ticket|map|shop",
    re.IGNORECASE,
)
_BOUND_DOMAIN = re.compile(r"@[\w.-]{3,80} #([0-9A-Za-z]{3,12})(?![0-9A-Za-z])")


def _links(text: str) -> list[tuple[int, int]]:
    if "/" not in text and "?" not in text:
        return []
    return [
        found.span()
        for found in _CHUNK.finditer(text)
        if ("/" in found[0] or "?" in found[0]) and _LINK.search(found[0])
    ]


def _read_link(text: str, start: int, end: int) -> list[Candidate]:
    """Codes in a link: in a query field named after it, or as a part of a path that is about verifying."""
    found: list[Candidate] = []
    for query in _QUERY_CODE.finditer(text, start, end):
        code = query[1].replace("-", "")
        named = _NAMED_QUERY.search(query[0][: query.start(1) - query.start()])
        if code.isdigit() and 3 <= len(code) <= 10:
            found.append(Candidate(code, *query.span(1), 3.4 if named else 2.2))
        elif named and _HAS_DIGIT.search(code) and 4 <= len(code) <= 10:
            found.append(Candidate(code, *query.span(1), 3.0))
    link = text[start:end]
    about_codes = _CODE_PATH.search(link) is not None
    other = _OTHER_PATH.search(link) is not None
    for path in _PATH_DIGITS.finditer(text, start, end):
        shape = (2.7 if about_codes else 0.9) - (2.5 if other and not about_codes else 0.0)
        found.append(Candidate(path[1].replace("-", ""), *path.span(1), shape))
    if about_codes:
        found += [
            Candidate(path[1], *path.span(1), 1.6)
            for path in _PATH_MIXED.finditer(text, start, end)
            if _HAS_DIGIT.search(path[1]) and not path[1].isdigit()
        ]
    return found


# -- all together -----------------------------------------------------------------------------------------------

_RETRIEVER_HASH = re.compile(r"(?=[0-9A-Za-z+/]*[A-Z])(?=[0-9A-Za-z+/]*[a-z0-9])[0-9A-Za-z+/]{11}")
_IS_YOUR = re.compile(r" (?:is|est|ist|es|é|è|e) ")
# Of two numbers whose scores lie this close the first is the code, as in "Code 1234, backup code 5678".
_ABOUT = 0.4
_CAPITAL_WORD = re.compile(r"(?<![0-9A-Za-z])[A-Z]{4,8}(?![0-9A-Za-z])")


def extract(text: str, *, sender: str = "", service: str | None = None) -> Extraction:
    """The code a text carries, if any. `service` names the sender's trade in any vendor's word, or is unknown.

    Never raises; reads the first `TEXT_READ_MAX` characters.
    """
    source = plain(text[:TEXT_READ_MAX])
    body = _without_hash(source.text)
    return _choose(source, body, code_pattern(slug_of(service) or sole_sender(sender)))


def _without_hash(text: str) -> str:
    """Drops the last word when it is the eleven characters Android's SMS retriever wants there."""
    body = text.rstrip()
    last = re.split(r"[\s:>]", body[-40:])[-1]
    if len(last) == 11 and _RETRIEVER_HASH.fullmatch(last) and last != body:
        return body[:-11]
    return body


def _choose(source: Plain, body: str, known: re.Pattern[str] | None) -> Extraction:
    reading = read(body)
    candidates, linked = _candidates(reading)
    scored = [(_score(candidate, reading, candidates), candidate) for candidate in candidates]
    scored += [(candidate.shape + _link_support(reading), candidate) for candidate in linked]
    if bound := _BOUND_DOMAIN.search(body):
        scored.append((6.0, Candidate(bound[1], *bound.span(1), 6.0)))
    if known is not None:
        scored = [
            (score + 0.6 if known.fullmatch(candidate.code) else score, candidate)
            for score, candidate in scored
        ]
    best = _best(scored)
    if best is None or best[0] < SCORE_ACCEPTED:
        best = _letters_only(reading, known) or best
    if best is None or best[0] < SCORE_ACCEPTED:
        return NOTHING
    score, chosen = best
    confidence = min(0.99, 0.55 + 0.1 * (score - SCORE_ACCEPTED))
    return Extraction(chosen.code, round(confidence, 3), source.span(chosen.start, chosen.end))


def _candidates(reading: Reading) -> tuple[list[Candidate], list[Candidate]]:
    text = reading.text
    links = _links(text)
    linked = [candidate for start, end in links for candidate in _read_link(text, start, end)]
    if links:
        numbers = [
            number
            for number in reading.numbers
            if not any(start <= number.start < end for start, end in links)
        ]
        reading = reading._replace(numbers=numbers)
    found: list[Candidate] = []
    for chain in _chains(reading._replace(numbers=reading.numbers[:NUMBERS_READ_MAX])):
        if chain[0].text.replace("-", "").isdigit():
            found += _read_chain(text, chain)
        else:
            found += _read_word_number(chain[0])
    return [candidate for candidate in found if candidate.shape > _HOPELESS], linked[:NUMBERS_READ_MAX]


def _link_support(reading: Reading) -> float:
    kinds = {mark.kind for mark in reading.marks}
    return (0.5 if Kind.CODE in kinds else 0.0) + (1.7 if Kind.HINT in kinds else 0.0)


def _best(scored: list[tuple[float, Candidate]]) -> tuple[float, Candidate] | None:
    """The first of about the highest score, after what is written twice has gained by it."""
    if not scored:
        return None
    if len(scored) == 1:
        return scored[0]
    seen = Counter(candidate.code for score, candidate in scored if score > 0)
    totals = [(score + 0.8 if seen[candidate.code] > 1 else score, candidate) for score, candidate in scored]
    highest = max(score for score, _ in totals)
    first = min(
        (candidate for score, candidate in totals if score >= highest - _ABOUT), key=lambda one: one.start
    )
    return highest, first


def _letters_only(reading: Reading, known: re.Pattern[str] | None) -> tuple[float, Candidate] | None:
    """A code of capitals alone, announced by a word for "code" before it or after it."""
    text = reading.text
    shouted = text.isupper()
    for mark in reading.marks:
        if mark.kind is not Kind.CODE:
            continue
        after = _CAPITAL_WORD.search(text, mark.end, mark.end + 24)
        if after and not _COPULA.search(text[mark.end : after.start()]):
            after = None
        before = _CAPITAL_WORD.search(text, max(mark.start - 40, 0), mark.start)
        if before and not _IS_YOUR.match(text, before.end()):
            before = None
        for found in (after, before):
            if found is None or kind_of(found[0]):
                continue
            vowels = sum(letter in "AEIOU" for letter in found[0])
            rare = vowels * (3 if found is after else 5) <= len(found[0]) and not shouted
            if rare or (known is not None and known.fullmatch(found[0])):
                return 3.2, Candidate(found[0], *found.span(), 0.5)
    return None
