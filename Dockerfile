# Two stages: the first installs the locked dependencies and the project into /opt/kspanpy, the second has only that and Python.
# Build for a release by digest: docker build --build-arg PYTHON=python:3.13-slim@sha256:... .
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv --without-pip /opt/kspanpy && python -m venv /build
WORKDIR /source
COPY requirements.lock requirements-build.lock ./
RUN /build/bin/pip install --require-hashes --requirement requirements-build.lock \
 && /build/bin/pip --python /opt/kspanpy/bin/python install --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY kspanpy kspanpy
# The bytecode is made here, because the file system is read-only later.
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/kspanpy/bin/python install --no-deps /wheels/*.whl

FROM ${PYTHON}
LABEL org.opencontainers.image.title=kspanpy \
      org.opencontainers.image.description="Turns Kubernetes Events into OpenTelemetry traces" \
      org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /opt/kspanpy /opt/kspanpy
ENV PATH=/opt/kspanpy/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
WORKDIR /
# Exec form: kspanpy is process 1 and gets the SIGTERM.
ENTRYPOINT ["kspanpy"]
CMD ["run"]
