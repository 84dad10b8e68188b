"""Weather: asks official sources and forecasts, and says once when a property is in danger."""
