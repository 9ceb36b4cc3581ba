"""flask courses import | export | list."""

import json
from pathlib import Path

import click
from flask.cli import AppGroup

from app.catalog import services
from app.catalog.course_files import format_course_file, parse_course_file
from app.catalog.stock import CourseStock, list_course_stock
from app.cli.files import fail_in_words, read_files, tell_saved, write_exports
from app.money import format_money

courses = AppGroup("courses", help="Courses as Markdown files with front matter.")


@courses.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would change and keep nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def import_courses(paths: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Make or update courses from files or folders of .md files: all of them or none.

    A price that differs replaces the one in force; orders and open checkouts keep theirs.

    \b
    Example:
      flask courses import --dry-run courses/
      flask courses import courses/my-course.md
    """
    files = [parse_course_file(text, name) for name, text in read_files(paths)]
    saved = services.plan_course_files(files) if dry_run else services.save_course_files(files)
    tell_saved("courses", ((row.slug, row.outcome) for row in saved), as_json=as_json, is_plan=dry_run)


@courses.command("export")
@click.argument("slug", required=False)
@click.option("--all", "export_all", is_flag=True, help="Every course, drafts too.")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write files into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the files' texts by slug.")
@fail_in_words
def export_courses(slug: str | None, export_all: bool, folder: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Write a course (or all of them) as the file that an import reads back unchanged.

    \b
    Example:
      flask courses export my-course
      flask courses export --all --to backup/courses
    """
    if bool(slug) == export_all:
        raise click.UsageError("Name one course or say --all.")
    slugs = services.list_course_slugs() if slug is None else [slug]
    texts = {name: format_course_file(services.get_course_file(name)) for name in slugs}
    write_exports(texts, folder, as_json=as_json)


@courses.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: amounts in minor units.")
@fail_in_words
def list_all(as_json: bool) -> None:  # noqa: FBT001 - click's form
    """List every course with its prices and seats, drafts and archived ones too.

    \b
    Example:
      flask courses list
      flask courses list --json
    """
    found = list_course_stock()
    if as_json:
        click.echo(json.dumps({"courses": [_describe(row) for row in found], "count": len(found)}))
        return
    for row in found:
        prices = ", ".join(format_money(amount, currency) for amount, currency in row.prices) or "not on sale"
        seats = str(row.taken_seats) if row.capacity is None else f"{row.taken_seats} of {row.capacity}"
        click.echo(f"{row.status:>9}  {row.slug:<40}  {seats:>10} taken  {prices}")
    click.echo("1 course." if len(found) == 1 else f"{len(found)} courses.")


def _describe(row: CourseStock) -> dict[str, object]:
    return {
        "slug": row.slug,
        "title": row.title,
        "status": row.status,
        "prices": [{"unit_amount": amount, "currency": currency} for amount, currency in row.prices],
        "capacity": row.capacity,
        "taken": row.taken_seats,
    }
