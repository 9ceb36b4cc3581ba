"""Posts, their links to courses, and their old addresses. Knows courses by key only."""
