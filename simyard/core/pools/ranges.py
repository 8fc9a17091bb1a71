"""Number ranges that regulators keep for drama and documentation: nobody can own a number in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from math import gcd
from typing import Final

# A step near the golden section of the size spreads neighbours over the whole range.
_GOLDEN_NUMERATOR: Final = 618_034
_GOLDEN_DENOMINATOR: Final = 1_000_000


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# North America: 555-0100 to 555-0199 in every area code.
_US_AREA_CODES: Final = _words("""
    201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 220 223 224 225 228 229 231 234 239
    240 248 251 252 253 254 256 260 262 267 269 270 272 276 281 301 302 303 304 305 307 308 309 310 312 313
    314 315 316 317 318 319 320 321 323 325 330 331 334 336 337 339 346 347 351 352 360 361 385 386 401 402
    404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 430 432 434 435 440 442 443 458 469 470
    475 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520 530 531 534 539 540
    541 551 559 561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 605 606 607 608 609 610 612 614
    615 616 617 618 619 620 623 626 630 631 636 641 646 650 651 657 660 661 662 667 669 678 681 682 701 702
    703 704 706 707 708 712 713 714 715 716 717 718 719 720 724 725 727 731 732 734 737 740 747 754 757 760
    762 763 765 769 770 772 773 774 775 779 781 785 786 801 802 803 804 805 806 808 810 812 813 814 815 816
    817 818 828 830 831 832 843 845 847 848 850 856 857 858 859 860 862 863 864 865 870 872 878 901 903 904
    906 907 908 909 910 912 913 914 915 916 917 918 919 920 925 928 929 931 936 937 938 940 941 947 949 951
    952 954 956 970 971 972 973 978 979 980 985 989
""")
_CA_AREA_CODES: Final = _words("""
    204 226 236 249 250 289 306 343 365 403 416 418 431 437 438 450 506 514 519 579 581 587 604 613 639 647
    705 709 778 780 807 819 867 873 902 905
""")
_PR_AREA_CODES: Final = ("787", "939")

# Australia publishes single numbers, not a block.
_AU_NUMBERS: Final = _words("""
    491570006 491570110 491570156 491570157 491570158 491570159 491570313 491570737 491571266 491571491
    491571804 491572549 491572665 491572983 491573087 491573770 491574118 491574632 491575254 491575789
    491576398 491576801 491577426 491577644 491578148 491578888 491578957 491579212 491579455 491579760
""")
_DE_NUMBERS: Final = _words("""
    15228817386 15228895456 15254599371 1729925904 1729968532 1729973185 1729973186 1729980752 1749091317
    1749464308
""")


def _block(prefix: str, first: int, last: int, width: int) -> list[str]:
    return [f"{prefix}{number:0{width}d}" for number in range(first, last + 1)]


def _north_american(area_codes: Sequence[str]) -> list[str]:
    return [number for area_code in area_codes for number in _block(f"+1{area_code}555", 100, 199, 4)]


def _germany() -> list[str]:
    return [
        *_block("+4917139200", 0, 99, 2),
        *_block("+49176040690", 0, 99, 2),
        *(f"+49{number}" for number in _DE_NUMBERS),
    ]


_LISTED: Final[dict[str, Callable[[], list[str]]]] = {
    "AU": lambda: [f"+61{number}" for number in _AU_NUMBERS],
    "CA": lambda: _north_american(_CA_AREA_CODES),
    "DE": _germany,
    "FR": lambda: _block("+3363998", 0, 9999, 4),
    "GB": lambda: _block("+447700900", 0, 999, 3),
    "IE": lambda: _block("+3532091", 0, 99_999, 5),
    "PR": lambda: _north_american(_PR_AREA_CODES),
    "SE": lambda: _block("+46701740", 605, 699, 3),
    "US": lambda: _north_american(_US_AREA_CODES),
}

COUNTRIES: Final = tuple(_LISTED)
"""The countries that have such ranges, by ISO2."""


@cache
def _mixed(country: str) -> tuple[str, ...]:
    listed = _LISTED[country]()
    size = len(listed)
    step = max(1, size * _GOLDEN_NUMERATOR // _GOLDEN_DENOMINATOR)
    while gcd(step, size) != 1:
        step += 1
    return tuple(listed[position * step % size] for position in range(size))


def numbers(country: str) -> Iterator[str]:
    """Every fictitious number of a country, E.164, each once; none for a country without such ranges.

    The order is the same on every machine and in every run, and neighbours in it are far apart in the range.
    """
    return iter(_mixed(country) if country in _LISTED else ())


def count(country: str) -> int:
    """How many `numbers` gives."""
    return len(_mixed(country)) if country in _LISTED else 0
