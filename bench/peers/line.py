"""Requests and answers: a line of JSON each, on stdin and stdout."""
import json
import os
import platform
import sys

import torch


def serve(kind, versions={}):
    """Answers with the methods of kind(FOLDER, DEVICE), until stdin ends."""
    torch.set_num_threads(int(sys.argv[2]))
    torch.backends.cudnn.allow_tf32 = False  # as csrc/device.cpp
    peer = kind(sys.argv[1], sys.argv[3])
    say = sys.stdout
    sys.stdout = sys.stderr  # nothing else may come between the answers
    library = os.path.join(os.path.dirname(torch.__file__), "lib", "libtorch_cpu.so")
    print(json.dumps({"python": platform.python_version(), "torch": torch.__version__, "library": library} | versions), file=say, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(peer, request.pop("do"))(**request)
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), file=say, flush=True)
