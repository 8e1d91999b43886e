"""The texts of the comparison: deterministic, of the characters of Unicode 14 (PCRE2's tables in Debian 12), chosen for the
places where tokenizers go wrong."""
import random
import unicodedata

# Blocks of scripts: enough for letters, marks, digits and punctuation of each.
SCRIPTS = {
    "Latin": [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF)],
    "IPA and modifiers": [(0x250, 0x2FF)],
    "Greek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "Cyrillic": [(0x400, 0x52F), (0xA640, 0xA69F)],
    "Armenian": [(0x530, 0x58F)],
    "Hebrew": [(0x591, 0x5F4)],
    "Arabic": [(0x600, 0x6FF), (0x750, 0x77F)],
    "Syriac": [(0x700, 0x74F)],
    "Thaana": [(0x780, 0x7B1)],
    "Devanagari": [(0x900, 0x97F)],
    "Bengali": [(0x980, 0x9FE)],
    "Gurmukhi": [(0xA01, 0xA76)],
    "Gujarati": [(0xA81, 0xAFF)],
    "Tamil": [(0xB82, 0xBFA)],
    "Telugu": [(0xC00, 0xC7F)],
    "Kannada": [(0xC80, 0xCF2)],
    "Malayalam": [(0xD00, 0xD7F)],
    "Sinhala": [(0xD81, 0xDF4)],
    "Thai": [(0xE01, 0xE5B)],
    "Lao": [(0xE81, 0xEDF)],
    "Tibetan": [(0xF00, 0xFDA)],
    "Myanmar": [(0x1000, 0x109F)],
    "Georgian": [(0x10A0, 0x10FF), (0x1C90, 0x1CBF)],
    "Hangul": [(0x1100, 0x11FF), (0xAC00, 0xD7A3)],
    "Ethiopic": [(0x1200, 0x137C)],
    "Cherokee": [(0x13A0, 0x13FD), (0xAB70, 0xABBF)],
    "Khmer": [(0x1780, 0x17F9)],
    "Mongolian": [(0x1800, 0x1878)],
    "Kana": [(0x3041, 0x30FF), (0xFF66, 0xFF9D)],
    "Han": [(0x4E00, 0x9FA5), (0x3400, 0x4DBF), (0x3005, 0x3007), (0x20000, 0x20100)],
    "Full width": [(0xFF01, 0xFF5E)],
    "Gothic, Deseret, Osage": [(0x10330, 0x1034A), (0x10400, 0x1044F), (0x104B0, 0x104FB)],
    "Mathematics": [(0x2100, 0x214F), (0x2200, 0x22FF), (0x1D400, 0x1D6FF)],
}
LATER = {0x88F, 0x897, 0xC5C, 0xCDC, 0xCF3, 0xECE}  # assigned after Unicode 14

PROSE = """The quick brown fox doesn't jump over 1,024 lazy dogs; she'll say "we've seen it", and they're right.
Der Fluss überquert die Straße – „Größe“ misst 3,5 km². Donaudampfschifffahrtsgesellschaft!
L'été, c'est où l'on va à la plage ; aujourd'hui, naïve, cœur, ÇA ALORS ! 25 % des années.
¿Dónde está el niño? ¡Mañana será otro día! El camión pesa 12.500 kilogramos.
O João não comprou pão; às vezes são 3,99 euros. Você também?
Perché no? L'uomo è così; la città più bella è là.
Het ijs is 's morgens koud, zo'n 4 graden. Wij gaan naar 's-Hertogenbosch.
Zażółć gęślą jaźń. Święta są w grudniu, 24-go; ile to kosztuje?
Příliš žluťoučký kůň úpěl ďábelské ódy. Kolik stojí 1 000 Kč?
Árvíztűrő tükörfúrógép, 2026. január 1-jén; hány óra van?
Istanbul'da gün nasıl? İyi günler, Iğdır'ın 12 köyü var.
Con cáo nâu nhanh nhẹn nhảy qua con chó lười. Tiếng Việt có nhiều dấu: ngữ nghĩa.
Съешь ещё этих мягких французских булок, да выпей чаю! В 1961 году человек полетел в космос.
Ґанок, їжак, єдність: 5'ять яблук. Щастя й здоров'я!
Η γρήγορη αλεπού πηδάει πάνω από το σκυλί. ΑΘΗΝΑ, Ἀθῆναι, 4ος αιώνας.
השועל החום קופץ מעל הכלב. שָׁלוֹם עוֹלָם! מחיר: 25 ₪.
الثعلب البني السريع يقفز فوق الكلب. اَلسَّلَامُ عَلَيْكُمْ، ١٢٣٤٥؟
روباه قهوه‌ای سریع می‌پرد؛ نمی‌خواهم ۱۲۳ تومان.
تیز بھورا لومڑ سست کتے پر کودتا ہے۔ کیا حال ہے؟
तेज़ भूरी लोमड़ी आलसी कुत्ते पर कूदती है। संस्कृतम् १२३४ क्षत्रिय ज्ञान
দ্রুত বাদামী শিয়াল অলস কুকুরের উপর লাফ দেয়। ১২৩ টাকা।
விரைவான பழுப்பு நரி சோம்பேறி நாயின் மீது குதிக்கிறது. ௧௨௩
ఒక వేగవంతమైన గోధుమ నక్క కుక్క మీదుగా దూకింది. ಕನ್ನಡ ಭಾಷೆ ೧೨೩. മലയാളം ഭാഷ.
สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ ๑๒๓ ก็ได้
敏捷的棕色狐狸跳过了懒狗。今天是2026年1月1日，天气很好！《红楼梦》共120回。
快速嘅棕色狐狸跳過咗隻懶狗；「繁體中文」有３個字。
素早い茶色の狐は怠け者の犬を飛び越える。カタカナとひらがな、ｶﾀｶﾅ、ー～。２０２６年。
빠른 갈색 여우가 게으른 개를 뛰어넘는다. 한국어 ㅋㅋㅋ 123원.
სწრაფი ყავისფერი მელა. ՀԱՅԵՐԵՆ հայերեն։ ፈጣን ቡናማ ቀበሮ። ᏣᎳᎩ ខ្មែរ ភាសា។ བོད་ཡིག""".split("\n")

