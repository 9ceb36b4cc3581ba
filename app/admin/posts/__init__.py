"""Posts in the back-office: the list with its bulk actions, the editor with its preview, pictures and revisions."""

from app.admin.posts import editor, listing, pictures, revisions, states

# Imported for the routes they hang on the blueprint.
VIEWS = (editor, listing, pictures, revisions, states)
