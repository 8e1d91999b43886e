#include "pack/recorded_texts.h"

#include <array>

namespace headway::pack {
namespace {

// One of each kind, all about as long in tokens, so that none dominates: what counts is the
// beginning of each that the budget of tokens allows.
// clang-format off
constexpr std::array<std::string_view, 38> kTexts = {{
    R"(Once upon a time there was a girl named Mina who lived in a small house near the river. One morning she found a little boat between the stones. "Whose boat is this?" she asked. Nobody answered, so she climbed in and let the water carry her past the mill and under the old bridge. When evening came she heard her brother calling from the bank, and he was not pleased at all.)",

    R"(def mean(values):
    """Returns the arithmetic mean of a list of numbers."""
    if not values:
        raise ValueError("no values")
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


class Counter:
    def __init__(self, start=0):
        self.count = start

    def add(self, step=1):
        self.count += step
        return self.count
)",

    R"(Le marché ouvre à sept heures, mais les pêcheurs arrivent bien avant le jour. Hier, Madeleine a choisi trois dorades et un bouquet de persil, puis elle est rentrée par le chemin des douaniers. « Tu rentres tard », lui a dit son mari, qui préparait déjà la soupe. Elle a souri sans répondre, car la mer était si belle qu'elle avait oublié l'heure.)",

    R"(当地的居民每年秋天都会举办一个小小的节日，感谢山神保佑他们平安。孩子们提着自己做的灯笼，沿着河边慢慢地走，老人们坐在茶馆门口讲过去的故事。今年雨水很多，稻子长得特别好，所以大家都很高兴。村长说，明年春天要修一座新桥，这样学生上学就不用绕远路了。)",

    R"(Im letzten Winter fror der See zum ersten Mal seit zwanzig Jahren wieder zu. Die Kinder liefen nach der Schule hinunter, obwohl die Eltern es verboten hatten, und mein Großvater stand am Ufer und schüttelte den Kopf. „Das Eis trägt erst, wenn es singt“, sagte er. Wir verstanden ihn nicht, aber am nächsten Morgen hörten wir das tiefe Geräusch und wussten, was er meinte.)",

    R"({
  "order": 48213,
  "customer": {"name": "Ada Brandt", "email": "ada@example.org", "active": true},
  "items": [
    {"sku": "TB-204", "title": "Table lamp", "quantity": 2, "price": 39.90},
    {"sku": "CH-017", "title": "Desk chair", "quantity": 1, "price": 128.00}
  ],
  "shipping": {"method": "standard", "address": null},
  "total": 207.80
}
)",

    R"(Зимой дорога к станции заметена снегом, и почтальон приходит только раз в неделю. Анна Петровна ждёт письма от сына, который служит на севере, и каждый вечер ставит лампу на окно. «Сегодня точно придёт», — говорит она соседке, хотя обе знают, что метель ещё не кончилась. Вчера по радио обещали оттепель, но старики в деревне этому не верят.)",

    R"(駅前の小さな喫茶店は、朝の六時から開いている。店主の田中さんは毎日同じ時間に豆を挽き、窓際の席に新聞を置く。「今日は寒いですね」と常連の客が言うと、田中さんは黙ってうなずき、いつもより少し濃いコーヒーを出した。雨が降り始めたので、学生たちが傘を持たずに走って店の中へ入ってきた。)",

    R"(<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Opening hours</title>
  <link rel="stylesheet" href="style.css">
</head>
<body>
  <h1 class="title">Opening hours</h1>
  <ul id="days">
    <li>Monday to Friday: 9 to 17</li>
    <li>Saturday: <em>closed</em></li>
  </ul>
  <p>See <a href="/contact.html">how to reach us</a>.</p>
</body>
</html>
)",

    R"(كان الطريق إلى القرية طويلا، لكن الهواء كان نقيا والجبال تلمع تحت شمس الصباح. توقف يوسف عند البئر القديمة ليشرب، فرأى شيخا يجلس في ظل شجرة التين. قال له الشيخ: من أين جئت يا بني؟ فأجاب: من المدينة، أبحث عن بيت جدي. ابتسم الشيخ وأشار بيده إلى البيت الأبيض في آخر الوادي.)",

    R"(En el pueblo de mi abuela todavía se cuece el pan en un horno de leña los sábados por la mañana. Los vecinos llevan la masa en cestas cubiertas con paños y esperan su turno hablando del tiempo y de la cosecha. «Este año no ha llovido nada», decía siempre el panadero, y todos le daban la razón. A mediodía, la calle entera olía a pan recién hecho.)",

    R"(User: How long should I boil an egg so that the yolk stays soft?
