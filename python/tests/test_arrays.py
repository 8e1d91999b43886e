"""What the model computes, as numpy arrays."""

import numpy as np
import pytest

import headway

STORY = "Once upon a time"


def test_logits_are_a_view(engine):
    sequence = engine.sequence()
    sequence.append(engine.encode(STORY))
    logits = sequence.logits()
    assert logits.shape == (engine.vocab_size,) and logits.dtype == np.float32
    assert not logits.flags.writeable and not logits.flags.owndata
    assert np.shares_memory(logits, sequence.logits())
    best = int(logits.argmax())
    assert sequence.step() == [best]


def test_last_logits_are_those_of_the_choice(engine):
    """Of rows of a step of two, without another reading of the layers."""
    sequences = [engine.sequence(), engine.sequence()]
    for sequence, text in zip(sequences, (STORY, "The fox")):
        sequence.append(engine.encode(text))
    engine.step(sequences)
    for sequence in sequences:
        token, logit, _ = sequence.choices()[0]
        logits = sequence.last_logits()
        assert int(logits.argmax()) == token and logits[token] == np.float32(logit)
        assert sequence.state["num_pending"] == 1 and not logits.flags.writeable


def test_views_outlive_their_sequence(engine):
    sequence = engine.sequence()
    sequence.append(engine.encode(STORY))
    hidden = sequence.hidden_state()
    kept = hidden.copy()
    del sequence
    assert np.array_equal(hidden, kept) and np.isfinite(hidden).all()


def test_logits_and_states_of_a_prompt(engine):
    ids = engine.encode("Once upon a time there was a fox who")
    logits = engine.logits(ids)
    states = engine.hidden_states(ids)
    assert logits.shape == (len(ids), engine.vocab_size) and states.shape == (len(ids), engine.hidden_size)
    sequence = engine.sequence()
    for position, token in enumerate(ids):  # token by token: the same bits
        sequence.append([token])
        assert np.array_equal(sequence.logits(), logits[position])
        assert np.array_equal(sequence.hidden_state(), states[position])
    both = engine.sequence().append_with(ids, logits=True, hidden_states=True)
    assert np.array_equal(both[0], logits) and np.array_equal(both[1], states)


def test_scores_are_log_softmax(engine):
    ids = engine.encode("Once upon a time there was a fox who")
    logprobs, is_best = engine.sequence().score(ids)
    rows = engine.logits(ids).astype(np.float64)[:-1]
    expected = rows - rows.max(axis=1, keepdims=True)
    expected -= np.log(np.exp(expected).sum(axis=1, keepdims=True))
    assert np.allclose(logprobs, expected[np.arange(len(ids) - 1), ids[1:]], atol=1e-9)
    assert np.array_equal(is_best, rows.argmax(axis=1) == ids[1:])


def test_embedding_has_length_one(engine):
    fox, foxes, soup = (engine.embed(text) for text in ("a fox in the forest", "the foxes in a forest", "warm soup"))
    assert abs(float(np.linalg.norm(fox)) - 1) < 1e-5
    assert fox @ foxes > fox @ soup


def test_sharing_and_truncating(engine):
    first = engine.sequence()
    first.append(engine.encode(STORY))
    second = engine.sequence()
    assert second.share(first) == len(first) == len(second)
    assert [first.step() for _ in range(5)] == [second.step() for _ in range(5)]
    length = len(second)
    second.truncate(length - 5)
    assert second.ids == first.ids[:-5]
    with pytest.raises(headway.InvalidInput):
        second.truncate(length + 1)


def test_errors_leave_a_sequence_usable(engine):
    sequence = engine.sequence()
    for bad in ([-1], [engine.vocab_size], [2**31 - 1]):
        with pytest.raises(headway.InvalidInput, match="token 0"):
            sequence.append(bad)
    with pytest.raises(headway.InvalidInput):
        sequence.step()
    with pytest.raises(headway.InvalidInput):
        sequence.logits()
    sequence.append(engine.encode(STORY))
    assert len(sequence.step()) == 1
