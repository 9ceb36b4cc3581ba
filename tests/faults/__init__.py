"""The fault catalogue (docs/faults.md), each fault really provoked: processes, database, disk, clock."""
