"""Links that show a post's page before it is published, to people without an account: signed, with an end."""

from datetime import timedelta

from app.signing import read_link, sign_link

PURPOSE = "post_preview"
VALID_FOR = timedelta(days=7)


def make_post_preview_token(public_id: str, *, user_id: int = 0) -> str:
    """The token of a preview's address, good for a week from now. user_id: with what this person has not saved yet."""
    return sign_link(PURPOSE, [public_id, user_id])


def read_post_preview_token(token: str) -> tuple[str, int]:
    """The public id of a token’s post, and whose unsaved work it shows (0: none). Raises LinkExpired, LinkInvalid."""
    public_id, user_id = read_link(PURPOSE, token, max_age_seconds=int(VALID_FOR.total_seconds()))
    return str(public_id), int(user_id)
