"""Posts: whoever reads content sees them, whoever writes content changes them."""

READ, WRITE = "content:read", "content:write"
POST = "/admin/posts/<public_id>"
REVISION = f"{POST}/revisions/<int:number>"
ROUTES = {
    ("GET", "/admin/posts"): READ,
    ("POST", "/admin/posts/bulk"): WRITE,
    ("POST", "/admin/posts/undo"): WRITE,
    ("POST", "/admin/posts/preview"): READ,
    ("POST", "/admin/posts/pictures"): WRITE,
    ("GET", "/admin/posts/new"): WRITE,
    ("POST", "/admin/posts/new"): WRITE,
    ("GET", POST): READ,
    ("POST", POST): WRITE,
    ("POST", f"{POST}/working-copy"): WRITE,
    ("POST", f"{POST}/working-copy/discard"): WRITE,
    ("POST", f"{POST}/delete"): WRITE,
    ("POST", f"{POST}/restore"): WRITE,
    ("POST", f"{POST}/cover"): WRITE,
    ("POST", f"{POST}/cover/remove"): WRITE,
    ("GET", f"{POST}/revisions"): READ,
    ("GET", REVISION): READ,
    ("POST", f"{REVISION}/restore"): WRITE,
}
