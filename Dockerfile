# The API. Built from the lock file with hashes; runs as nobody in particular.
FROM python:3.12-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
# The one lock also has the development tools: every file is held against its hash here, and of
# these files, and no others, only what the project itself needs is installed below.
RUN python -m pip download --quiet --require-hashes --dest /wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY workers workers
RUN python -m venv /opt/vitalrelay \
    && /opt/vitalrelay/bin/pip install --quiet --no-index --find-links /wheels . \
    && /opt/vitalrelay/bin/pip check

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin vitalrelay
COPY --from=build /opt/vitalrelay /opt/vitalrelay
WORKDIR /app
COPY alembic.ini ./
COPY alembic alembic
ENV PATH=/opt/vitalrelay/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    VITALRELAY_ALEMBIC_INI=/app/alembic.ini
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["vitalrelay", "doctor", "--for", "ingest", "--quiet"]
CMD ["vitalrelay", "api", "--host", "0.0.0.0", "--port", "8000"]
