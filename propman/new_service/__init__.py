"""`propman new-service`: writes a service that works and is tested, to begin from.

The templates are the files of a service with `@name@` where its name belongs; they end in `.tmpl`, so that no
tool takes them for code. A test writes a service into a copy of the project and checks it like ours.
"""