CODE = ['def f(x: int) -> str:\n    """Doc\'s string."""\n    return f"{x!r:>10}" if x != 0 else None  # it\'s ok\n\n\nclass A(B):\n\tpass\n',
        "#include <vector>\n\nint main(int argc, char** argv) {\n    std::vector<int> v{1, 2, 3};\n    for (auto&& x : v) x <<= 2;\n}\n",
        "const f = async ({a, b = 2}) => {\n  await fetch(`https://x.org/${a}?b=${b}`);\n  return a ?? b?.c;\n};\n",
        "SELECT t.id, COUNT(*) AS n FROM \"table\" t\n  LEFT JOIN u ON u.id = t.id WHERE t.name LIKE '%x''s%';\n",
        '<!DOCTYPE html>\n<html lang="en">\n  <body class="a b"><p>It&#39;s <b>bold</b> &amp; that</p><!-- c --></body>\n</html>\n',
        '{"a": [1, 2.5e-10, true, null], "b\\n": {"c": "\\u00e9"}}\n',
        "#!/bin/bash\nset -euo pipefail\nfor f in *.txt; do\n    echo \"${f%.txt}\" | sed 's/a/b/g' >> out 2>&1 || true\ndone\n",
        "\\begin{document}\n  $\\frac{a}{b} \\leq \\sum_{i=1}^{n} x_i$ % comment\n\\end{document}\n",
        "diff --git a/x.c b/x.c\n@@ -1,3 +1,4 @@\n-old line\n+new line\n //////////////\n/* ==================== */\n",
        "| a | b |\n|---|:-:|\n| `x` | **y** |\n\n> quote\n\n1. one\n2. two\n   - [ ] three\n\n```py\nx=1\n```\n"]

