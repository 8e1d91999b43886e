"""The lexicon of the story world: people, animals, places, things, foods, and what goes with each of them."""

FEMALE = """Anna Bella Clara Daisy Ella Flora Greta Hazel Ida June Kitty Lily Mira Nora Olive Poppy Rosa Sally Tilly Vera
Wendy Zoe Alice Betty Cora Dora Emma Fern Gwen Hilda Iris Jenny Katie Lucy Maya Nina Pearl Ruby Sophie Tessa Una Violet
Willow Ivy Mabel Molly Penny Robin Sara Tara""".split()
MALE = """Adam Ben Carl Dan Eli Finn George Hugo Ivan Jack Kit Leo Max Ned Oscar Paul Rufus Sam Toby Victor Will Zack
Albert Boris Colin Dexter Edgar Felix Gus Harry Igor Jonas Karl Luke Milo Noah Otto Peter Quentin Ralph Simon Tom Uri
Walter Basil Bruno Casper Jasper Oliver Pip""".split()

# kind: (looks, lives, eats, skill, sound, gathers)
ANIMALS = {
    "fox": ("red fur and a bushy tail", "in a den under the roots of an oak", "berries and eggs", "run without a sound", "barks", "berries"),
    "rabbit": ("long ears and soft brown fur", "in a warm burrow", "clover and carrots", "jump over a high fence", "squeaks", "clover"),
    "otter": ("sleek brown fur and strong paws", "in a holt by the river", "fish and crabs", "swim under the ice", "whistles", "smooth stones"),
    "bear": ("thick dark fur and heavy paws", "in a deep cave", "honey and nuts", "lift a fallen tree", "growls", "honey"),
    "owl": ("round eyes and quiet wings", "in a hollow tree", "beetles and moths", "see in the dark", "hoots", "feathers"),
    "mouse": ("tiny paws and a long tail", "in a hole behind the wall", "seeds and cheese", "squeeze through any crack", "squeaks", "seeds"),
    "hedgehog": ("a coat of sharp spines", "under a pile of leaves", "worms and plums", "roll into a tight ball", "snuffles", "dry leaves"),
    "squirrel": ("a curly tail and quick eyes", "in a nest high in a pine", "acorns and pine seeds", "leap from branch to branch", "chatters", "acorns"),
    "badger": ("a striped face and strong claws", "in a wide sett under the hill", "roots and mushrooms", "dig a long tunnel", "grunts", "roots"),
    "frog": ("smooth green skin and long legs", "on a broad lily leaf", "flies and gnats", "hop across the pond", "croaks", "reeds"),
    "duck": ("bright feathers and wide yellow feet", "in the reeds by the pond", "water plants and snails", "paddle against the stream", "quacks", "reeds"),
    "goat": ("a white beard and two curved horns", "in a stone shed on the hill", "grass and thistles", "climb the steepest rocks", "bleats", "hay"),
    "donkey": ("long grey ears and a patient face", "in a stable behind the mill", "hay and apples", "carry heavy sacks", "brays", "hay"),
    "cat": ("soft paws and golden eyes", "in a basket by the stove", "milk and fish", "walk along a narrow wall", "purrs", "bits of wool"),
    "dog": ("a wet nose and a wagging tail", "in a kennel near the gate", "bones and bread", "follow any trail", "barks", "sticks"),
    "turtle": ("a hard shell and slow feet", "beside a calm lake", "leaves and water plants", "swim for a whole day", "hums", "shells"),
    "crow": ("shiny black feathers and a clever eye", "in the tallest elm", "grain and cherries", "open a locked box", "caws", "shiny buttons"),
    "beaver": ("a flat tail and orange teeth", "in a lodge of sticks", "bark and twigs", "cut down a tree", "slaps the water", "branches"),
    "deer": ("slender legs and gentle eyes", "in a quiet clearing", "grass and young leaves", "outrun the wind", "calls softly", "soft moss"),
    "mole": ("velvet fur and tiny eyes", "in a tunnel under the meadow", "worms and roots", "find the way in the dark", "hums", "roots"),
    "sparrow": ("brown wings and a small beak", "under the roof of the barn", "crumbs and seeds", "fly through the rain", "chirps", "straw"),
    "lizard": ("bright scales and a long tail", "under a warm stone", "ants and flies", "climb a smooth wall", "hisses", "pebbles"),
    "snail": ("a round shell and two soft horns", "under a cabbage leaf", "leaves and moss", "climb a wet wall", "hums", "drops of dew"),
    "wolf": ("grey fur and bright eyes", "on the edge of the forest", "meat and berries", "run all night", "howls", "old bones"),
    "horse": ("a long mane and strong legs", "in the stable by the road", "oats and hay", "pull a heavy cart", "neighs", "hay"),
    "hen": ("speckled feathers and a red comb", "in a wooden coop", "corn and crumbs", "find a lost grain", "clucks", "corn"),
    "lamb": ("curly white wool", "in a green pasture", "grass and clover", "jump over the brook", "bleats", "clover"),
    "heron": ("long legs and grey wings", "in the marsh", "fish and frogs", "stand still for hours", "croaks", "reeds"),
    "bat": ("thin wings and large ears", "in the church tower", "moths and gnats", "hear a leaf fall", "squeaks", "moths"),
    "goose": ("white feathers and a long neck", "by the village pond", "grass and grain", "fly to the far south", "honks", "grain"),
}

