"""Texts: the command line tool's, alone and in batches."""

import json
import math
import subprocess

import pytest

import headway
from headway.serving import tool_path

STORY = "Once upon a time"


def tool(*arguments):
    return subprocess.run([tool_path(), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_the_tools_tokens(engine, model, temperature):
    made = json.loads(tool("run", model, "-p", STORY, "-n", "24", "--temp", str(temperature), "--seed", "7", "--head",
                           "full:2", "--threads", "1", "--json"))
    found = engine.generate(STORY, max_new_tokens=24, temperature=temperature, seed=7).read()
    assert found.ids == made["generated_ids"]
    assert found.text == made["text"]


def test_tokens_come_one_by_one(engine):
    seen = []
    generation = engine.generate(STORY, max_new_tokens=12, logprobs=True)
    for token in generation:
        seen.append(token)
        assert token.logprob < 0 and token.certificate is None
        assert generation.ids == [t.id for t in seen]
    assert "".join(t.text for t in seen) == generation.text == engine.decode(generation.ids)
    assert generation.finish_reason == "length" and len(seen) == 12
    assert generation.counters["prefill_tokens"] == len(engine.encode(STORY))


def test_speculation_gives_the_same(engine):
    prompt = "The fox said: one, two, three. The fox said: one, two,"
    plain = engine.generate(prompt, max_new_tokens=40).read()
    guessed = engine.generate(prompt, max_new_tokens=40, speculate=True).read()
    assert plain.ids == guessed.ids and plain.text == guessed.text


def test_what_is_looked_up(engine):
    """Guesses come from runs as long as asked for alone; a probe counts and guesses nothing."""
    prompt = "The fox said: one, two, three. The fox said: one, two,"
    rules = {"allow_ids": engine.encode(prompt), "ignore_eos": True, "max_new_tokens": 40}
    plain = engine.generate(prompt, **rules).read()
    guessed = engine.generate(prompt, speculate=True, adapt=False, min_ngram=3, max_ngram=3, most_drafts=2, **rules).read()
    assert guessed.ids == plain.ids
    found, counters = guessed.sequence.ngrams, guessed.counters
    assert found["drafted"] == [0, 0, 0, counters["speculation_drafted"]] and counters["speculation_drafted"] > 0
    assert found["accepted"] == [0, 0, 0, counters["speculation_accepted"]]
    assert counters["speculation_drafted"] <= 2 * counters["speculation_passes"]
    assert counters["steps"] < plain.counters["steps"] and found["probe_drafted"] == []
    probe = engine.generate(prompt, probe_lookup=True, min_ngram=1, max_ngram=5, **rules).read()
    found, counters = probe.sequence.ngrams, probe.counters
    assert probe.ids == plain.ids and counters["steps"] == plain.counters["steps"]
    assert sum(found["probe_drafted"]) == counters["probe_drafted"] > 0 == counters["speculation_drafted"]
    assert counters["probe_tokens"] == counters["probe_passes"] + counters["probe_accepted"]


def test_alternatives(engine):
    sequence = engine.sequence(logprobs=True)
    sequence.append(engine.encode(STORY))
    (token,), ((_, _, logprob),) = sequence.step(), sequence.choices()
    best, chosen = sequence.alternatives(5)
    assert len(best) == 5 and best[0] == (token, chosen) and math.isclose(chosen, logprob, abs_tol=1e-5)
    assert [p for _, p in best] == sorted((p for _, p in best), reverse=True)
    assert sequence.alternatives(5, after_sampling=True) == ([(token, 0.0)], 0.0)  # greedy: no other can be drawn


def test_batch_gives_what_each_gets_alone(engine):
    prompts = [STORY, "The fox", "A little bear went", engine.encode("In the morning"), "One day"]
    together = engine.generate_batch(prompts, max_new_tokens=16, batch_size=3, temperature=0.8, seed=3)
    for prompt, found in zip(prompts, together):
        alone = engine.generate(prompt, max_new_tokens=16, temperature=0.8, seed=3).read()
        assert found.ids == alone.ids and found.text == alone.text and found.finish_reason == alone.finish_reason


def test_stop_strings_are_held_back(engine):
    whole = engine.generate(STORY, max_new_tokens=30).read().text
    stop = whole[20:26]
    stopped = engine.generate(STORY, max_new_tokens=30, stop=stop).read()
    assert stopped.text == whole[:whole.find(stop)] and stopped.finish_reason == "stop"
    unstopped = engine.generate(STORY, max_new_tokens=30, stop=[whole[-3:] + "nothing"]).read()
    assert unstopped.text == whole


def test_schema(engine):
    schema = json.dumps({"properties": {"animal": {"enum": ["fox", "bear"]}}, "required": ["animal"]})
    made = engine.generate("The animal: ", json_schema=schema, max_new_tokens=60).read()
    assert json.loads(made.text)["animal"] in ("fox", "bear") and made.finish_reason == "stop"


def test_finish(engine):
    """A grammar's text that would go on for ever ends in time, where that is asked for."""
    grammar = 'root ::= "(" [a-z ]* ")"'
    made = {finish: engine.generate("The fox ", grammar=grammar, finish=finish, max_new_tokens=8).read()
            for finish in ("always", "never", "with_schema")}
    assert made["always"].text.endswith(")") and made["always"].sequence.state["is_complete"]
    assert made["never"].ids == made["with_schema"].ids and made["never"].finish_reason == "length"
    assert not made["never"].sequence.state["is_complete"]
    with pytest.raises(ValueError, match="finish"):
        engine.generate("The fox", finish="soon")


def test_counters_and_times(engine):
    """All that docs/counters.md has of a sequence, and what is always true of it."""
    made = engine.generate(STORY, max_new_tokens=12, ignore_eos=True).read()
    c, times = made.counters, made.sequence.times
    assert c["embed_ns"] + c["rope_mask_ns"] + c["layers_ns"] + c["head_ns"] <= c["step_ns"]
    assert len(times["step_ns"]) == c["steps"] and sum(times["step_ns"]) == c["step_ns"]
    assert 0 < sum(times["layer_shard_ns"]) <= c["layers_ns"]
    assert len(times["head_shard_ns"]) == 2 and sum(times["head_shard_ns"]) == c["head_predict_shard_work_ns"]
    for name in ("head_reduce_shard_work_ns", "head_rest_needed", "head_winners_kept", "head_winners_dropped",
                 "speculation_tokens", "speculation_draft_ns"):
        assert name in c


def test_chat_as_text(engine):
    messages = [{"role": "user", "content": "Tell me a story."}]
    text = engine.apply_chat_template(messages, tokenize=False)
    assert "Tell me a story." in text
    ids = engine.apply_chat_template(messages)
    assert engine.encode(text, add_special_tokens=False, parse_special=True) in (ids, ids[1:])
    assert engine.apply_chat_template(messages, chat_template="{{ messages[0].role }}", tokenize=False) == "user"
    assert isinstance(engine.summary["chat_template"], str) and not engine.summary["is_interpreted"]
    assert engine.summary["max_position_embeddings"] >= engine.context_size


def test_chat(engine):
    messages = [{"role": "user", "content": "Tell me a story about a fox."}]
    ids = engine.apply_chat_template(messages)
    answer = engine.chat(messages, max_new_tokens=20).read()
    assert answer.ids == engine.generate(ids, max_new_tokens=20).read().ids
    assert answer.text.strip()
    # What a message spells never becomes a control token.
    spelled = engine.decode([engine.eos_token_id], skip_special_tokens=False)
    plain = engine.apply_chat_template([{"role": "user", "content": spelled}])
    assert plain.count(engine.eos_token_id) <= ids.count(engine.eos_token_id)


def test_certificates(certified, engine):
    made = certified.generate(STORY, max_new_tokens=16, certificate="deterministic", audit_every=1).read()
    assert made.ids == engine.generate(STORY, max_new_tokens=16).read().ids
    for token in made.tokens:
        assert token.certificate.token == token.id
        assert token.certificate.fallback or (token.certificate.audited and token.certificate.deterministic)
    assert made.counters["head_bytes_read"] > 0


def test_eval_is_the_tools(engine, model, tmp_path):
    text = " ".join(engine.generate(p, max_new_tokens=120, temperature=0.9, seed=i, ignore_eos=True).read().text
                    for i, p in enumerate([STORY, "The bear", "One day"]))
    (tmp_path / "text.txt").write_text(text)
    told = json.loads(tool("eval", "perplexity", model, "-f", str(tmp_path / "text.txt"), "--ctx", "64", "--head",
                           "full:2", "--threads", "1", "--json"))
    found = engine.eval(text, window=64)
    assert math.isclose(found.perplexity, told["perplexity"], rel_tol=1e-6)
    assert math.isclose(found.standard_error, told["standard_error"], rel_tol=1e-4)
    assert (found.windows, found.scored_tokens, found.text_tokens) == (
        told["windows"], told["scored_tokens"], told["text_tokens"])


def test_text_round_trip(engine):
    text = "Ein Bär, été, 森 and \x00 bytes"
    assert engine.decode(engine.encode(text, add_special_tokens=False)) == text
    assert engine.decode_bytes(engine.encode(b"a\xffb", add_special_tokens=False)) == b"a\xffb"


@pytest.mark.parametrize("options, error", [
    ({"temperature": -1.0}, ValueError), ({"top_p": 0.0}, ValueError), ({"kv": "f64"}, ValueError),
    ({"json_schema": "{"}, headway.InvalidInput), ({"logit_bias": {10**6: 1.0}}, headway.InvalidInput),
    ({"allow_ids": []}, ValueError), ({"stop": [""]}, ValueError), ({"max_new_tokens": -1}, ValueError),
    ({"speculate": True, "min_ngram": 0}, ValueError), ({"speculate": True, "min_ngram": 5}, headway.InvalidInput),
    ({"speculate": True, "probe_lookup": True}, headway.InvalidInput),
    ({"probe_lookup": True, "max_ngram": 17}, headway.InvalidInput),
    ({"certificate": "deterministic"}, headway.InvalidInput), ({"nonsense": 1}, TypeError)])
def test_bad_options_are_errors(engine, options, error):
    with pytest.raises(error):
        engine.generate(STORY, **options)


def test_bad_models_are_errors(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        headway.Engine(tmp_path / "none.gguf")
    with pytest.raises(headway.InvalidInput, match="gpu"):
        headway.Engine(model, head="full:2", threads=1, compute_units="gpu")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03")
    with pytest.raises(headway.HeadwayError):
        headway.Engine(tmp_path / "bad.gguf")
