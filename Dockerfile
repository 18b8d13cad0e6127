# A server for one model: `docker run -p 127.0.0.1:8000:8000 -v ./runs/polarity:/model:ro IMAGE serve /model --host 0.0.0.0`.
# Every other command runs as well: `docker run IMAGE info albert-nano`.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
# PyTorch's processor-only build; for a GPU give the index of its CUDA build, such as https://download.pytorch.org/whl/cu128.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" torch==2.13.0
# hadolint ignore=DL3013  # the version is that of the wheel
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    set -- /wheels/albertkit-*.whl && pip install --no-cache-dir "$1[serve]"

RUN useradd --create-home --uid 10001 albertkit
USER 10001
WORKDIR /home/albertkit
ENV PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["albertkit"]
CMD ["serve", "albert-nano", "--host", "0.0.0.0", "--port", "8000"]