# job: (works, tool, makes, act)
PEOPLE = {
    "baker": ("in a small bakery", "rolling pin", "warm bread", "bakes bread before sunrise"),
    "farmer": ("on a farm by the road", "plough", "fresh milk", "feeds the cows every morning"),
    "fisherman": ("at the harbour", "net", "silver fish", "rows out to sea at dawn"),
    "carpenter": ("in a dusty workshop", "saw", "strong tables", "cuts boards of oak and pine"),
    "gardener": ("in a garden full of roses", "spade", "sweet peas", "waters the flowers every evening"),
    "miller": ("in the old mill", "millstone", "white flour", "grinds grain for the village"),
    "tailor": ("in a narrow shop", "needle", "warm coats", "sews coats for the winter"),
    "potter": ("in a shed full of clay", "wheel", "blue bowls", "shapes bowls from wet clay"),
    "teacher": ("in a bright schoolroom", "chalk", "clever riddles", "teaches the children to read"),
    "doctor": ("in a white house near the square", "black bag", "bitter medicine", "visits the sick on foot"),
    "shepherd": ("on the green hills", "staff", "soft wool", "watches the sheep at night"),
    "blacksmith": ("in a hot forge", "hammer", "iron hooks", "hammers the glowing iron"),
    "weaver": ("in a room with a large loom", "loom", "striped blankets", "weaves wool into blankets"),
    "beekeeper": ("in an orchard full of hives", "veil", "golden honey", "looks after forty hives"),
    "painter": ("in a room under the roof", "brush", "bright pictures", "paints the sea and the sky"),
    "sailor": ("on a ship with brown sails", "rope", "long stories", "ties knots without looking"),
    "cobbler": ("in a cellar by the bridge", "awl", "sturdy boots", "mends old shoes"),
    "clockmaker": ("in a shop full of clocks", "tiny screwdriver", "little clocks", "repairs clocks and watches"),
    "cook": ("in a busy kitchen", "ladle", "thick soup", "stirs the soup with a long spoon"),
    "postman": ("in the post office", "leather bag", "neat parcels", "carries letters to every door"),
    "musician": ("in the town hall", "fiddle", "cheerful songs", "plays the fiddle at every feast"),
    "librarian": ("in a quiet library", "ladder", "long lists of books", "puts the books in order"),
    "girl": ("in a cottage by the lane", "basket", "paper boats", "helps in the house"),
    "boy": ("in a house near the well", "slingshot", "paper kites", "helps in the yard"),
}
FEMALE_ONLY, MALE_ONLY = {"girl", "hen"}, {"boy", "fisherman", "postman"}

ADJECTIVES = """little young old clever shy brave kind curious patient cheerful quiet careful lazy proud gentle honest stubborn hungry
busy lonely clumsy polite merry thoughtful""".split()

# place: (preposition, detail)
PLACES = {
    "the old mill": ("at", "where the wheel turned slowly in the water"), "the river": ("by", "where the water ran over smooth stones"),
    "the forest": ("in", "where the tall pines kept out the sun"), "the market": ("at", "where people called out their prices"),
    "the village": ("in", "where smoke rose from every chimney"), "the harbour": ("at", "where the boats rocked gently"),
    "the hill": ("on", "where the wind never stopped"), "the meadow": ("in", "where the grass was full of flowers"),
    "the lake": ("by", "where the water was as still as glass"), "the barn": ("in", "where it smelled of hay"),
    "the orchard": ("in", "where the apples were turning red"), "the bridge": ("on", "where two roads met"),
    "the garden": ("in", "where bees flew from rose to rose"), "the well": ("at", "where the water was cold and clear"),
    "the cave": ("in", "where every word came back as an echo"), "the beach": ("on", "where the waves left shells on the sand"),
    "the mountain": ("on", "where snow lay even in summer"), "the marsh": ("in", "where mist hung over the reeds"),
    "the tower": ("in", "where a hundred steps led up to a bell"), "the school": ("at", "where a bell rang every morning"),
    "the church": ("in", "where candles burned all day"), "the island": ("on", "where nobody had lived for years"),
    "the valley": ("in", "where the stream was narrow and quick"), "the bakery": ("in", "where the air smelled of warm bread"),
    "the library": ("in", "where dust danced in the light"), "the workshop": ("in", "where shavings covered the floor"),
    "the stable": ("in", "where the horses stamped their feet"), "the square": ("in", "where a fountain splashed"),
    "the crossroads": ("at", "where a wooden sign pointed four ways"), "the pond": ("by", "where dragonflies danced"),
    "the vineyard": ("in", "where the grapes hung heavy"), "the lighthouse": ("at", "where a lamp turned all night"),
    "the castle": ("in", "where ivy covered the walls"), "the quarry": ("in", "where white stones lay in heaps"),
    "the greenhouse": ("in", "where the air was warm and wet"), "the station": ("at", "where a clock hung over the door"),
}