Assistant: About six minutes for a medium egg, counted from when the water boils again. Then put it into cold water for a moment, so that it stops cooking.
User: And if it comes straight from the fridge?
Assistant: Add one minute, and lower it in with a spoon so that the shell does not crack. Would you like me to explain how to peel it as well?
)",

    R"(गाँव के बाहर एक पुराना बरगद का पेड़ है, जिसके नीचे शाम को सब लोग इकट्ठा होते हैं। दादी बच्चों को राजा और चतुर किसान की कहानी सुनाती हैं। कल रात तेज़ बारिश हुई, इसलिए आज सुबह खेतों में पानी भर गया था। रमेश ने कहा कि अगर धूप निकली तो दो दिन में सब सूख जाएगा।)",

    R"(가을이 되면 할머니는 마당에 고추를 널고 하루 종일 하늘을 살펴보셨다. 비가 올 것 같으면 우리는 모두 뛰어나가 돗자리를 걷어야 했다. 어느 날 동생이 물었다. "할머니, 구름은 어디로 가요?" 할머니는 웃으면서 산 너머 바다로 간다고 대답하셨다. 그날 저녁에는 정말로 첫눈이 내렸다.)",

    R"(| Quarter | Revenue | Costs | Margin |
|---------|--------:|------:|-------:|
| Q1 2023 | 1,204.5 | 981.2 | 18.5 % |
| Q2 2023 | 1,377.0 | 1,042.8 | 24.3 % |
| Q3 2023 | 1,298.1 | 1,100.4 | 15.2 % |

12 * 7 = 84, 84 + 16 = 100, 100 / 8 = 12.5. On 14 March 2024 at 09:45 the sensor showed 21.7 degrees, 48 % and 1013 hPa; at 10:15 it showed 22.1, 47 and 1012.
)",

    R"(Durante a semana, o comboio das seis vai sempre cheio, mas aos domingos viajo quase sozinho. Olho pela janela e vejo os barcos parados no rio, as laranjeiras e as casas de telhado vermelho. Um senhor perguntou-me se a cadeira estava livre, e começámos a conversar sobre a música que ele tocava quando era novo. Quando chegámos a Coimbra, já éramos amigos.)",

    R"(#include <stdio.h>
#include <stdlib.h>

struct node {
  int value;
  struct node *next;
};

static struct node *push(struct node *head, int value) {
  struct node *n = malloc(sizeof(*n));
  if (n == NULL) return head;
  n->value = value;
  n->next = head;
  return n;
}

