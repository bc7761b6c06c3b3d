"""Serves a model as llama.cpp does, on a free port of 127.0.0.1, and prints its address. Ends when its standard input does, so that
it never outlives the test that started it."""
import os
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.port = 0
params.hostnames = ["127.0.0.1"]
params.n_ctx = 4096
# Two questions at a time: a third waits, as it would at any provider that is busy.
params.n_parallel = 2
params.cpuparams.n_threads = 2
params.cpuparams_batch.n_threads = 2
# Without it, a model whose attention slides reads the whole prompt again for every question.
params.swa_full = True
params.endpoint_metrics = True
params.use_jinja = True

server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
# The threads of the server are not waited for: nothing of theirs is worth keeping.
os._exit(0)
