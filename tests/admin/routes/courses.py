"""Courses: whoever reads content sees them, whoever writes content changes them."""

READ, WRITE = "content:read", "content:write"
COURSE = "/admin/courses/<public_id>"
SECTION = f"{COURSE}/sections/<section_id>"
LESSON = f"{COURSE}/lessons/<lesson_id>"
ROUTES = {
    ("GET", "/admin/courses"): READ,
    ("POST", "/admin/courses/bulk"): WRITE,
    ("POST", "/admin/courses/undo"): WRITE,
    ("GET", "/admin/courses/new"): WRITE,
    ("POST", "/admin/courses/new"): WRITE,
    ("GET", COURSE): READ,
    ("POST", COURSE): WRITE,
    ("POST", f"{COURSE}/duplicate"): WRITE,
    ("POST", f"{COURSE}/delete"): WRITE,
    ("POST", f"{COURSE}/restore"): WRITE,
    ("POST", f"{COURSE}/cover"): WRITE,
    ("POST", f"{COURSE}/cover/remove"): WRITE,
    ("POST", f"{COURSE}/curriculum"): WRITE,
    ("GET", f"{COURSE}/sections/new"): WRITE,
    ("POST", f"{COURSE}/sections/new"): WRITE,
    ("GET", SECTION): WRITE,
    ("POST", SECTION): WRITE,
    ("POST", f"{SECTION}/move"): WRITE,
    ("POST", f"{SECTION}/delete"): WRITE,
    ("POST", f"{SECTION}/restore"): WRITE,
    ("GET", f"{SECTION}/lessons/new"): WRITE,
    ("POST", f"{SECTION}/lessons/new"): WRITE,
    ("GET", LESSON): READ,
    ("POST", LESSON): WRITE,
    ("POST", f"{LESSON}/move"): WRITE,
    ("POST", f"{LESSON}/delete"): WRITE,
    ("POST", f"{LESSON}/restore"): WRITE,
}
