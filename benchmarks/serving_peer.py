"""The peer of serving.py: FastAPI, uvicorn and transformers, as one writes it in an afternoon.

FOLDER           a model directory in Hugging Face's format
--bf16           under bf16 autocast
--in-turn        `async def`: one request after the other; else `def`, FastAPI's threads
"""

from __future__ import annotations

import argparse
import socket

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
parser.add_argument("folder")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--max-length", type=int, default=512)
parser.add_argument("--temperature", type=float, default=1.0, help="by which albertkit divides a run's logits")
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--in-turn", action="store_true")
options = parser.parse_args()
torch.set_num_threads(options.threads)


class Body(BaseModel):
    """What a client sends."""

    text: str


# The whole of the peer.
tokenizer = AutoTokenizer.from_pretrained(options.folder)
model = AutoModelForSequenceClassification.from_pretrained(options.folder).eval()
app = FastAPI()


@torch.inference_mode()
def classify(body: Body) -> dict[str, list[dict[str, object]]]:
    """Answer a request."""
    with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
        given = tokenizer(body.text, truncation=True, max_length=options.max_length, return_tensors="pt")
        logits = model(**given).logits[0].float() / options.temperature
    shares = dict(zip(model.config.id2label.values(), logits.softmax(-1).tolist(), strict=True))
    return {"results": [{"label": max(shares, key=lambda label: shares[label]), "probabilities": shares}]}


if options.in_turn:

    @app.post("/classify")
    async def in_turn(body: Body) -> dict[str, list[dict[str, object]]]:
        """Answer in the loop: no other request is read meanwhile."""
        return classify(body)

else:

    @app.post("/classify")
    def in_threads(body: Body) -> dict[str, list[dict[str, object]]]:
        """Answer in one of FastAPI's 40 threads."""
        return classify(body)


# Until here; below only where it listens.
if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])
