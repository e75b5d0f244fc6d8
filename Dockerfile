FROM python:3.13-slim

# Statements as PDF are drawn by pango.
RUN apt-get update && apt-get install -y --no-install-recommends \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/jangteo
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN python scripts/compile_messages.py && python manage.py collectstatic --noinput
RUN useradd --system --home-dir /srv/jangteo jangteo \
    && mkdir -p /var/lib/jangteo/config /var/lib/jangteo/media \
    && chown -R jangteo var /var/lib/jangteo
USER jangteo
ENV STATIC_COLLECTED=true MEDIA_ROOT=/var/lib/jangteo/media JANGTEO_CONFIG=/var/lib/jangteo/config
EXPOSE 8000
ENTRYPOINT ["bash", "bin/container"]
CMD ["web"]
