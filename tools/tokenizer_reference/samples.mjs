// Hand-written samples: prose in many languages, code, emoji.

export const prose = [
  'The quick brown fox jumps over the lazy dog, doesn\'t it? "Yes," she\'ll say; we\'ve seen it 1,024 times.',
  'HEADWAY decodes text; its KV-cache isn\'t shared. McDonald\'s iPhone camelCaseWordsAreSplit snake_case_words too.',
  'Der Fluss überquert die Straße – „Größe“ misst 3,5 km². Donaudampfschifffahrtsgesellschaftskapitän.',
  "L'été, c'est où l'on va à la plage ; qu'est-ce que c'est ? Aujourd'hui, naïve, cœur, ÇA ALORS !",
  '¿Dónde está el niño? ¡Mañana será otro día! El 25 % de los años.',
  'Быстрая коричневая лиса перепрыгнула через ленивую собаку. Съешь ещё этих мягких французских булок!',
  'Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. ΑΘΗΝΑ, Ἀθῆναι.',
  'השועל החום המהיר קופץ מעל הכלב העצלן. שָׁלוֹם, עוֹלָם!',
  'الثعلب البني السريع يقفز فوق الكلب الكسول. اَلسَّلَامُ عَلَيْكُمْ، ١٢٣٤٥؟',
  'روباه قهوه‌ای سریع از روی سگ تنبل می‌پرد. نمی‌خواهم',
  'तेज़ भूरी लोमड़ी आलसी कुत्ते पर कूदती है। संस्कृतम् १२३४ क्षत्रिय ज्ञान',
  'দ্রুত বাদামী শিয়াল অলস কুকুরের উপর লাফ দেয়। ১২৩',
  'விரைவான பழுப்பு நரி சோம்பேறி நாயின் மீது குதிக்கிறது.',
  'สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ ๑๒๓ ก็ได้',
  '敏捷的棕色狐狸跳过了懒狗。今天是2026年1月1日，天气很好！《红楼梦》共120回。',
  '素早い茶色の狐は怠け者の犬を飛び越える。カタカナとひらがな、ｶﾀｶﾅ、ー～。',
  '빠른 갈색 여우가 게으른 개를 뛰어넘는다. 한국어 ㅋㅋㅋ 123원.',
  'Con cáo nâu nhanh nhẹn nhảy qua con chó lười. Tiếng Việt có nhiều dấu thanh điệu.',
  'ఒక వేగవంతమైన గోధుమ నక్క. ಕನ್ನಡ ಭಾಷೆ. മലയാളം ഭാഷ. ગુજરાતી ભાષા. ਪੰਜਾਬੀ ਬੋਲੀ.',
  'სწრაფი ყავისფერი მელა. ՀԱՅԵՐԵՆ հայերեն։ ፈጣን ቡናማ ቀበሮ። ᏣᎳᎩ ꮳꮃꭹ',
  'i̇stanbul İSTANBUL ıI ǅǈǋ ﬁﬂ ß ẞ ŉ ǰ Å Å K k ſ',
];

export const code = [
  'def f(x: int) -> str:\n    """Doc\'s string."""\n    return f"{x!r:>10}" if x != 0 else None  # it\'s ok\n\n\nclass A(B):\n    pass\n',
  '#include <vector>\n\nint main(int argc, char** argv) {\n    std::vector<int> v{1, 2, 3};\n    for (auto&& x : v) x <<= 2;  // shift\n    return v.size() == 3 ? 0 : -1;\n}\n',
  'const f = async ({a, b = 2}) => {\n    await fetch(`https://x.org/${a}?b=${b}`);\n    /* comment */ return a ?? b?.c;\n};\n',
  'fn main() -> Result<(), Box<dyn Error>> {\n    let s: &\'static str = "it\'s";\n    println!("{s:?} {}", 1_000_000u64);\n    Ok(())\n}\n',
  'SELECT t.id, COUNT(*) AS n FROM "table" t\n    LEFT JOIN u ON u.id = t.id\nWHERE t.name LIKE \'%x\'\'s%\' GROUP BY 1 HAVING COUNT(*) > 10;\n',
  '<!DOCTYPE html>\n<html lang="en">\n    <body class="a b"><p>It&#39;s &amp; that</p><!-- c --></body>\n</html>\n',
  '{"a": [1, 2.5e-10, true, null], "b\\n": {"c": "\\u00e9"}}\n',
  '#!/bin/bash\nset -euo pipefail\nfor f in *.txt; do\n    echo "${f%.txt}" | sed \'s/a/b/g\' >> /tmp/out 2>&1 || true\ndone\n',
  '\\documentclass{article}\n\\begin{document}\n    $\\frac{a}{b} \\leq \\sum_{i=1}^{n} x_i$ % comment\n\\end{document}\n',
  'package main\n\nimport "fmt"\n\nfunc main() {\n\tdefer fmt.Println("done")\n\tch := make(chan int)\n\tgo func() { ch <- 1 }()\n}\n',
  'module Main where\n\nmain :: IO ()\nmain = mapM_ print [x | x <- [1..10], even x]  -- it\'s\n',
  '.text\nmain:\n    mov eax, DWORD PTR [rbp-0x10]\n    jne .L2\n    ret\n',
  'a:\n    - b: 1\n      c: "x"\n    - {d: e}\n# comment\n---\n',
  'diff --git a/x.c b/x.c\n@@ -1,3 +1,4 @@\n-old line\n+new line\n    context\n//////////////\n/* ==================== */\n',
];

export const emoji = ['😀', '👍🏽', '👩🏿‍🚀', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🏴‍☠️', '🇩🇪', '🇯🇵🇰🇷', '1️⃣', '#️⃣', '❤️', '❤️‍🔥', '☎︎', '👩‍❤️‍💋‍👨', '🧑🏻‍🤝‍🧑🏾',
  '🫠', '🫶🏼', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '⌚', '🤷‍♀️', '🥷🏽', '🧝‍♂️', '✊🏿', '🅰️', '㊙️', '♾️', '🎉🎉🎉', 'ok👌', '🙂 🙃'];
