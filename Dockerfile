# convscope on CPUs: docker build --tag convscope . && docker run --rm --volume "$PWD:/work" convscope train
FROM python:3.11-slim AS build
WORKDIR /source
RUN pip install --no-cache-dir build==1.6.1
COPY pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md CITATION.cff LICENSE NOTICE constraints.txt requirements.lock ./
COPY convscope convscope
RUN python -m build --wheel --outdir /wheels

FROM python:3.11-slim
LABEL org.opencontainers.image.title="convscope" org.opencontainers.image.licenses="MIT"
COPY requirements.lock /tmp/requirements.lock
# PyTorch's own index has builds without CUDA, which are a tenth of the size.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu --requirement /tmp/requirements.lock
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl \
    && mkdir -p /usr/local/share/man/man1 \
    && convscope --man > /usr/local/share/man/man1/convscope.1 \
    && useradd --create-home --uid 1000 convscope
USER convscope
ENV CONVSCOPE_CACHE=/home/convscope/.cache/convscope MPLCONFIGDIR=/home/convscope/.cache/matplotlib
WORKDIR /work
EXPOSE 8765
ENTRYPOINT ["convscope"]
CMD ["--help"]
