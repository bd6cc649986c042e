"""The product in miniature, in under ten seconds: data → train → explain → page."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import convscope
from convscope.data.readers.digits import read_digits
from convscope.lab.server.app import create_app
from convscope.lab.server.guard import Access
from convscope.lab.shelf import Shelf


def test_data_train_explain_page(tmp_path):
    run = convscope.train("digits", epochs=5, lr=0.05, out=tmp_path / "runs")
    assert run.accuracy > 0.8
    assert run.summary["engine"] == "jit"

    test = read_digits()[1]
    image = test.images[0]
    p = run.predict(image[None])[0]
    assert run.classes[int(p.argmax())] == test.classes[test.labels[0]]

    explanation = convscope.explain(run.model, image)
    assert explanation.probabilities == pytest.approx(p, abs=1e-6)
    ledger = explanation.ledger("conv2", (7, 3, 4))
    assert len(ledger.terms) == 10 * 5 * 5
    assert abs(ledger.difference) <= 1e-6 * sum(abs(term.product) for term in ledger.terms)

    access = Access()
    app = create_app(access, Shelf(tmp_path / "runs"))
    with ThreadPoolExecutor(1) as other:  # the browser tests leave an event loop running in this thread
        page = other.submit(lambda: asyncio.run(get(app, f"/{access.token}/"))).result()
    assert page.status_code == 200
    assert "convscope lab</title>" in page.text


async def get(app, path):
    """A request to the lab without a socket."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        return await client.get(path)