int main(void) {
  struct node *list = NULL;
  for (int i = 0; i < 10; ++i) list = push(list, i * i);
  printf("%d\n", list->value);
  return 0;
}
)",

    R"(Ông tôi trồng một vườn chè nhỏ trên sườn đồi phía sau nhà. Mỗi buổi sáng, trước khi mặt trời lên, ông đi hái những búp non rồi đem về sao trên chảo gang. Mẹ tôi thường nói: "Chè của ông thơm hơn ở chợ." Năm ngoái trời hạn, vườn chè gần như khô hết, nhưng đến mùa mưa thì lá lại xanh như cũ.)",

    R"(Dedem her sabah erkenden kalkar, bahçedeki domatesleri sular ve sonra çınar ağacının altında çayını içerdi. Komşumuz Ayşe Hanım ona taze ekmek getirirdi, o da karşılığında bir sepet üzüm verirdi. "Bu yıl yağmur az yağdı ama kuyumuz hâlâ dolu," derdi gülümseyerek. Biz çocuklar ise denize gitmek için onun iznini beklerdik.)",

    R"(Στο νησί δεν υπάρχουν πολλά αυτοκίνητα, γι' αυτό τα παιδιά παίζουν στους δρόμους μέχρι αργά. Ο παππούς μου καθόταν κάθε απόγευμα στο καφενείο και διάβαζε την εφημερίδα δυνατά, για να ακούνε και οι άλλοι. «Τι γράφει σήμερα;» τον ρωτούσε ο ψαράς. Το καλοκαίρι έρχονταν ξένοι με βάρκες και αγόραζαν μέλι και λάδι.)",

    R"(The committee will meet on Thursday at half past nine. Please send your comments on the draft budget before then; figures for the second quarter are in the table on page 14. Costs rose by 3.2 percent, mainly because of energy and transport. According to the report, the new regulation will apply to all companies with more than 250 employees, although several member states have asked for a longer period.)",

    R"(เช้าวันนี้แม่ตื่นแต่เช้ามืดเพื่อเตรียมอาหารไปทำบุญที่วัดใกล้บ้าน น้องสาวช่วยห่อขนมด้วยใบตอง ส่วนพ่อออกไปดูเรือที่ท่าน้ำ ฝนตกหนักเมื่อคืนทำให้น้ำในคลองสูงขึ้นมาก ชาวบ้านบอกว่าถ้าฝนหยุดภายในสองวันก็ไม่ต้องกังวล)",

    R"(Rano we wsi było jeszcze ciemno, kiedy dziadek zaprzęgał konia i jechał na targ. Zabierał jabłka, miód i dwa kosze jajek, a wracał dopiero po południu. „Co mi przywiozłeś?” pytała moja siostra, zanim zdążył zejść z wozu. Zawsze miał dla niej coś w kieszeni: drewnianego ptaszka, wstążkę albo kawałek piernika zawinięty w papier.)",

    R"(বর্ষাকালে নদীর জল বাড়তে শুরু করলে গ্রামের লোকেরা নৌকা মেরামত করে। রহিম চাচা সকাল থেকে কাঠ কাটছিলেন, আর তার ছেলে পাশে বসে জাল বুনছিল। বিকেলে আকাশ কালো হয়ে এল, তারপর প্রচণ্ড ঝড় উঠল। সবাই স্কুলের পাকা দালানে আশ্রয় নিল এবং রাতভর গল্প করল।)",

    R"(בכל יום שישי אחר הצהריים הייתה סבתא שלי אופה חלות, והריח התפשט בכל הרחוב. הילדים של השכנים היו דופקים בדלת ושואלים אם נשאר משהו. "תמיד נשאר", הייתה אומרת, ומחלקת להם פרוסות חמות. כשהתחיל הגשם ישבנו ליד החלון וספרנו את המכוניות שעברו לאט בכביש.)",

    R"(# Installation

1. Download the archive and unpack it.
2. Run `make install` in the new folder.
3. Check with `tool --version`.

**Note:** on older systems you need version 3.8 or later. See [the manual](docs/manual.md) for details.

```sh
export PATH="$HOME/bin:$PATH"
tool init --name demo
```

> If anything fails, read the log in `build/log.txt` first.
)",

    R"(D'inverno la nebbia copre la pianura e dalla finestra non si vede nemmeno il campanile. Mio zio, che guidava il trattore da quarant'anni, diceva di conoscere la strada a memoria. «Basta ascoltare», ripeteva, ma nessuno gli credeva davvero. Una sera arrivò a casa con due ore di ritardo, coperto di fango, e raccontò che aveva seguito il suono sbagliato.)",

    R"(У нашому селі збереглася стара криниця, з якої колись пили чумаки. Бабуся казала, що вода в ній ніколи не замерзає, навіть коли стоять люті морози. Щовесни хлопці чистять її від листя, а дівчата прикрашають рушниками. Минулого року приїхали студенти з Києва, записали всі легенди й пообіцяли повернутися влітку.)",

    R"(Di kampung kami, setiap malam Minggu anak-anak berkumpul di balai desa untuk berlatih gamelan. Pak Wayan mengajar mereka dengan sabar, meskipun suara gong sering terlambat. "Dengarkan dulu, baru pukul," katanya sambil tersenyum. Bulan depan akan ada lomba di kota, jadi semua orang ikut membantu menyiapkan pakaian dan makanan.)",

    R"(در روستای ما هر پاییز مردم انارها را می‌چینند و در سبدهای بزرگ می‌گذارند. پدربزرگ می‌گفت که بهترین انار از باغ کنار رودخانه می‌آید، چون آب آنجا شیرین است. دیروز باران آمد و راه بسته شد، اما عمویم با اسب خود را رساند. شب همه دور کرسی نشستند و او از سفرش تعریف کرد.)",

    R"(SELECT c.name, COUNT(o.id) AS orders, SUM(o.total) AS revenue
