"""Plots, first part: things lost and made, journeys, weather and work.

A plot is (name, kind of moral, beats). A beat is the name of a shared beat, a list of alternatives, or "|" for a new
paragraph. Each plot follows goal, obstacle, help, consequence.
"""

PLOTS = [
    ("lost", "care", [
        "OPENING", ["{HN} had a {thing}. [It had been a present from {Hhis} grandmother|{Hhe} had found it {atP3}|{Hhe} loved it more than anything]."],
        "|", "DAY", [
            "[When {Hhe} came home|In the evening|At noon], {Hhe} [saw|noticed] that the {noun} was gone.",
            "Suddenly {Hhe} [saw|noticed] that {Hhe} had lost the {noun}.",
            "{Hhe} put {Hhis} hand in {Hhis} bag, but the {noun} was not there."],
        "FEEL_BAD", [
            "{Hhe} looked under the [table|stones|leaves], behind the [door|fence|trees] and even in the [well|stove|grass], but the {noun} was not there.",
            "{Hhe} searched [all morning|everywhere|for hours], but {Hhe} could not find the {noun}.",
            "First {Hhe} looked {atP}. Then {Hhe} looked {atP2}. The {noun} was nowhere."],
        "|", "MEET", "ASK_WHY", [
            "\"I have lost my {thing},\" [said|answered] {HN}. \"[Have you seen it?|I have looked everywhere.|I cannot find it.]\"",
            "\"My {noun} is gone,\" said {H}. \"I have looked everywhere.\""],
        "OFFER", [
            "They [went back to|walked together to] {P2} and looked [under every stone|behind every tree|very carefully]. [After a while|At last], {F} [found|saw] something {colour} in the grass. It was the {noun}!",
            "\"When did you have it last?\" asked {F}. \"{atP},\" said {HN}. So they went back to {P}, and there lay the {noun}[, wet but not broken|, just where {Hhe} had left it|].",
            "{F} [looked up|pointed]. \"Is that your {noun}?\" {Fhe} asked. The {noun} was hanging from a branch {atP2}."],
        "|", "THANKS", [
            "After that, {Hhe} always [tied the {noun} to {Hhis} bag|put the {noun} in a safe place|kept the {noun} close].", ""],
        "ENDING", "MORAL"]),
    ("river", "help", [
        "OPENING", "TRAIT", "|", [
            "One day {HN} wanted to [visit {Hhis} [aunt|uncle|grandmother|cousin]|go to {P3}|see {P3}], but the bridge was [gone|broken|under water].",
            "One {season} day {HN} came to a wide river. {Hhe} wanted to reach {P3} on the other side, but there was no bridge."],
        ["The water was [deep and cold|fast and brown|too wide to jump over].", "\"How can I cross?\" {Hhe} [asked {Hself}|wondered]."],
        ["{Hhe} tried to [jump from stone to stone|walk through the water], but {Hhe} [slipped|got wet to the ears|fell in] and had to go back.",
         "{Hhe} tried to build a raft from [reeds|old boards|branches], but it sank after {few} steps."],
        "FEEL_BAD", "|", "MEET", "ASK_WHY", [
            "\"I want to go to {P3},\" said {HN}, \"but I cannot cross the river.\"",
            "\"The river is too [deep|wide|fast] for me,\" said {H}."],
        "OFFER", [
            "{F} brought a [long|strong] rope and tied it to a tree. {HN} held the rope with both hands and [crossed|walked through the water] step by step.",
            "Together they rolled a [big log|fallen tree] across the river. It was a good bridge, and {HN} walked over it [slowly|without fear].",
            "{F} had a {colour} boat. {HN} sat down in the boat, and {F} rowed {Hhim} to the other side."],
        "|", "THANKS", ["Then {HN} [went on|walked] to {P3}.", "At last {HN} reached {P3}."], "ENDING", "MORAL"]),
    ("baking", "sharing", [
        "OPENING", "|", [
            "One {day}, {HN} wanted to [bake|make] {dish} for {FN}, {Hhis} friend the {Fk}. It was {FN}'s birthday.",
            "{HN} wanted to surprise {Hhis} friend {FN} the {Fk}, so {Hhe} decided to make {dish}."],
        ["{Hhe} needed [flour, butter and {n} eggs|flour, salt and a cup of {food2}|{food2}, {food3} and a big bowl].",
         "{Hhe} took out a [bowl|pot|big spoon] and looked into the cupboard."],
        ["But there was no [flour|butter|sugar|salt] left.", "But the [flour|butter|sugar] was gone. Only a [spoonful|crumb|little] was left."],
        "FEEL_BAD", "|", [
            "{HN} went to {EN}, the {Ek} who {Elives}. \"Could you give me some [flour|butter|sugar]?\" {Hhe} asked. \"[Of course|Gladly|Yes],\" said {E}, \"but [first help me to carry this {noun2}|I need someone to fetch water|please bring me some {food2}].\"",
            "On the way to {P} {Hhe} met {EN}, a {Ed}. \"I have what you need,\" said {E}, \"if you give me your {thing} for it.\" {HN} agreed."],
        ["{HN} was glad to do it, and {Hhe} went home with everything {Hhe} needed.", "{HN} did it gladly, and soon {Hhe} was on {Hhis} way home with a full [bag|basket]."],
        "|", ["{Hhe} mixed everything, [stirred it for a long time|added a little salt] and waited. Soon the whole house smelled of {dish}.",
              "{Hhe} worked [all afternoon|until evening], and [at last|in the end] the {dish} was ready."],
        ["{FN} came at [four|five|six] o'clock. \"This is the best {dish} I have ever tasted!\" {Fhe} said.",
         "When {FN} saw the {dish}, {Fhe} [laughed with joy|clapped {Fhis} hands|was very {good}]."],
        ["They shared it with {EN}, and nothing was left on the plates.", "They kept a piece for {EN}."], "ENDING", "MORAL"]),
    ("storm", "planning", [
        "OPENING", ["All {season} long, {HN} [gathered|collected] {food} and wood.", "When the days grew shorter, {HN} began to [repair the roof|stack wood|fill the cellar].",],
        ["{Hhis} neighbour {FN}, a {Fd}, [laughed|only shook {Fhis} head]. \"Why do you work so hard?\" {Fhe} asked. \"[The sun is shining|Come and play with me|There is plenty of time].\"",
         "{FN} the {Fk} [lay in the sun|slept {atP}|danced {atP}] all day. \"[Winter is far away|Tomorrow is another day],\" {Fhe} said."],
        ["\"[A storm may come|Winter will come|The rain will not wait],\" said {HN}, and {Hhe} went on working."],
        "|", ["Then [one night|one {day}|suddenly] [a great storm came|the snow began to fall]. The wind [howled|roared], and the [trees bent low|rain beat on the roofs|snow lay as high as a door].",
              "[A few weeks later|Soon after], the sky turned black over {P}, and a storm broke loose."],
        ["{HN} sat by the fire and was warm and dry, but {FN} had [no wood|a hole in the roof|nothing to eat].",
         "The wind tore the roof from {FN}'s house, and {Fhe} stood in the [rain|snow]."],
        ["[Someone knocked|There was a knock] at the door. It was {FN}, cold and {bad}. \"May I come in?\" {Fhe} asked.",
         "{FN} [ran|walked] through the storm to {HN}'s house and knocked."],
        ["\"Come in,\" said {HN}. \"[There is room for both of us|Sit down by the fire|You can share my {food}].\"", "{HN} opened the door at once and gave {Fhim} a {thing} and a bowl of soup."],
        "|", ["The next {season}, {FN} worked [every day|as hard as {HN}], and {HN} [showed {Fhim} how|helped {Fhim}].",
              "When the storm was over, they repaired the roof together."], "ENDING", "MORAL"]),
    ("garden", "patience", [
        "OPENING", "|", ["In [spring|April|May], {HN} planted {n} rows of {crop} [in the garden|behind {Hhis} house|near {P}].", "{HN} wanted to grow {crop}, so {Hhe} dug the earth [in the garden|behind the house|near {P}] and put the seeds in the ground."],
        ["Every [morning|evening] {Hhe} watered the {crop} and pulled out the weeds.", "{Hhe} watered them with a {colour} watering can and waited."],
        ["But after a week there was [nothing to see|only brown earth].", "But the days went by, and nothing came up."],
        ["\"[Nothing grows here|My seeds are dead],\" said {HN}, and {Hhe} was {bad}."], "|", "MEET",
        ["\"I planted {crop},\" said {HN}, \"but they do not grow.\"", "\"Look,\" said {H}, \"all my work was for nothing.\""],
        ["\"[Seeds need time|Wait a little longer|Be patient],\" said {F}. \"[First they grow roots|Even a tree was once a seed|Rain and sun will do the rest].\""],
        ["So {HN} waited. It rained for {few} days, and then the sun came out. [On the next {day}|The next morning], small green leaves stood in every row.",
         "{HN} waited one more week. Then, [after a warm rain|one fine morning], the first green leaves came up."],
        "|", ["Soon the {crop} grew [tall|big and strong], and in [summer|autumn] {HN} had {n} baskets full. {Hhe} gave one basket to {FN}.",
              "In autumn {Hhe} carried home {n_sum} baskets of {crop}. {n} of them were for {Hself}, and {n_more} were for {Hhis} friends."],
        "THANKS", "MORAL"]),
    ("building", "help", [
        "OPENING", "|", ["One day, {HN} decided to build a [house|boat|bridge|tree house|cart|shed] {atP}.", "{HN} wanted to build something big {atP}: a [house|boat|bridge|windmill]."],
        ["{Hhe} needed {n} boards, {n_more} nails and a {thing}.", "{Hhe} drew a plan and carried {n} heavy boards to {P}."],
        ["{Hhe} worked [for {few} days|from morning to night], but the boards were too heavy for one {Hk}.",
         "But when {Hhe} lifted the last board, everything [fell down|broke with a loud crash]."],
        "FEEL_BAD", "|", "MEET", "ASK_WHY", ["\"I want to finish my work,\" said {HN}, \"but it is too much for me alone.\"", "\"Everything fell down,\" said {H}. \"I have no strength left.\""],
        "OFFER", ["{F} held the boards, and {HN} drove in the nails. {EN} the {Ek} came too and brought a {thing2}.",
                  "{F} called {EN}, a {Ed}. The three of them worked side by side. {HN} measured, {FN} sawed and {EN} hammered."],
        ["After {few} days the work was done.", "[By|Before] the end of the week, everything stood firm and straight."],
        "|", ["They [painted it {colour}|hung a {thing2} over the door] and had a feast with {food} and {food2}.", "Everyone [in the village|who passed by] [stopped|came] to look at it."],
        "THANKS", "ENDING", "MORAL"]),
    ("letter", "kindness", [
        "OPENING", "|", ["One {day}, {HN} found a letter {atP}. It was for {FN}, a {Fd} who {Flives}.", "One morning {EN}, a {Ed}, gave {HN} a letter. \"Please take it to {FN} the {Fk},\" {Ehe} said. \"It is important.\""],
        ["The way was long. {HN} walked past {P2} and over the hill to {P3}.", "{HN} put the letter into {Hhis} bag and set out. First {Hhe} came to {P2}, then to {P3}."],
        ["[On the way|Near {P3}] it began to rain, and {HN} hid the letter under {Hhis} coat.", "A strong wind [blew the letter away|tore the letter from {Hhis} hand], and {HN} ran after it across {few} fields."],
        ["In the evening {Hhe} was tired and hungry, but {Hhe} did not stop.", "\"I gave my word,\" {Hhe} said, and {Hhe} walked on."],
        "|", ["At last {Hhe} [found|reached] the house of {FN}. {FN} [opened the letter and read it|read the letter twice].",
              "At last {Hhe} knocked at the door of {FN}. \"A letter for you,\" {Hhe} said."],
        ["It was from {Fhis} [brother|sister|mother], who wanted to visit {Fhim} on {day}. {F} [wept with joy|danced around the room|was very {good}].",
         "\"My [brother|sister] is coming home!\" cried {F}. {Fhe} was so {good} that {Fhe} [danced|laughed and wept at once]."],
        ["{F} gave {HN} {food} and a warm bed.", "\"You must be hungry,\" said {F}, and {Fhe} put {food} and {food2} on the table."], "THANKS", "MORAL"]),
]
