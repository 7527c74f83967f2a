# A load generator worker: no kopf, no kubernetes in it. Build with the repository root as context:
#   docker build -f deploy/images/worker.Dockerfile -t localhost/loadtest-worker:dev .
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS tools
RUN python -m venv --without-pip /tools \
 && pip --python /tools/bin/python install --no-cache-dir "uv>=0.13,<0.14" "hatchling>=1.27,<2"
ENV UV_PROJECT_ENVIRONMENT=/venv UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY pyproject.toml uv.lock /src/

# Third-party packages, as locked; built again only when the lock changes.
FROM tools AS dependencies
RUN /tools/bin/uv sync --frozen --no-dev --no-install-project --compile-bytecode --quiet

# The product itself, in a folder of its own, so that a change of source makes one small layer.
FROM tools AS product
COPY README.md /src/
COPY loadgen /src/loadgen
COPY operator /src/operator
RUN /tools/bin/uv pip install --python /tools/bin/python --target /app --no-deps --no-build-isolation --compile-bytecode --quiet .

FROM ${PYTHON_IMAGE}
# Python's own images leave their library uncompiled, and this user may not write: each start would compile it again.
RUN python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" -x '/(test|lib2to3|site-packages|dist-packages)/'
COPY --from=dependencies /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["python", "-m", "loadgen"]
COPY --from=product /app /app
