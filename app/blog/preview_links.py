"""Links that show a post's page before it is published, to people without an account: signed, with an end."""

from datetime import timedelta

from app.signing import read_link, sign_link

PURPOSE = "post_preview"
VALID_FOR = timedelta(days=7)


def make_post_preview_token(public_id: str) -> str:
    """The token of a preview's address, good for a week from now."""
    return sign_link(PURPOSE, public_id)


def read_post_preview_token(token: str) -> str:
    """The public id of the post a token shows. Raises LinkExpired, LinkInvalid."""
    return str(read_link(PURPOSE, token, max_age_seconds=int(VALID_FOR.total_seconds())))
