"""What weather asks of the outside: api.weather.gov, and Open-Meteo where it is configured."""
