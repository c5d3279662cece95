# Two images from one file: `carnet` (service and keeper) and `anvil` (the dev chain).

FROM node:22.11.0-bookworm-slim AS anvil
WORKDIR /opt/anvil
COPY tools/anvil/package.json tools/anvil/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund \
 && chmod 0755 node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil \
 && ln -s /opt/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil /usr/local/bin/anvil \
 && mkdir /state && chown node:node /state
USER node
EXPOSE 8545
VOLUME /state
ENTRYPOINT ["anvil"]
# Anvil must listen beyond its own container; compose publishes it to no host.
CMD ["--host", "0.0.0.0", "--port", "8545", "--chain-id", "31337", "--state", "/state/anvil.json", "--state-interval", "1", "--preserve-historical-states", "--allow-origin", "http://localhost", "--silent"]

FROM python:3.12.7-bookworm AS build
WORKDIR /build
COPY requirements/runtime.txt requirements/uv.txt ./requirements/
RUN python -m venv /opt/carnet \
 && /opt/carnet/bin/pip install --no-cache-dir --require-hashes -r requirements/uv.txt
ENV VIRTUAL_ENV=/opt/carnet UV_PYTHON_DOWNLOADS=never
RUN /opt/carnet/bin/uv pip install --no-cache --require-hashes -r requirements/runtime.txt
COPY . .
RUN /opt/carnet/bin/uv pip install --no-cache --no-deps .

FROM python:3.12.7-slim-bookworm AS carnet
RUN useradd --create-home --uid 10001 carnet && mkdir /workspace && chown carnet:carnet /workspace
COPY --from=build /opt/carnet /opt/carnet
ENV PATH=/opt/carnet/bin:$PATH CARNET_WORKSPACE=/workspace PYTHONUNBUFFERED=1
USER carnet
VOLUME /workspace
EXPOSE 8080
ENTRYPOINT ["carnet"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
