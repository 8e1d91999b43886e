// Writes into the directory given:
//   ranks.txt  one token a line in the order of the ranks: its bytes in hexadecimal
//   cases.txt  one text a line: its UTF-8 in hexadecimal, a tab, the ids that tiktoken gives, with spaces between
// Everything is deterministic. Texts are made in texts.mjs.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { get_encoding } from 'tiktoken';
import { allTexts } from './texts.mjs';

const out = process.argv[2] ?? '.';
const hex = (text) => Buffer.from(text).toString('hex');

// bpe_ranks: lines of "! first-rank base64 base64 ...".
const data = createRequire(import.meta.url)('tiktoken/encoders/o200k_base.json');
const tokens = [];
for (const line of data.bpe_ranks.split('\n').filter(Boolean)) {
  const [, first, ...words] = line.split(' ');
  words.forEach((word, i) => { tokens[Number(first) + i] = Buffer.from(word, 'base64').toString('hex'); });
}
if (tokens.length < 199998 || tokens.includes(undefined)) throw new Error('ranks have gaps');
fs.writeFileSync(path.join(out, 'ranks.txt'), tokens.join('\n') + '\n');

const encoding = get_encoding('o200k_base');
const lines = [];
let ids = 0;
for (const text of allTexts()) {
  if (!text.isWellFormed()) throw new Error('a text is not well-formed');
  const encoded = encoding.encode_ordinary(text);
  ids += encoded.length;
  lines.push(`${hex(text)}\t${encoded.join(' ')}`);
}
fs.writeFileSync(path.join(out, 'cases.txt'), lines.join('\n') + '\n');
console.log(`o200k reference: ${tokens.length} tokens, ${lines.length} texts, ${ids} ids`);
