"""Where notifications talks to the outside: the mail server."""
