"""When things are due: schedules, their occurrences, and what came of each."""
