#!/usr/bin/env python3
"""Draws what choosing each token of a text took: how far the best score stood above the next one, and what part of the
head's bytes the certified head read to prove it.

    python examples/python/margin.py models/story-12m.gguf -p "Once upon a time" -o margin.png

Needs `pip install . matplotlib`.
"""
import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

import headway  # noqa: E402


def observe(engine, prompt, max_new_tokens):
    """The tokens that the head chooses after a prompt: texts, margins in logits, shares of the head's bytes."""
    sequence = engine.sequence()
    sequence.append(engine.encode(prompt))
    texts, margins, shares = [], [], []
    for _ in range(max_new_tokens):
        best = np.partition(sequence.logits(), -2)[-2:]  # every logit, only to draw the margin
        margins.append(float(best[1] - best[0]))
        token = sequence.step()[0]
        evidence = sequence.certificates()[0]
        shares.append(100 * evidence.bytes_read / engine.summary["head_bytes"])
        texts.append(engine.decode([token]))
        if token == engine.eos_token_id:
            break
    return texts, np.array(margins), np.array(shares)


def draw(texts, margins, shares, title, output):
    positions = np.arange(len(texts))
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(max(7.0, 0.24 * len(texts)), 5.2),
                                          layout="constrained")
    figure.suptitle(title)
    upper.bar(positions, margins, color="#4477aa")
    upper.set_ylabel("margin of the best\nlogit over the next")
    lower.bar(positions, shares, color=np.where(shares >= 100, "#cc3311", "#228833"))
    lower.axhline(100, color="black", linewidth=0.8, linestyle="--")
    lower.text(len(texts) - 0.5, 101, "the whole head", ha="right", va="bottom", fontsize=8)
    lower.set_ylabel("head's bytes\nread, %")
    lower.set_ylim(0, max(112.0, 1.08 * shares.max()))
    lower.set_xticks(positions, [text.strip() or "␣" for text in texts], rotation=90, fontsize=8)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(output, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("-p", "--prompt", default="Once upon a time")
    parser.add_argument("-n", "--tokens", type=int, default=48)
    parser.add_argument("-o", "--output", default="margin.png")
    arguments = parser.parse_args()
    engine = headway.Engine(arguments.model, head="certified")
    texts, margins, shares = observe(engine, arguments.prompt, arguments.tokens)
    print(arguments.prompt + "".join(texts))
    print(f"median margin {np.median(margins):.2f} logits, mean {shares.mean():.0f} % of the head's bytes")
    draw(texts, margins, shares, f'{engine.summary["name"]}: what each token took', arguments.output)


if __name__ == "__main__":
    main()
