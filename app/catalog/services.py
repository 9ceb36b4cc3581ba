"""The catalog's services under one name; they live in the files named after their subject."""

from app.catalog.cards import (
    CategoryCount,
    CourseCard,
    CourseList,
    list_categories,
    list_course_cards,
    list_courses,
    list_courses_after,
)
from app.catalog.course_pages import (
    CoursePage,
    LessonPage,
    find_course_by_old_slug,
    get_course_page,
    get_lesson,
    list_current_prices,
    list_sections,
)
from app.catalog.courses import (
    SavedCourse,
    create_course,
    ensure_categories,
    get_course_file,
    list_course_ids_by_slug,
    list_course_slugs,
    list_course_slugs_by_id,
    plan_course_files,
    save_course_file,
    save_course_files,
)
from app.catalog.offers import Offer
from app.catalog.prices import replace_price, retire_price

__all__ = [
    "CategoryCount",
    "CourseCard",
    "CourseList",
    "CoursePage",
    "LessonPage",
    "Offer",
    "SavedCourse",
    "create_course",
    "ensure_categories",
    "find_course_by_old_slug",
    "get_course_file",
    "get_course_page",
    "get_lesson",
    "list_categories",
    "list_course_cards",
    "list_course_ids_by_slug",
    "list_course_slugs",
    "list_course_slugs_by_id",
    "list_courses",
    "list_courses_after",
    "list_current_prices",
    "list_sections",
    "plan_course_files",
    "replace_price",
    "retire_price",
    "save_course_file",
    "save_course_files",
]
