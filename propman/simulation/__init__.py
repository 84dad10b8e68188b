"""A simulated past: the system's own services, on a clock that is moved from one moment to the next."""
