// The texts of the comparison: deterministic, chosen for the places where pre-tokenizers go wrong.
import { characters, scripts } from './unicode14.mjs';
import { code, emoji, prose } from './samples.mjs';

// mulberry32, a small generator with a published reference; Math.random cannot be seeded.
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const next = generator(20260101);
const below = (n) => Math.floor(next() * n);
const pick = (list) => list[below(list.length)];
const repeat = (n, make) => Array.from({ length: n }, (_, i) => make(i));
const join = (n, make) => repeat(n, make).join('');

const SPACES = [' ', ' ', ' ', '  ', '\n', '\r\n', '\t', '\r', '\n\n', ' \n', '\n ', '\u00a0', '\u3000', '\u2003',
  '\u2028', '\u0085', '\u180e', '\u200b', '\v', '\f', '\u1680', '\u202f', '\ufeff'];
const PUNCTUATION = [...'.,;:!?-_/\\()[]{}<>"\'`~@#$%^&*+=|', '...', '--', '://', '\u2019', '\u2014', '\u3002', '\u060c', '/\n'];
const CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

// Every assigned character, in order and in contexts that show its category.
function everyCharacter() {
  const texts = [];
  for (let i = 0; i < characters.length; i += 64) {
    const some = characters.slice(i, i + 64);
    texts.push(some.join(''));
    texts.push(some.map((c) => `a${c}B1${c}2 ${c}'s${c}'T\n`).join(''));
  }
  return texts;
}

function word(letters) { return join(1 + below(9), () => pick(letters)); }

function perScript() {
  return scripts.flatMap(({ characters: own }) => repeat(6, () =>
    join(20 + below(40), () => word(own) + (next() < 0.2 ? pick(PUNCTUATION) : '') +
      (next() < 0.1 ? String(below(100000)) : '') + (next() < 0.8 ? ' ' : pick(SPACES)))));
}

function mixedScripts() {
  return repeat(300, () => join(30, () => {
    const { characters: own } = pick(scripts);
    return word(own) + pick([...SPACES, '', '', '', pick(CONTRACTIONS), pick(PUNCTUATION), String(below(1e6))]);
  }));
}

// Upper and lower case of every letter, the long s (which matches s without regard to case) and other apostrophes.
function contractions() {
  const stems = ['I', 'it', 'IT', 'We', 'they', 'O', 'É', 'straße', 'СССР', '日本', '١٢', '9', '', ' ', '\n', 'aB', 'Ab', 'ǅ', 'ʰ', 'é', 'x\u0301'];
  const cases = (text) => (text === '' ? [''] : cases(text.slice(1)).flatMap((rest) =>
    [...new Set([text[0].toLowerCase(), text[0].toUpperCase(), ...(text[0] === 's' ? ['\u017f'] : [])])].map((c) => c + rest)));
  return stems.flatMap((stem) => [...CONTRACTIONS, "'k", "'st", "'lls"].map((tail) =>
    cases(tail).map((form) => `${stem}${form} ${stem}${form}x${stem}${form.replace("'", '\u2019')}`).join(' ')));
}

function numbers() {
  const digits = ['0123456789', '٠١٢٣٤٥٦٧٨٩', '०१२३४५६७८९', '𝟎𝟏𝟐𝟑𝟒', '①②③', 'ⅠⅡⅢⅳ', '½⅓¾', '一二三'].map((s) => [...s]);
  return repeat(150, () => join(12, () => join(1 + below(8), () => pick(next() < 0.6 ? digits[0] : pick(digits))) +
    pick([' ', '.', ',', '-', ':', '/', 'e', 'x', '%', '\n', "'", '_', 'th', '€'])));
}

function whiteSpace() {
  return repeat(300, () => join(25, () => join(1 + below(6), () => pick(SPACES)) +
    pick(['', 'a', 'Word', '1', '.', '/', '你', 'é', '\u0301', '😀', '{', '//'])));
}

function codeTexts() {
  return code.flatMap((text) => [text, text.replaceAll('\n', '\r\n'), text.replaceAll('    ', '\t'), text.toUpperCase(),
    text.replaceAll(' ', '  '), text.split('\n').map((line) => line + '  ').join('\n')]);
}

function emojiTexts() {
  return [...emoji, ...repeat(200, () => join(10, () => pick(emoji) + pick(['', '', ' ', 'a', '!', '\n', '\u200d', '\ufe0f'])))];
}

function urls() {
  const part = () => join(1 + below(10), () => pick([...'abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.~%']));
  return repeat(150, () => `${pick(['http', 'https', 'ftp', 'file', 'ws'])}://${part()}.${pick(['org', 'com', 'de', 'рф'])}` +
    `${pick(['', ':8080'])}/${join(below(5), () => part() + '/')}?${part()}=${part()}&${part()}#${part()}${pick([' ', '\n', ', ', ')'])}`);
}

function longRuns() {
  const units = ['a', 'A', 'aA', ' ', '\n', '\r\n', '\t', '=', '-', '/', '0', '1234', '你', '好人', 'é', 'e\u0301', '😀',
    '👨‍👩‍👧', 'ا', 'न', '\u0301', '!?', '. ', ' \n', '<|', "'s", 'ab', 'the', ' the', 'ſ', 'ʰ', '\u00a0'];
  return units.flatMap((unit) => [1, 2, 3, 7, 31, 128, 1001, 4096].flatMap((n) =>
    [unit.repeat(n), `x${unit.repeat(n)}y`, ` ${unit.repeat(n)}\nZ`]));
}

function soup() {
  const ascii = repeat(95, (i) => String.fromCharCode(32 + i));
  return repeat(500, (i) => join(10 + below(200), () => (next() < i / 500 ? pick(characters) : pick(ascii))));
}

function proseTexts() {
  const shuffled = repeat(100, () => join(12, () => pick(prose) + pick([' ', '\n', '\n\n', '  ', '\r\n'])));
  return [...prose, ...shuffled, join(2000, () => pick(prose) + pick([' ', '\n'])), 'special: <|endoftext|> <|end|> <|user|>', ''];
}

export function allTexts() {
  return [everyCharacter, perScript, mixedScripts, contractions, numbers, whiteSpace, codeTexts, emojiTexts, urls, longRuns,
    soup, proseTexts].flatMap((make) => make());
}
