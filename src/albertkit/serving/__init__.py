"""Serving: a model behind HTTP, with its page.

request -> observer -> gate ----------------> verb ---> batcher ----> model
           id, log,    key, body, place,      text to   many requests  one thread
           metrics     deadline, who has left sequences in one pass
"""
