"""Pictures and things that only look like one, as bytes."""

import struct
import zlib
from io import BytesIO

from PIL import Image

SECRET = b"GPS 47.1234 8.5678 secret"


def make_image(format_name: str = "PNG", *, size: tuple[int, int] = (1800, 1000), mode: str = "RGB") -> bytes:
    """A picture with a few colors."""
    image = Image.new(mode, size, (42, 72, 215) if mode == "RGB" else (42, 72, 215, 0))
    image.paste((228, 242, 106), (10, 10, size[0] // 2, size[1] // 2))
    made = BytesIO()
    image.save(made, format_name)
    return made.getvalue()


def make_photo_with_exif() -> bytes:
    """A JPEG turned by its EXIF, with a maker's note that names a place."""
    image = Image.new("RGB", (1200, 600), (200, 30, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = SECRET.decode()
    made = BytesIO()
    image.save(made, "JPEG", exif=exif.tobytes(), comment=SECRET)
    assert SECRET in made.getvalue()
    return made.getvalue()


def make_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few hundred bytes whose head claims a picture of gigabytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
