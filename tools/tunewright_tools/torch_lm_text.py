"""Text for `torch_lm`: one file, or the Python standard library's own source, as tokens of bytes or of a BPE.

Without a file the text is the source of the standard library's top-level modules, in the order of their names: real
text of some 4.7 MB that every Python has. It differs between Python versions, so the digest is printed with the result
and numbers are comparable only where it is the same.
"""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .torch_errors import ConflictError, TrainingError

if TYPE_CHECKING:
    import torch

_TRAIN_SHARE = 0.9
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Text:
    """The two parts of a text: what comes first is trained on, what comes last is measured on."""

    origin: str
    digest: str
    """The first 12 digits of the whole text's SHA-256."""
    train: bytes
    validation: bytes


@dataclass(frozen=True)
class Tokens:
    """The text as token numbers."""

    vocabulary: int
    train: "torch.Tensor"
    """Shape (n,), uint8 for bytes, else int32."""
    validation: "torch.Tensor"
    validation_bytes: "torch.Tensor"
    """How many bytes of text each validation token stands for; shape as `validation`, int64."""


def read(path: str | None, validation_bytes: int) -> Text:
    """The text, the last tenth of it cut off for validation, of which the first `validation_bytes` are used.

    Raises:
        TrainingError: the file cannot be read, or is too short to be cut in two.
    """
    if path is None:
        folder = Path(sysconfig.get_path("stdlib"))
        # Written when Python was built, so different from machine to machine.
        files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_sysconfigdata"))
        whole, origin = b"".join(file.read_bytes() for file in files), "the Python standard library's source"
    else:
        try:
            whole, origin = Path(path).read_bytes(), path
        except OSError as error:
            raise TrainingError(f"--data cannot be read: {error}") from None
    cut = _whole_character(whole, int(len(whole) * _TRAIN_SHARE))
    end = _whole_character(whole, cut + validation_bytes)
    if cut < 2 or len(whole) - cut < 2:
        raise TrainingError(f"{origin} has {len(whole)} bytes; a text to train on has some thousands")
    if end - cut < 2:
        raise TrainingError(
            f"--validation-bytes {validation_bytes} leaves {end - cut} whole bytes of text, and the first is given; "
            "measure some thousands"
        )
    return Text(origin, hashlib.sha256(whole).hexdigest()[:12], whole[:cut], whole[cut:end])


def _whole_character(text: bytes, at: int) -> int:
    """The last place up to `at` that is not within a character of UTF-8."""
    at = min(at, len(text))
    while 0 < at < len(text) and text[at] & 0xC0 == 0x80:
        at -= 1
    return at


def as_bytes(text: Text) -> Tokens:
    """Each byte one token of 256."""
    import torch

    train, validation = (torch.frombuffer(bytearray(part), dtype=torch.uint8) for part in (text.train, text.validation))
    return Tokens(256, train, validation, torch.ones(len(validation), dtype=torch.int64))


def as_bpe(text: Text, vocabulary: int) -> Tokens:
    """Tokens of a byte-level BPE that is made from the training part, with the `tokenizers` library.

    Raises:
        TrainingError: the library is not installed, the text is not UTF-8, or it does not have that many tokens in it.
    """
    import torch

    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError:
        raise TrainingError("--tokenizer bpe needs `pip install tokenizers`; --tokenizer bytes needs nothing") from None
    try:
        train, validation = text.train.decode(), text.validation.decode()
    except UnicodeDecodeError as error:
        raise TrainingError(f"{text.origin} is not UTF-8 ({error}); use --tokenizer bytes") from None
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(_pieces(train), trainer)
    made = tokenizer.get_vocab_size()
    if made != vocabulary:
        raise ConflictError(
            f"the BPE ended at {made} tokens, not --vocab-size {vocabulary}: the text has no more in it"
        )
    # In a byte-level vocabulary each character of a token's name is one byte.
    lengths = torch.tensor([len(tokenizer.id_to_token(number) or "") for number in range(made)])
    train_ids, validation_ids = (
        torch.tensor([i for piece in _pieces(part) for i in tokenizer.encode(piece).ids], dtype=torch.int32)
        for part in (train, validation)
    )
    if len(validation_ids) < 2:
        raise ConflictError(
            f"the {len(text.validation)} bytes to measure are one token, and the first is given; raise "
            "--validation-bytes, or use a longer text"
        )
    return Tokens(made, train_ids, validation_ids, lengths[validation_ids.long()])


def _pieces(text: str) -> list[str]:
    """The text in pieces that end with a line, so that no encoding of it is large."""
    pieces, lines, size = [], [], 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        size += len(line)
        if size >= _PIECE_BYTES:
            pieces.append("".join(lines))
            lines, size = [], 0
    return [*pieces, "".join(lines)] if lines else pieces
