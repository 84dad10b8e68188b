"""`propman billing explain`: the group to which each subject adds its command."""

from typing import Final

from shared.cli import service_app

app: Final = service_app("explain", "Say which rule, which facts and which dates led to something.")
