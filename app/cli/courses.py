"""flask courses import | export."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.catalog import services
from app.catalog.course_files import format_course_file, parse_course_file
from app.cli.files import fail_in_words, read_files, tell_saved, write_exports

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
