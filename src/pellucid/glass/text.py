"""Plain text for narrow places: words wrapped into lines, drawings for those who have only ASCII.

Apart from what draws handshakes, so that a program which only prints a sentence loads none of it.
"""

from __future__ import annotations

import textwrap

#: For terminals and files that cannot hold the box-drawing characters: one column for one column.
_ASCII = str.maketrans("│├┤╞╡─═▶◀✓✗–…·╵⏎━└╭╰▲×≠", "|||||-=><+x-~..$=`..^x#")


def wrap(text: str, width: int) -> list[str]:
    """Words into lines; a word longer than the line is cut.

    >>> wrap("one two three", 8)
    ['one two', 'three']
    """
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def to_ascii(text: str) -> str:
    """`text` with ASCII in the place of box-drawing characters.

    >>> to_ascii("├─▶ ServerHello")
    '|-> ServerHello'
    """
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
