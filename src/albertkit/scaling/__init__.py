"""One job on the workers of a Ray cluster.

    input --cut--> slices --Ray Data--> PartWorker: read, compute, write part-N --> result --> journal --> manifest
          slices.py       cluster.py    worker.py                                              folder.py

The driver (`run.py`) holds no texts and no vectors; a worker holds one slice at a time. Only `cluster.py` imports
`ray`, inside functions.
"""