EMOJI = ["😀", "👍🏽", "👩🏿‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🏴‍☠️", "🇩🇪", "🇯🇵🇰🇷", "1️⃣", "#️⃣", "❤️", "❤️‍🔥", "☎︎", "🧑🏻‍🤝‍🧑🏾", "🫠", "🫶🏼", "\U0001FA77", "\U0001FAE8x", "⌚", "🤷‍♀️", "㊙️", "♾️",
         "🎉🎉🎉", "ok👌", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
SPACES = [" ", " ", " ", "  ", "   ", "\n", "\r\n", "\t", "\r", "\n\n", " \n", "\n ", "\t\t", "\u00a0", "\u3000", "\u2003", "\u2028", "\u0085", "\u180e",
          "\u200b", "\v", "\f", "\u1680", "\u202f", "\ufeff"]
PUNCTUATION = list(".,;:!?-_/\\()[]{}<>\"'`~@#$%^&*+=|") + ["...", "--", "://", "’", "—", "。", "،", "、", "；", "！", "«", "»", "„", "€", "£", "°", "©", "/\n"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'lL", "'D", "'ſ", "'k", "’s", "'st"]
DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "๐๑๒๓", "𝟎𝟏𝟐𝟑", "①②③", "ⅠⅡⅢⅳ", "½⅓¾", "²³¹", "０１２３", "一二三"]


def characters(ranges):
    return [chr(c) for low, high in ranges for c in range(low, high + 1)
            if c not in LATER and unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.scripts = {name: characters(ranges) for name, ranges in SCRIPTS.items()}
        self.all = [c for own in self.scripts.values() for c in own] + [chr(c) for c in range(1, 0x7F)]

    def pick(self, values):
        return self.random.choice(values)

    def join(self, low, high, make):
        return "".join(make() for _ in range(self.random.randint(low, high)))

    def word(self, letters):
        return self.join(1, 9, lambda: self.pick(letters))

    def script(self, name):
        own = self.scripts[name]
        tail = lambda: self.pick(PUNCTUATION) if self.random.random() < 0.2 else ""
        number = lambda: str(self.random.randrange(100000)) if self.random.random() < 0.1 else ""
        space = lambda: " " if self.random.random() < 0.8 else self.pick(SPACES)
        return self.join(10, 40, lambda: self.word(own) + tail() + number() + space())

    def prose(self):
        return self.join(1, 8, lambda: self.pick(PROSE) + self.pick([" ", "\n", "\n\n", "  ", "\r\n", ""]))

    def mixed(self):
        return self.join(5, 30, lambda: self.word(self.pick(list(self.scripts.values()))) +
                         self.pick(SPACES + ["", "", "", self.pick(CONTRACTIONS), self.pick(PUNCTUATION), str(self.random.randrange(10**6))]))

    def contractions(self):
        stems = ["I", "it", "IT", "We", "they", "É", "straße", "СССР", "日本", "١٢", "9", "", " ", "\n", "aB", "ǅ", "ʰ", "x\u0301", "camelCaseHTTPServer"]
        return self.join(5, 25, lambda: self.pick(stems) + self.pick(CONTRACTIONS) + self.pick(["", " ", "x", "\n", "'", " '"]))

    def numbers(self):
        digits = lambda: self.join(1, 8, lambda: self.pick(DIGITS[0] if self.random.random() < 0.6 else self.pick(DIGITS)))
        return self.join(4, 16, lambda: digits() + self.pick([" ", ".", ",", "-", ":", "/", "e", "x", "%", "\n", "'", "_", "th", "€", ""]))

    def white_space(self):
        return self.join(5, 30, lambda: self.join(1, 6, lambda: self.pick(SPACES)) +
                         self.pick(["", "a", "Word", "1", ".", "/", "你", "é", "\u0301", "😀", "{", "//"]))

    def code(self):
        text = self.pick(CODE)
        change = self.pick([str, str.upper, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("    ", "\t"), lambda t: t.replace(" ", "  ")])
        return change(text) + self.pick(["", self.pick(CODE), self.pick(PROSE)])

    def emoji(self):
        return self.join(2, 12, lambda: self.pick(EMOJI) + self.pick(["", "", " ", "a", "!", "\n", "\u200d", "\ufe0f"]))

    def marks(self):
        marks = [chr(c) for c in range(0x300, 0x36F)] + list("\u0591\u064b\u093c\u094d\u0e48\u3099\u20d7\u0489")
        base = lambda: self.pick(["a", "E", "ο", "и", "क", "か", "ก", "1", " ", ".", "\n", "", "한", "ᄒ", "ᅡ", "ᆫ"])
        text = self.join(5, 40, lambda: base() + self.join(0, 3, lambda: self.pick(marks)))
        return self.pick([str, lambda t: unicodedata.normalize("NFC", t), lambda t: unicodedata.normalize("NFD", t)])(text)

    def run(self):
        unit = self.pick(["a", "A", "aA", " ", "\n", "\r\n", "\t", "=", "-", "/", "0", "1234", "你", "é", "e\u0301", "😀", "ا", "\u0301", "!?", ". ", " \n", "<|",
                          "'s", "ab", " the", "ſ", "ʰ", "\u00a0", "\x00", "\x7f"])
        return self.pick(["", "x", " ", "\n"]) + unit * self.pick([1, 2, 3, 7, 16, 31, 32, 33, 65, 128, 700]) + self.pick(["", "y", " Z", "\n"])

    def soup(self):
        share = self.random.random()
        return self.join(10, 150, lambda: self.pick(self.all) if self.random.random() < share else chr(self.random.randint(32, 126)))

    def markers(self):
        parts = ["<|im_", "start|", "<s", "> ", "[IN", "ST]", "<0x0A", "<unk", "<bo", "<|end", "▁", "<start_of_", "turn> ", "<｜User", "</", "hello", " ", "\n"]
        return self.join(2, 12, lambda: self.pick(parts))

    def texts(self, scale=1.0):
        """At scale 1 about 2,400."""
        some = lambda n: range(max(1, int(n * scale)))
        made = [""] + PROSE + CODE + EMOJI
        for name in self.scripts:
            made += [self.script(name) for _ in some(24)]
        for make, count in [(self.prose, 300), (self.mixed, 250), (self.contractions, 120), (self.numbers, 150), (self.white_space, 250), (self.code, 150),
                            (self.emoji, 100), (self.marks, 100), (self.run, 200), (self.soup, 250), (self.markers, 60)]:
            made += [make() for _ in some(count)]
        return list(dict.fromkeys(made))
