"""Who may open what: seats, grants, enrollments and lesson progress."""
