"""All SQL of weather."""
