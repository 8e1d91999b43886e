"""EleutherAI's harness on a task with local data."""

import os
import pathlib

import pytest

import headway

lm_eval = pytest.importorskip("lm_eval")

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_task_with_local_data(engine, monkeypatch, tmp_path):
    from lm_eval.tasks import TaskManager

    from headway.lm_eval import HeadwayLM

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    manager = TaskManager(include_path=os.path.join(ROOT, "python/tests/lm_eval_task"), include_defaults=False)
    results = lm_eval.simple_evaluate(model=HeadwayLM(engine), tasks=["headway_endings"], task_manager=manager,
                                      bootstrap_iters=0, log_samples=True)
    # A model of stories tells a sentence from its words in another order.
    assert results["results"]["headway_endings"]["acc,none"] >= 0.8
    sample = results["samples"]["headway_endings"][0]
    text = sample["doc"]["begin"] + " " + sample["doc"]["right"]
    ids, begin = engine.encode(text), engine.encode(sample["doc"]["begin"])
    if ids[:len(begin)] == begin:
        logprobs, _ = engine.sequence().score(ids)
        told = float(sample["filtered_resps"][0][0])
        assert abs(told - logprobs[len(begin) - 1:].sum()) < 1e-6


def test_texts_are_written_in_batches(engine, monkeypatch):
    from headway.lm_eval import HeadwayLM

    class Request:
        def __init__(self, context, options):
            self.args = (context, options)

    sizes = []
    batch = headway.Engine.generate_batch

    def counted(self, prompts, **options):
        sizes.append((len(prompts), options["batch_size"]))
        return batch(self, prompts, **options)

    monkeypatch.setattr(headway.Engine, "generate_batch", counted)
    contexts = ["Once upon a time", "The fox", "A little bear went", "One day"]
    options = [{"until": ["."], "max_gen_toks": 12}, {"until": ".", "max_gen_toks": 12}, {"max_gen_toks": 5},
               {"until": ["."], "max_gen_toks": 12, "temperature": 0.7}]  # without do_sample: greedy
    texts = HeadwayLM(engine, batch_size=2).generate_until([Request(c, o) for c, o in zip(contexts, options)])
    assert sizes == [(3, 2), (1, 2)]
    for context, asked, text in zip(contexts, options, texts):
        alone = engine.generate(context, max_new_tokens=asked["max_gen_toks"], stop=asked.get("until")).read()
        assert text == alone.text