COLOURS = "red blue green yellow white black brown grey golden silver orange purple".split()
THINGS = """lantern kettle basket bucket blanket scarf hat coat drum flute whistle kite ladder rope hammer spoon bowl cup jug pot map
letter book key box ring bell clock mirror brush broom umbrella candle button ribbon coin stone shell feather boat wagon wheel
sack barrel chair stool cushion lamp needle shovel rake wheelbarrow compass bottle marble necklace puzzle picture notebook pencil
glove boot slipper toy horn fiddle""".split()
MATERIALS = "wooden brass copper iron glass tin clay".split()
CLOTHS = "leather woollen silk linen cotton straw".split()
OF_CLOTH = set("blanket scarf hat coat ribbon glove boot slipper cushion sack".split())
OF_PAPER = set("map letter book kite umbrella notebook picture puzzle stone shell feather rope candle pencil horn".split())
SIZES = "small big tiny large heavy light round long narrow old new broken shiny plain pretty".split()
FOODS = """bread soup cake honey cheese apples pears plums cherries nuts porridge pancakes pie jam butter milk carrots beans peas
onions potatoes pumpkins eggs fish mushrooms berries grapes biscuits tea lemonade""".split()
DISHES = """soup|cake|bread|pie|porridge|jam|apple pie|onion soup|honey cake|plum jam|pumpkin soup|cheese pie|plum cake|nut bread
|carrot soup|cherry pie|mushroom soup|berry jam|lemon cake|fish soup""".replace("\n", "").split("|")
PLURALS = """apples pears plums cherries nuts carrots eggs mushrooms shells stones feathers buttons coins candles cups spoons books
flowers leaves acorns beans marbles biscuits pancakes potatoes onions fish boats kites letters sheep hens bottles boxes roses
bells hats ribbons berries pumpkins sticks""".split()
CROPS = "carrots beans pumpkins peas onions sunflowers potatoes tomatoes turnips strawberries cabbages radishes".split()
SKILLS = """swim|whistle|juggle|dance|sing|read|write|skate|paint|climb|knit|cook|sew|row a boat|ride a horse|play the flute|play the drum
|bake bread|tell stories|tie knots|fly a kite|draw|weave baskets|ring the bells|carve wood""".replace("\n", "").split("|")
FEELINGS_GOOD = "happy glad proud pleased cheerful content relieved grateful delighted".split()
FEELINGS_BAD = "sad worried tired lonely afraid ashamed upset cross disappointed nervous".split()
WEATHER = {
    "The sun was shining": "warm", "A soft rain was falling": "wet", "The wind was blowing hard": "windy", "Thick fog lay over the fields": "foggy",
    "Snow covered the ground": "cold", "The sky was clear and blue": "bright", "Dark clouds were gathering": "stormy", "The air was warm and still": "warm",
    "Frost glittered on the grass": "cold", "A light breeze moved the leaves": "mild", "The morning was cool and fresh": "fresh", "It was the hottest day of the year": "hot",
}
SEASONS = "spring summer autumn winter".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty""".split()
MORALS = {
    "help": ["a small friend can be a great help", "nobody is too small to help", "work is lighter when it is shared", "it is wise to ask for help"],
    "patience": ["good things take time", "patience is worth more than haste", "slow steps also reach the top", "those who keep trying will learn"],
    "honesty": ["it is better to tell the truth at once", "an honest word mends more than it breaks", "the truth makes the heart light"],
    "sharing": ["what we share tastes twice as good", "a shared gift is a double gift", "it is better to share than to quarrel"],
    "courage": ["being brave does not mean having no fear", "many dark things are harmless in the light", "courage grows with every step"],
    "planning": ["those who prepare early sleep well in a storm", "a little work today saves much trouble tomorrow", "it is wise to plan ahead"],
    "kindness": ["a kind deed is never wasted", "kindness always finds its way back", "one warm word can change a whole day"],
    "care": ["it is wise to look before you leap", "we should look after the things we love", "a careful hand loses nothing"],
}
