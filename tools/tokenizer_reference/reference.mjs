// Writes into the directory given, for each encoding below:
//   NAME.tokens  one token a line in the order of the ids: its bytes in hexadecimal
//   NAME.cases   one text a line: its UTF-8 in hexadecimal, a tab, the reference's ids with spaces between
// Everything is deterministic. Texts are made in texts.mjs.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import llamaTokenizer from 'llama-tokenizer-js';
import { get_encoding } from 'tiktoken';
import { allTexts } from './texts.mjs';

const out = process.argv[2] ?? '.';
const hex = (text) => Buffer.from(text).toString('hex');

function write(name, tokens, texts, encode) {
  fs.writeFileSync(path.join(out, `${name}.tokens`), tokens.join('\n') + '\n');
  const lines = texts.map((text) => `${hex(text)}\t${encode(text).join(' ')}`);
  fs.writeFileSync(path.join(out, `${name}.cases`), lines.join('\n') + '\n');
  console.log(`${name}: ${tokens.length} tokens, ${lines.length} texts`);
}

// bpe_ranks: lines of "! first-rank base64 base64 ...".
function ranksOf(name) {
  const data = createRequire(import.meta.url)(`tiktoken/encoders/${name}.json`);
  const tokens = [];
  for (const line of data.bpe_ranks.split('\n').filter(Boolean)) {
    const [, first, ...words] = line.split(' ');
    words.forEach((word, i) => { tokens[Number(first) + i] = Buffer.from(word, 'base64').toString('hex'); });
  }
  if (tokens.length < 50000 || tokens.includes(undefined)) throw new Error(`${name}: ranks have gaps`);
  return tokens;
}

const texts = allTexts();
if (texts.some((text) => /\p{Surrogate}/u.test(text))) throw new Error('a text is not well-formed');
const shorter = texts.filter((text) => text.length < 2000);

// o200k_base is Phi-4-mini's vocabulary, cl100k_base has Llama 3's pre-tokenizer.
for (const [name, some] of [['o200k_base', texts], ['cl100k_base', shorter], ['gpt2', shorter]]) {
  const encoding = get_encoding(name);
  write(name, ranksOf(name), some, (text) => encoding.encode_ordinary(text));
  encoding.free();
}

// Llama 2's SentencePiece vocabulary. This implementation breaks ties by position / text length, which goes wrong when byte
// fallback makes more symbols than there are UTF-16 units; texts with such characters are left to the unit tests.
const pieces = llamaTokenizer.vocabById;
const known = new Set(pieces);
const covered = shorter.filter((text) => text !== '' && [...text].every((c) => c === ' ' || c === '\n' || known.has(c)));
write('llama2', pieces.map(hex), covered, (text) => llamaTokenizer.encode(text));
