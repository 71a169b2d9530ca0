"""Tiny models in the layout of the Hugging Face hub: made here, so that no test fetches one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch
from nlp_models.small import SENTENCES, write
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

if TYPE_CHECKING:
    from pathlib import Path

_SPECIAL = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
_LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
_SHORT = {"PERSON": "PER", "GPE": "LOC"}
_LONGEST = 64
_BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def train_tokens(texts: list[str], longest: int | None) -> PreTrainedTokenizerFast:
    """Train a word-piece tokenizer; `longest` is what the model can read at a time."""
    tokens = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=list(_SPECIAL.values()))
    tokens.train_from_iterator(texts, trainer)
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    limit = {} if longest is None else {"model_max_length": longest}
    return PreTrainedTokenizerFast(tokenizer_object=tokens, **_SPECIAL, **limit)


def train_bert(folder: Path, *, longest: int | None = _LONGEST) -> None:
    """Save a model that labels people and places. With `longest` None it fails on long texts."""
    dice = random.Random(0)  # noqa: S311 - a seed, not secrecy
    torch.manual_seed(0)
    gold = [write(dice.choice(SENTENCES), dice) for _ in range(400)]
    tokens = train_tokens([text for text, _ in gold], longest)
    config = BertConfig(
        vocab_size=len(tokens),
        max_position_embeddings=_LONGEST,
        id2label=dict(enumerate(_LABELS)),
        label2id={label: i for i, label in enumerate(_LABELS)},
        **_BERT,
    )
    model = BertForTokenClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(5):
        for at in range(0, len(gold), 50):
            batch = gold[at : at + 50]
            read = tokens(
                [text for text, _ in batch],
                padding=True,
                return_offsets_mapping=True,
                return_tensors="pt",
            )
            wanted = [
                [_label(start, end, entities) for start, end in spans]
                for (_, entities), spans in zip(batch, read["offset_mapping"].tolist(), strict=True)
            ]
            model(
                input_ids=read["input_ids"],
                attention_mask=read["attention_mask"],
                labels=torch.tensor(wanted),
            ).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)


def make_gliner(folder: Path) -> None:
    """Save a GLiNER model that was never trained: it finds all sorts of things."""
    from gliner import GLiNER, GLiNERConfig

    dice = random.Random(0)  # noqa: S311 - a seed, not secrecy
    torch.manual_seed(0)
    tokens = train_tokens([write(t, dice)[0] for t in SENTENCES * 20], 512)
    config = BertConfig(vocab_size=len(tokens), max_position_embeddings=512, **_BERT)
    backbone = folder / "backbone"
    BertModel(config).save_pretrained(backbone)
    tokens.save_pretrained(backbone)
    GLiNER.from_config(
        GLiNERConfig(
            model_name=str(backbone),
            hidden_size=32,
            max_width=4,
            dropout=0.0,
            subtoken_pooling="first",
            span_mode="markerV0",
        )
    ).save_pretrained(folder / "model")


def _label(start: int, end: int, entities: list[tuple[int, int, str]]) -> int:
    if start == end:
        return -100  # a special token: no part of the loss
    for first, last, name in entities:
        if first <= start < last:
            return _LABELS.index(("B-" if start == first else "I-") + _SHORT[name])
    return 0