FROM customers AS c
LEFT JOIN orders AS o ON o.customer_id = c.id
WHERE o.created_at >= '2024-01-01'
GROUP BY c.name
HAVING COUNT(o.id) > 3
ORDER BY revenue DESC
LIMIT 20;

const items = await fetch(`/api/orders?page=${page}`).then((r) => r.json());
items.filter((item) => item.total > 0).forEach((item) => console.log(item.id, item.name));
)",

    R"(Op zaterdag fietsten we altijd langs de dijk naar het dorp waar mijn tante een kleine winkel had. Ze verkocht touw, verf en dropjes, en wie lang genoeg bleef praten kreeg een kop koffie. „Het waait weer flink,” zei ze dan, terwijl ze de deur met haar schouder dichtduwde. In de haven lagen de schepen te wachten tot het water hoog genoeg stond.)",

    R"(மழைக்காலம் வந்ததும் ஏரி நிரம்பி, வயல்களில் தண்ணீர் பாயத் தொடங்கியது. தாத்தா அதிகாலையில் எழுந்து மாடுகளை ஓட்டிச் சென்றார். "இந்த ஆண்டு விளைச்சல் நன்றாக இருக்கும்" என்று அவர் சொன்னார். பிள்ளைகள் பள்ளிக்குப் போகும் வழியில் காகிதப் படகுகளை விட்டு விளையாடினார்கள்.)",

    R"(På somrarna bodde vi i ett rött hus vid kusten, utan el och med vatten från en brunn. Min mormor lärde oss att lägga nät och att rensa strömming innan solen gick upp. ”Skynda er, måsarna väntar inte”, brukade hon säga. När dimman kom in från havet tände vi fotogenlampan och spelade kort tills någon somnade vid bordet.)",

    R"(Moje babička pekla koláče podle receptu, který nikdy nikomu neprozradila. V neděli se u ní scházela celá rodina a děti směly zdobit těsto ořechy a mákem. „Musíte počkat, až to vychladne,“ opakovala, ale nikdo ji neposlouchal. Po obědě jsme šli na procházku k rybníku, kde strýc Karel vyprávěl, jak tu kdysi chytil obrovského kapra.)",

    R"(Bunicul meu avea o livadă de pruni pe deal și în fiecare toamnă ne chema pe toți la cules. Veneam cu trenul de dimineață, iar el ne aștepta la gară cu căruța. „Anul acesta sunt mai dulci ca oricând”, spunea mândru. Seara stăteam în jurul focului, mâncam mămăligă cu brânză și ascultam poveștile vecinilor.)",

    R"(Kesäisin istuimme laiturilla ja odotimme, että sauna lämpenee. Isoisä kertoi, kuinka hän oli nuorena soutanut järven yli hakemaan lääkäriä keskellä yötä. ”Myrsky oli kova, mutta vene oli vahva”, hän sanoi ja katsoi kauas. Veljeni ei uskonut kaikkea, mutta hän halusi silti kuulla tarinan aina uudestaan, kun aurinko alkoi laskea.)",

    R"(The mitochondria of a cell convert chemical energy into a form that other parts can use. Question: Why is the sky blue? Answer: Air scatters short waves of light more than long ones, so blue reaches the eye from every direction, while red goes straight on. That is also why the sun looks red in the evening. Let $f(x) = x^2 + 3x$; then $f'(x) = 2x + 3$, which vanishes at $x = -3/2$, so f has its minimum there.)",
}};
// clang-format on

}  // namespace

std::span<const std::string_view> RecordedTexts() { return kTexts; }

}  // namespace headway::pack
