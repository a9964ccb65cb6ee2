"""Plays a training run: prints in the form asked for, then ends as asked for."""

import json
import os
import sys
import time

how = sys.argv[1]
rest = sys.argv[2:]

if how == "pairs":
    for step in range(1, 4):
        print(f"step={step} train_loss={9 / step} val_loss={1 / step}")
    print("loading 3 files")
    print("val_loss: 0.25")
elif how == "json":
    for epoch, loss in enumerate([0.5, 0.2, 0.4]):
        print(json.dumps({"epoch": epoch, "val_loss": loss, "lr": [0.1]}))
elif how == "colon":
    print("val_loss: 3\nval_loss: 0.125\nlatency_ms: 7")
elif how == "arguments":
    print("val_loss: 1")
    with open(os.environ["TUNEWRIGHT_CONFIG"]) as file:
        config = json.load(file)
    with open(os.path.join(os.environ["TUNEWRIGHT_TRIAL_DIR"], "seen.json"), "w") as file:
        json.dump({"argv": rest, "environ": dict(os.environ), "config": config, "cwd": os.getcwd()}, file)
elif how == "not_utf8":
    sys.stdout.buffer.write(b"\xff\xfe \xe9t\xe9\nval_loss: 0.5\n\xc3")
elif how == "no_ending":
    sys.stdout.write("val_loss: 0.5")
elif how == "huge":
    line = "x" * 199 + "\n"
    for _ in range(50):
        sys.stdout.write(line * 1000)
        sys.stderr.write(line * 100)
    print("val_loss: 0.5")
elif how == "nan":
    print("epoch=1 val_loss=0.7\nepoch=2 val_loss=nan")
elif how == "nan_error":
    raise FloatingPointError("overflow encountered in multiply")
elif how == "nan_stderr":
    sys.exit("training stopped: loss is nan at step 12")
elif how == "status":
    print("epoch=1 val_loss=0.7\nstatus: " + rest[0])
    sys.exit(int(rest[1]))
elif how == "crash":
    print("epoch=1 val_loss=0.7")
    raise KeyError("conv7")
elif how == "silent":
    print("Final best val_loss=0.3 after 3 epochs\nval_loss: unknown")
elif how == "oom_text":
    print("step=1 val_loss=0.7")
    print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", file=sys.stderr)
    print("ChildFailedError: worker 0 failed", file=sys.stderr)
    sys.exit(1)
elif how == "memory_error":
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    bytearray(1 << 30)
elif how == "allocate":
    kept = []
    for _ in range(600):
        kept.append(b"x" * (1 << 20))
        time.sleep(0.002)
    print("val_loss: 0.5")
elif how == "usage":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--lr")
    parser.parse_args(rest)
elif how == "module":
    import a_module_that_nobody_has  # noqa: F401
elif how == "full_disk":
    with open("/dev/full", "w") as file:
        file.write("checkpoint")
elif how == "killed":
    os.kill(os.getpid(), int(rest[0]))
elif how == "sleep":
    for step in range(600):
        print(f"step={step} val_loss={1 / (step + 1)}", flush=True)
        time.sleep(0.05)
else:
    sys.exit(f"train.py knows no {how!r}")
