"""Bytes that claim to be a picture, and the pictures made of them. Nothing of the upload itself is kept.

What a file is decides its content, never its name. A decoder reads only as many pixels as a page could need, so that a
small file cannot unfold into gigabytes (attack A57); what is encoded anew carries no EXIF, no place, no script.
"""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from app.errors import AppError

LARGEST_UPLOAD = 10_000_000
MOST_PIXELS = 50_000_000
LEAST_SIDE = 16
WIDTHS = (480, 960, 1600)
READABLE = ("JPEG", "PNG", "WEBP")
QUALITY = 82
WHITE = (255, 255, 255)
TOO_MANY_PIXELS = f"Choose a picture of at most {MOST_PIXELS // 1_000_000} million pixels."


class PictureRefused(AppError):
    """The upload is not a picture we can use."""

    code = "picture_refused"
    status = 422
    title = "This picture can’t be used"
    sentence = "Choose a picture in JPEG, PNG or WebP format."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence, field="picture")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One size of a picture in one format. name is its file's: "960.webp"."""

    name: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class MadePicture:
    """All variants; width and height are the largest one's."""

    width: int
    height: int
    variants: tuple[Variant, ...]


def list_widths(largest: int) -> list[int]:
    """The widths a picture is kept in whose largest variant is this wide, in rising order."""
    return [width for width in WIDTHS if width < largest] + [largest]


def make_picture(content: bytes) -> MadePicture:
    """Decode an upload and encode its variants. Raises PictureRefused."""
    if len(content) > LARGEST_UPLOAD:
        raise PictureRefused(f"Choose a picture of at most {LARGEST_UPLOAD // 1_000_000} MB.")
    picture = _decode(content)
    largest = min(picture.width, WIDTHS[-1])
    variants: list[Variant] = []
    for width in list_widths(largest):
        height = max(1, round(picture.height * width / picture.width))
        resized = picture.resize((width, height), Image.Resampling.LANCZOS)
        variants += [
            Variant(name=f"{width}.webp", content=_encode(resized, "WEBP", quality=QUALITY, method=4)),
            Variant(name=f"{width}.jpg", content=_encode(_on_white(resized), "JPEG", quality=QUALITY, optimize=True)),
        ]
    return MadePicture(width=largest, height=height, variants=tuple(variants))


def _decode(content: bytes) -> Image.Image:
    try:
        with Image.open(BytesIO(content), formats=READABLE) as opened:
            # Known from the head alone: no pixel has been decoded yet.
            if opened.width * opened.height > MOST_PIXELS:
                raise PictureRefused(TOO_MANY_PIXELS)
            if min(opened.size) < LEAST_SIDE:
                raise PictureRefused(f"Choose a picture of at least {LEAST_SIDE} × {LEAST_SIDE} pixels.")
            # A JPEG is decoded at the smallest size that still serves.
            opened.draft("RGB", (2 * WIDTHS[-1], 2 * WIDTHS[-1]))
            has_alpha = "A" in opened.getbands() or "transparency" in opened.info
            upright = ImageOps.exif_transpose(opened)
            return upright.convert("RGBA" if has_alpha else "RGB")
    # Pillow's own guard, where the head claims even more.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureRefused(TOO_MANY_PIXELS) from error
    # What Pillow's decoders raise on damaged or lying files.
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureRefused from error


def _encode(picture: Image.Image, name: str, **options: object) -> bytes:
    """Pixels only: a bare copy has no EXIF, no color profile and no comment to write."""
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    made = BytesIO()
    bare.save(made, name, **options)
    return made.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, WHITE)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
