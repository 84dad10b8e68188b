"""The rules of weather: standard library only, no clock, no network."""
