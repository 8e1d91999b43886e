"""Checks of the recipe, under a minute: /usr/bin/python3 tools/train/test_train.py"""

import os
import random
import tempfile
import unittest

import numpy as np
import torch

import bpe
import corpus
import export_gguf
import gguf
import sample
import train
from model import Config, HeadLoss, Model
from muon import make_groups, orthogonalise


def small_documents():
    return corpus.made_documents("stories", 80, 7) + corpus.made_documents("chats", 80, 7)


class CorpusTest(unittest.TestCase):
    def test_same_seed_gives_the_same_text(self):
        for part in corpus.MAKERS:
            self.assertEqual(corpus.made_documents(part, 30, 3), corpus.made_documents(part, 30, 3))
            self.assertNotEqual(corpus.made_documents(part, 30, 3), corpus.made_documents(part, 30, 4))

    def test_text_has_no_template_marks(self):
        for part in ("stories", "facts"):
            for text in corpus.made_documents(part, 400, 5):
                self.assertNotRegex(text, r"[\[\]{}_|]|  |\b[Aa] [aeiou]")

    def test_stories_do_not_repeat(self):
        stories = corpus.made_documents("stories", 2000, 6)
        self.assertEqual(len(set(stories)), len(stories))


class BpeTest(unittest.TestCase):
    def setUp(self):
        self.tokenizer = bpe.train(small_documents(), 600)

    def test_round_trip(self):
        texts = small_documents()[:20] + ["", "  two  spaces\n\n\ttab 12345 é 漢字 🙂\r\n", "<|user|>Hi<|end|><|assistant|>"]
        for text in texts:
            self.assertEqual(self.tokenizer.decode(self.tokenizer.encode(text)), text)

    def test_specials_are_one_token_at_the_end(self):
        self.assertEqual(self.tokenizer.encode("<|end|>"), [self.tokenizer.vocab_size - 1])
        self.assertEqual(self.tokenizer.vocab_size, 600)

    def test_pre_tokens_are_those_of_gpt_4o(self):
        pieces = bpe.PATTERN.findall("Tom's 12345 apples,\n\n isn't  HTTPServer!")
        self.assertEqual(pieces, ["Tom's", " ", "123", "45", " apples", ",\n\n", " isn't", " ", " HTTPServer", "!"])


class ModelTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        self.config = Config(vocab_size=600, d_ff=256, num_layers=2, original_context=16, context_length=32)
        self.model = Model(self.config)

    def test_head_loss_matches_plain_cross_entropy(self):
        hidden = torch.randn(40, 256, requires_grad=True)
        weight = torch.randn(600, 256, requires_grad=True)
        targets = torch.randint(-1, 600, (40,))
        HeadLoss.apply(hidden, weight, targets, torch.float32, True).backward()
        ours = hidden.grad.clone(), weight.grad.clone()
        hidden.grad = weight.grad = None
        torch.nn.functional.cross_entropy(hidden @ weight.t(), targets, ignore_index=-1).backward()
        torch.testing.assert_close(ours, (hidden.grad, weight.grad))

    def test_orthogonalise_gives_singular_values_near_one(self):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 48, 32)))
        self.assertTrue(bool(((values > 0.5) & (values < 1.5)).all()))

    def test_muon_groups_cover_every_row_once(self):
        rows = sum(last - first for g in make_groups(self.model, torch.float32) for _, first, last in g.pieces)
        self.assertEqual(rows, sum(p.shape[0] for b in self.model.blocks for p in (b.qkv, b.attn_out, b.gate_up, b.down)))

    def test_exported_file_gives_the_same_logits(self):
        tokenizer = bpe.train(small_documents(), 600)
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(os.path.join(folder, "tokenizer.json"))
            state = {"config": self.config.to_dict(), "model": self.model.state_dict(), "tokens": 0}
            torch.save(state, os.path.join(folder, "checkpoint.pt"))
            path = os.path.join(folder, "m.gguf")
            export_gguf.export(folder, path, "test")
            reader = gguf.Reader(path)
        self.load_dequantised(reader)
        again = sample.read_tokenizer(reader.metadata)
        self.assertEqual(again.merges, tokenizer.merges)
        for count in (16, 24):  # the short and the long rotary factors
            ids = [random.Random(count).randrange(600) for _ in range(count)]
            wanted = self.model.logits(torch.tensor([ids]))[0].detach().numpy()
            runner = sample.Runner(reader, count)
            got = np.stack([runner.step(i) for i in ids])
            np.testing.assert_allclose(got, wanted, atol=2e-4)

    def load_dequantised(self, reader):
        listed = export_gguf.tensors(self.config, self.model.state_dict())
        for name, kind, array in listed:
            if kind == gguf.TYPE_Q8_0:
                step = np.abs(array).max() / 127
                self.assertLess(np.abs(reader.tensors[name] - array).max(), step)
                array[:] = reader.tensors[name]

    def test_file_gives_its_parameters_back(self):
        tokenizer = bpe.train(small_documents(), 600)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.gguf")
            listed = export_gguf.tensors(self.config, self.model.state_dict())
            gguf.write(path, export_gguf.metadata(self.config, tokenizer, "test"), listed)
            state = export_gguf.read_state(self.config, tokenizer, path)
        self.assertEqual(set(state), set(dict(self.model.named_parameters())))
        for name, parameter in self.model.named_parameters():
            step = float(parameter.abs().max()) / 127
            torch.testing.assert_close(state[name], parameter.detach(), atol=step, rtol=0)


