FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv --without-pip /opt/venv
WORKDIR /app
COPY requirements.txt ./
RUN pip --python /opt/venv/bin/python install --require-hashes -r requirements.txt
COPY . ./
RUN DRDASH_DATA_DIR=/app/var /opt/venv/bin/python manage.py collectstatic --noinput \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib drdash

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DRDASH_DATA_DIR=/app/var
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin drdash \
    && install -d -o drdash -m 700 /audit
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "drdash.serve", "--host", "0.0.0.0", "--port", "8000"]
