# One image for every service, and for `propman` itself: docker compose says which service a container runs.

FROM python:3.11-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

RUN python -m venv /opt/propman
ENV PATH=/opt/propman/bin:$PATH

# The dependencies first: this layer is built again only when the lock changes.
COPY requirements.lock /build/
RUN pip install --require-hashes -r /build/requirements.lock

COPY pyproject.toml README.md LICENSE /build/
COPY propman /build/propman
COPY services /build/services
COPY shared /build/shared
RUN pip install --no-deps /build \
    && pip uninstall --yes pip


FROM python:3.11-slim

ENV PATH=/opt/propman/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin propman

COPY --from=build /opt/propman /opt/propman

USER propman
WORKDIR /tmp

# SIGTERM drains: stop consuming, finish what is in flight, exit 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["propman"]
CMD ["--help"]
