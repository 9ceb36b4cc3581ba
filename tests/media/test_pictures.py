"""Uploads: what is no picture is refused, what is one is made anew and served strictly (attack A57)."""

from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select

from app.audit import AuditEntry
from app.config import Settings
from app.db import db
from app.media.models import MediaFile
from app.media.pictures import PictureRefused, list_widths
from app.media.services import list_variants, save_picture
from tests.factories import make_user
from tests.media.images import SECRET, make_bomb, make_image, make_photo_with_exif

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def folder(settings: Settings, picture: MediaFile) -> Path:
    return settings.instance_path / "media" / picture.sha256


def read_size(path: Path) -> tuple[str | None, int]:
    with Image.open(path) as file:
        return file.format, file.width


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_kept_in_three_widths_and_two_formats(app: Flask, settings: Settings, format_name: str) -> None:
    user = make_user()

    picture = save_picture(content=make_image(format_name), alt_text=" A funnel ", uploaded_by_id=user.id)

    assert (picture.mime, picture.width, picture.height, picture.alt_text) == ("image/jpeg", 1600, 889, "A funnel")
    files = {path.name: read_size(path) for path in folder(settings, picture).iterdir()}
    assert files == {
        f"{width}.{suffix}": (kind, width)
        for width in (480, 960, 1600)
        for suffix, kind in (("jpg", "JPEG"), ("webp", "WEBP"))
    }
    assert picture.byte_count == (folder(settings, picture) / "1600.jpg").stat().st_size
    assert db.session.scalars(select(AuditEntry.action)).all() == ["picture.uploaded"]


def test_a_small_picture_is_never_made_larger(app: Flask) -> None:
    picture = save_picture(content=make_image(size=(700, 300)))

    assert (picture.path.partition("/")[2], list_widths(picture.width)) == ("700.jpg", [480, 700])
    assert [width for _, width in list_variants(picture.path)] == [480, 700]


def test_the_same_bytes_again_are_the_same_picture(app: Flask) -> None:
    first = save_picture(content=make_image())
    again = save_picture(content=make_image())

    assert again.public_id == first.public_id
    assert db.session.scalar(select(func.count(MediaFile.id))) == 1


def test_files_that_went_missing_come_back_with_the_next_upload(app: Flask, settings: Settings) -> None:
    picture = save_picture(content=make_image())
    (folder(settings, picture) / "1600.jpg").unlink()

    save_picture(content=make_image())

    assert (folder(settings, picture) / "1600.jpg").exists()


def test_nothing_of_a_photos_metadata_is_kept_and_it_stands_upright(app: Flask, settings: Settings) -> None:
    picture = save_picture(content=make_photo_with_exif())

    assert (picture.width, picture.height) == (600, 1200)
    for path in folder(settings, picture).iterdir():
        assert SECRET not in path.read_bytes()
        with Image.open(path) as file:
            assert (dict(file.getexif()), file.info.get("icc_profile")) == ({}, None)


def test_what_stood_behind_the_picture_is_gone(app: Flask, settings: Settings) -> None:
    polyglot = make_image("JPEG") + b"<script>alert(1)</script>" + b"PK\x03\x04"

    picture = save_picture(content=polyglot)

    assert all(b"<script>" not in path.read_bytes() for path in folder(settings, picture).iterdir())


def test_a_clear_ground_becomes_white_in_the_jpeg_and_stays_clear_in_webp(app: Flask, settings: Settings) -> None:
    picture = save_picture(content=make_image(mode="RGBA", size=(500, 500)))

    with (
        Image.open(folder(settings, picture) / "500.jpg") as jpeg,
        Image.open(folder(settings, picture) / "500.webp") as webp,
    ):
        assert jpeg.getpixel((499, 499)) == (255, 255, 255)
        assert webp.getpixel((499, 499))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", SVG, b"<!doctype html><script>alert(1)</script>", make_image("GIF"), make_image("BMP"),
     make_image("TIFF"), make_image("PNG")[:200], make_image("JPEG")[:300], make_image("PDF"), make_bomb(),
     make_bomb(9_000, 9_000), make_bomb(200_000, 200_000), make_image(size=(15, 400)), b"\x89PNG\r\n\x1a\n" + b"\0" * 64],
    ids=["empty", "gif-head", "svg", "html", "gif", "bmp", "tiff", "cut-png", "cut-jpeg", "pdf", "bomb", "small-bomb",
         "huge-bomb", "sliver", "png-head"],
)  # fmt: skip
def test_what_is_no_usable_picture_is_refused_and_leaves_nothing(
    app: Flask, settings: Settings, content: bytes
) -> None:
    before = sorted((settings.instance_path / "media").glob("*"))

    with pytest.raises(PictureRefused):
        save_picture(content=content)

    assert db.session.scalar(select(func.count(MediaFile.id))) == 0
    assert sorted((settings.instance_path / "media").glob("*")) == before


def test_too_many_bytes_are_refused_before_anything_is_read(app: Flask) -> None:
    with pytest.raises(PictureRefused, match="10 MB"):
        save_picture(content=b"\0" * 10_000_001)


def test_a_picture_is_served_for_ever_as_nothing_but_a_picture(client: FlaskClient) -> None:
    picture = save_picture(content=make_image(size=(500, 400)))

    answer = client.get(f"/media/{picture.sha256}/500.webp")

    assert (answer.status_code, answer.content_type) == (200, "image/webp")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert Image.open(BytesIO(answer.data)).size == (500, 400)
    again = client.get(f"/media/{picture.sha256}/500.webp", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["{hash}/501.webp", "{hash}/500.svg", "{hash}/500.html", "{hash}/../500.jpg", "{hash}/%2e%2e%2f500.jpg", "{hash}/.jpg",
     "{hash}/500.jpg%00.html", "{hash}/500.jpg%0d%0aX-Evil: 1", "..%2f..%2f.secret_key/500.jpg", "{hash}", "{short}/500.jpg"],
)  # fmt: skip
def test_no_other_path_reaches_the_disk(client: FlaskClient, path: str) -> None:
    picture = save_picture(content=make_image(size=(500, 400)))

    answer = client.get("/media/" + path.format(hash=picture.sha256, short=picture.sha256[:10]))

    assert answer.status_code in {308, 400, 404}
    assert "X-Evil" not in answer.headers
