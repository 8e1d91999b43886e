"""Beats that all plots share: openings, meetings, greetings, thanks and endings.

H is the hero, F a friend, E somebody else; see grammar.base_slots() for the other slots.
"""

OPENING = [
    "[Once upon a time|Long ago|Once], there was a {Hd} [named|called] {HN} who {Hlives}.",
    "[Once upon a time|Long ago], a {Hd} [named|called] {HN} {Hlives}.",
    "There was once a {Hd} who {Hlives}. {Hhis} name was {HN}.",
    "{HN} was a {Hd} who {Hlives}.",
    "In a [small|quiet|far|green] [village|valley|country] there was a {Hd} [named|called] {HN}. {HN} {Hlives}.",
    "This is the story of {HN}, a {Hd} who {Hlives}.",
    "{HN} the {Hk} {Hlives}. Everybody knew that {Hhe} was [very|rather] {Hadj}.",
]
TRAIT = [
    "{HN} was {Hadj}, and {Hhe} [loved|liked] {food} [more than anything else|above all things|very much].",
    "Every [morning|evening|day] {Hhe} [walked|went] to {P} [and looked at the sky|with {Hhis} {noun}|to see {Hhis} friends].",
    "{HN} had a {thing}, and {Hhe} [was very proud of it|took it everywhere|kept it under {Hhis} bed].",
    "{Hhis} best friend was a {Fd} [named|called] {FN}.",
    "People said that no {Hk} was as {Hadj} as {HN}.",
    "", "", "",
]
DAY = [
    "One {season} [morning|day|afternoon], {HN} [went|walked|came] to {P}. {weather}.",
    "One {day}, {HN} was {atP}. {weather}.",
    "[One day|One {season} day|One {day} morning], {HN} woke up early. {weather}, and {Hhe} [decided to go to|wanted to go to|set out for] {P}.",
    "{weather} when {HN} [went|came|walked] to {P} [one {season} morning|one {day}|one day].",
    "It was {season}. {weather}, and {HN} [was|sat|stood] {whereP}.",
]
MEET = [
    "[Just then|Then|After a while|At that moment|Soon], {Hhe} met {FN}, a {Fd}.",
    "[On the way|Near {P2}|Not far away] {Hhe} [met|saw] a {Fd}. It was {FN}.",
    "[Just then|Soon|After a while], a {Fd} [named|called] {FN} came along.",
    "{FN}, a {Fd} who {Flives}, [heard {Hhim}|saw {Hhim}] and came closer.",
    "[Near|Not far from] {P2} {Hhe} found {FN} the {Fk}, who {Flives}.",
]
ASK_WHY = [
    "\"[Why do you look so {bad}|What is the matter|What has happened], {HN}?\" asked {F}.",
    "\"Good [morning|day|evening], {HN},\" said {F}. \"[You look {bad}|What is wrong|Can I help you]?\"",
    "{F} [looked at {Hhim} and asked|stopped and asked], \"[What is the matter|Why are you so {bad}|Can I do something for you]?\"",
]
FEEL_BAD = [
    "{HN} [felt|was] [very|quite|so] {bad}.",
    "This made {HN} [very|quite] {bad}.",
    "{HN} sat down on a [stone|log|bench] and [sighed|thought for a long time|did not know what to do].",
    "\"[Oh no!|Oh dear!|What shall I do now?]\" [said|cried] {HN}. {Hhe} was [very|so] {bad}.",
]
OFFER = [
    "\"[Do not worry|Do not be {bad}|Cheer up],\" said {F}. \"[I will help you|We can do it together|Two can do more than one].\"",
    "\"[I know what to do|I have an idea|Let me help you],\" said {F} [at once|with a smile|kindly].",
    "{F} thought for a moment. \"[I can help you|I have an idea|Let us try together],\" {Fhe} said.",
]
THANKS = [
    "\"Thank you, {FN},\" said {HN}. \"[You are a true friend|I will never forget this|Without you I would still be {atP}].\"",
    "{HN} thanked {FN} [with all {Hhis} heart|again and again] and gave {Fhim} [some {food}|a {thing2}|a big hug].",
    "\"[How can I thank you|What can I give you]?\" asked {H}. \"[You would do the same for me|Just be my friend|Share your {food} with me],\" said {F}.",
    "{HN} was so {good} that {Hhe} invited {FN} to [supper|dinner|tea]. They ate {food} and {food2}.",
]
ENDING = [
    "[From that day on|After that|Since that day], {HN} and {FN} were the best of friends.",
    "That evening {HN} went home [and slept very well|with a light heart|feeling {good}].",
    "[In the evening|When the stars came out|Before the sun went down], {HN} and {FN} sat {atP} and [talked about the day|sang a song|shared some {food}].",
    "{HN} was {good}, and [{FN} was {good} too|so was {FN}].",
    "And when {HN} was old, {Hhe} still [told this story [to everyone who would listen|by the fire]|remembered that day with a smile].",
]
MORAL = [
    "[So|And so|That is how] {HN} learned that {moral}.",
    "{HN} never forgot that {moral}.",
    "\"[You see|Now I know|Remember],\" said [{HN}|{FN}], \"{moral}.\"",
    "The moral of the story is that {moral}.",
    "",
]

SHARED = {"OPENING": OPENING, "TRAIT": TRAIT, "DAY": DAY, "MEET": MEET, "ASK_WHY": ASK_WHY, "FEEL_BAD": FEEL_BAD,
          "OFFER": OFFER, "THANKS": THANKS, "ENDING": ENDING, "MORAL": MORAL}
