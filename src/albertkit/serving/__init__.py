"""Serving: a model behind HTTP, with its page.

request -> observer -> admission -----------> capability -> batcher ----> model
           id, log,    key, body, slot,       text to       many requests  one thread
           metrics     deadline, who has left sequences     in one pass
"""
