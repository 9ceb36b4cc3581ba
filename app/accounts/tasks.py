"""The worker's side of accounts: a view of the site that nobody came back to ends all the same."""

from app.accounts.site_views import end_overdue_view, list_overdue_view_ids
from app.queue import sweep, task


@task("accounts.end_overdue_view")
def end_overdue_view_task(view_id: int) -> None:
    """One view past its time."""
    end_overdue_view(view_id)


sweep("accounts.end_overdue_view")(list_overdue_view_ids)
