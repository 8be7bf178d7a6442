"""What ``infounlearn --help`` says, kept as text so that it costs nothing to print."""

from __future__ import annotations

from infounlearn import __version__

COMMANDS = {
    "demo": "train a small network, make it forget, audit it and write a report (half a minute)",
    "points": "unlearn records from a trained model, your own or a built-in one",
    "feature": "release a table, or images, without what they tell of an attribute, and audit it",
    "audit": "audit saved outputs of any framework",
    "figure": "repeat a figure of the paper",
    "compare": "compare unlearning methods on equal terms",
    "show": "show what an earlier command found",
}

_TEXT = """\
infounlearn {version}: remove information from machine learning, and prove it is gone

usage: infounlearn COMMAND [options]
       infounlearn COMMAND --help

{commands}

examples:
  infounlearn demo
  infounlearn points --dataset digits --forget-random 0.1 --label-noise 0.2
  infounlearn points --model nets:build --weights w.safetensors --data nets:data --forget ids.csv
  infounlearn feature people.csv --sensitive sex --target income
  infounlearn feature images/ --attributes list_attr_celeba.txt --sensitive Smiling
  infounlearn audit unlearned.npz --original original.npz --reference retrained-*.npz
  infounlearn figure gaussian-toy --quick
  infounlearn compare points --quick
  infounlearn show runs/compare

exit codes:
  0  done; nothing speaks against it
  1  a verdict failed (not forgotten, over-forgotten, lost; still visible, fingerprint), or the
     run diverged
  2  bad input; nothing was written
  3  no verdict could be given (too few records or no references)
130  interrupted; the best state so far is kept

Information is in nats everywhere. Every report lists what it does not prove."""


def overview() -> str:
    """The help text of the bare command."""
    commands = "\n".join(f"  {name:8}{text}" for name, text in COMMANDS.items())
    return _TEXT.format(version=__version__, commands=commands)