class TrainingTest(unittest.TestCase):
    def test_packer_resumes_where_it_stopped(self):
        documents = [np.arange(n) for n in (3, 9, 5, 7, 11)]
        packer = train.Packer(documents, 99, 1)
        packer.rows(8, 4)
        other = train.Packer(documents, 99, 1)
        other.restore(packer.state())
        self.assertTrue(torch.equal(packer.rows(8, 3), other.rows(8, 3)))

    def test_rate_ends_at_zero(self):
        self.assertEqual(train.rate_at(1.0, 1000, 0.4), 0.0)
        self.assertEqual(train.rate_at(0.1, 1000, 0.4), 1.0)

    def test_growing_keeps_the_function(self):
        tokenizer = bpe.train(["a small text, said again: a small text"] * 3, 256 + len(bpe.SPECIALS) + 2)
        torch.manual_seed(3)
        shape = {"vocab_size": tokenizer.vocab_size, "d_model": 32, "d_ff": 32, "head_dim": 8, "num_rotary": 6}
        shallow, deep = Model(Config(num_layers=2, **shape)), Model(Config(num_layers=6, **shape))
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(os.path.join(folder, "tokenizer.json"))
            torch.save({"model": shallow.state_dict(), "packer": {"at": 5, "epoch": 1}}, os.path.join(folder, "checkpoint.pt"))
            at = train.start_from(deep, tokenizer, folder)
        ids = torch.tensor([[1, 5, 2, 9, 40]])
        torch.testing.assert_close(deep.logits(ids), shallow.logits(ids), atol=1e-5, rtol=1e-5)
        self.assertEqual(at, {"at": 5, "epoch": 1})

    def test_echoed_rows_repeat_their_beginning(self):
        rows = torch.arange(400 * 101).view(400, 101)
        before = rows.clone()
        train.echo(rows, random.Random(1))
        changed = [i for i in range(400) if not torch.equal(rows[i], before[i])]
        self.assertTrue(20 < len(changed) < 90, len(changed))
        low, high = train.ECHO_TOKENS
        for i in changed:
            row = rows[i].tolist()
            period = row.index(row[0], 1)
            self.assertTrue(low <= period <= high)
            self.assertEqual(row, [int(before[i][j % period]) for j in range(101)])

    def test_stories_that_begin_later_begin_with_a_sentence(self):
        whole = corpus.made_documents("stories", 300, 7)
        later = corpus.begin_later(whole, 7)
        self.assertEqual(later, corpus.begin_later(whole, 7))
        cut = [(a, b) for a, b in zip(whole, later) if a != b]
        self.assertTrue(60 <= len(cut) <= 120, len(cut))
        for story, rest in cut:
            self.assertTrue(story.endswith(rest) and len(rest) >= len(story) // 2)
            self.assertTrue(rest[0].isupper() or rest[0] == '"', rest[:40])
            self.assertRegex(story[: -len(rest)], r'[.!?]"?\s+$')

    def test_openings_are_not_in_the_corpus(self):
        text = "\n".join(corpus.made_documents("stories", 3000, 1) + corpus.made_documents("chats", 1000, 1))
        openings = sample.read_openings()
        self.assertEqual(len(openings), 10)
        for opening in openings:
            self.assertNotIn(opening, text)

    def test_loops_are_found(self):
        self.assertEqual(sample.shortest_loop([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]), 4)
        self.assertEqual(sample.shortest_loop(list(range(50))), 0)


if __name__ == "__main__":
    unittest.main()
