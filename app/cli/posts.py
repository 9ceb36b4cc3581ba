"""flask posts import | export | check. The blog knows topics and courses by key; what posts name is found above it."""

import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from flask.cli import AppGroup

from app.blog import services as blog
from app.blog.post_files import PostFile, format_post_file, parse_post_file
from app.blog.services import StoredPost
from app.catalog import services as catalog
from app.cli.files import fail_in_words, read_files, tell_saved, write_exports
from app.config import current_settings
from app.reports.post_editor import resolve_posts
from app.reports.post_warnings import list_post_warnings

posts = AppGroup("posts", help="Blog posts as Markdown files with front matter.")


@posts.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would change and keep nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def import_posts(paths: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Make or update posts from files or folders of .md files: all of them or none.

    The courses a post names must be there already; an unknown category is refused in a dry run and made otherwise.

    \b
    Example:
      flask posts import --dry-run posts/
      flask posts import posts/my-post.md
    """
    files = [parse_post_file(text, name, zone=site_zone()) for name, text in read_files(paths)]
    if dry_run:
        known = {category.name for category in catalog.list_categories()}
        resolved = resolve_posts([file for file in files if file.category in known])
        saved = [(row.slug, str(row.outcome)) for row in blog.plan_post_files(resolved)]
        # A topic that would be made first has no posts yet.
        saved += [(file.slug, "created") for file in files if file.category not in known]
    else:
        saved = [(row.slug, str(row.outcome)) for row in blog.save_post_files(resolve_posts(files))]
    tell_saved("posts", saved, as_json=as_json, is_plan=dry_run)


@posts.command("export")
@click.argument("slug", required=False)
@click.option("--all", "export_all", is_flag=True, help="Every post, drafts too.")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write files into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the files' texts by slug.")
@fail_in_words
def export_posts(slug: str | None, export_all: bool, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Write a post (or all of them) as the file that an import reads back unchanged.

    \b
    Example:
      flask posts export my-post
      flask posts export --all --to backup/posts
    """
    if bool(slug) == export_all:
        raise click.UsageError("Name one post or say --all.")
    slugs = blog.list_post_slugs() if slug is None else [slug]
    texts = {name: format_post_file(_named(blog.get_stored_post(name)), zone=site_zone()) for name in slugs}
    write_exports(texts, folder, as_json=as_json)


@posts.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: sentences by slug.")
@fail_in_words
def check_posts(as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Say which posts lead to an archived course, or name a price that is not the live one.

    Reads every text anew, so courses that were made or renamed since a post was saved are found too. The back-office
    lists the same posts under "To check".

    \b
    Example:
      flask posts check
    """
    ids = blog.list_post_ids()
    for post_id in ids:
        blog.search_post(post_id)
    warnings = list_post_warnings(ids)
    slugs = blog.list_slugs_by_id(list(warnings))
    found = {slugs[post_id]: sentences for post_id, sentences in warnings.items()}
    if as_json:
        click.echo(json.dumps(found))
        return
    for slug, sentences in sorted(found.items()):
        click.echo("\n".join(f"{slug}: {sentence}" for sentence in sentences))
    click.echo(f"{len(ids)} post{'' if len(ids) == 1 else 's'} read, {len(found)} to check.")


def site_zone() -> ZoneInfo:
    """The shop's time zone: a date in a file is a day there."""
    settings = current_settings()
    return ZoneInfo(settings.site_timezone)


def _named(stored: StoredPost) -> PostFile:
    category = next(item.name for item in catalog.list_categories() if item.category_id == stored.category_id)
    slugs = catalog.list_course_slugs_by_id(stored.course_ids)
    return replace(stored.file, category=category, courses=tuple(slugs[course_id] for course_id in stored.course_ids))
