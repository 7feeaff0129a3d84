# One target for each service: docker build --target api|parser|embedder .
FROM python:3.11-slim AS base
# Where else pip is to look for packages.
ARG PIP_FIND_LINKS
ARG PIP_EXTRA_INDEX_URL
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /srv/stagecast
# The directories exist, so that a new volume mounted there belongs to the user.
RUN useradd --system --uid 10001 --home-dir /srv/stagecast stagecast \
    && install -d -o stagecast -g stagecast /var/lib/stagecast /var/lib/stagecast/objects /var/lib/stagecast/models
ENV DATA_DIR=/var/lib/stagecast
# Asks the service inside its container whether it could work. Who kills what is unhealthy should ask /healthz instead.
HEALTHCHECK --interval=5s --timeout=5s --start-period=90s --retries=6 CMD ["python", "-S", "-c", "\
import http.client, os, sys; \
probe = http.client.HTTPConnection('127.0.0.1', int(os.environ['HEALTH_PORT']), timeout=4); \
probe.request('GET', '/readyz'); \
sys.exit(probe.getresponse().status != 200)"]
# Prints the libraries of pyproject.toml that an extra names, or those of all services.
COPY --chmod=755 <<'PY' /usr/local/bin/libraries
#!/usr/local/bin/python
import pathlib, sys, tomllib
project = tomllib.loads(pathlib.Path("/srv/stagecast/pyproject.toml").read_text())["project"]
print(*(project["optional-dependencies"][sys.argv[1]] if sys.argv[1:] else project["dependencies"]), sep="\n")
PY
# Libraries have layers of their own, which a change of our code leaves as they are.
COPY pyproject.toml .
RUN libraries >/tmp/list && pip install -r /tmp/list

FROM base AS api
RUN libraries api >/tmp/list && pip install -r /tmp/list
COPY contracts contracts
COPY services services
USER stagecast
ENV HEALTH_PORT=3000
EXPOSE 3000
CMD ["python", "-m", "services.api"]

FROM base AS parser
RUN libraries parser >/tmp/list && pip install -r /tmp/list
COPY contracts contracts
COPY services services
USER stagecast
ENV HEALTH_PORT=3001
CMD ["python", "-m", "services.parser"]

FROM base AS embedder
# PyTorch first and pinned exactly: any wider wish makes pip take a build for graphics cards, of gigabytes.
# TORCH_INDEX_URL is an index of CPU builds, and asked for PyTorch alone.
ARG TORCH_INDEX_URL
RUN libraries embedder | grep '^torch==' >/tmp/list \
    && pip install ${TORCH_INDEX_URL:+--no-deps --index-url "$TORCH_INDEX_URL"} -r /tmp/list
RUN libraries embedder >/tmp/list && pip install -r /tmp/list
COPY contracts contracts
COPY services services
USER stagecast
ENV HEALTH_PORT=3002
CMD ["python", "-m", "services.embedder"]
