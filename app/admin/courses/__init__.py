"""Courses in the back-office: the list with its bulk actions, the editor, the curriculum and the cover."""

from app.admin.courses import cover, curriculum, editor, lessons, listing, states

# Imported for the routes they hang on the blueprint.
VIEWS = (cover, curriculum, editor, lessons, listing, states)
