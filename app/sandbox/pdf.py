"""A PDF of a few lines of text on one page, written by hand: enough for an invoice that can be opened and saved."""

_LEFT, _TOP, _LEADING = 56, 780, 18
_MOST_LINES = 40


def text_pdf(title: str, lines: list[str]) -> bytes:
    """One A4 page. Characters beyond Windows-1252 become question marks, lines past the page are left out."""
    shown = [f"BT /F1 20 Tf {_LEFT} {_TOP} Td ({_escape(title)}) Tj ET"]
    shown += [
        f"BT /F1 11 Tf {_LEFT} {_TOP - 40 - number * _LEADING} Td ({_escape(line)}) Tj ET"
        for number, line in enumerate(lines[:_MOST_LINES])
    ]
    content = "\n".join(shown).encode("cp1252", "replace")
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Font << /F1 5 0 R >> >>",
        ]
    )


def _escape(text: str) -> str:
    single = "".join(character if character.isprintable() else " " for character in text)
    return single.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _file(objects: list[bytes]) -> bytes:
    """The objects with the table of where each of them begins."""
    written, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return (
        written
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(written))
    )
