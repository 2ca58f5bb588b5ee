"""Little stories from a grammar: plot skeletons with slots, filled so that names, pronouns and things agree.

`[a|b|c]` is a choice (nested choices are allowed) and `{slot}` a filled-in word. Slots of a story:
  H he him his        the hero: name or 'the little fox', and the pronouns
  F fhe fhim fhis     the friend; aF at the first mention ('a small mouse named Dot')
  G ghe               somebody older and wiser
  aO O o              a thing: 'a red ball', 'red ball', 'ball'
  in home food        'in the garden', 'the cottage', 'honey cakes'
Called by demo_corpus.py: `story(rng)`, and `story(rng, topic)` for a story about a kind of hero.
"""
import re

GIRLS = """Lily Mia Anna Rosie Ella Sara Lucy Emma Nora Clara Ruby Ivy Daisy Molly Zoe Maya Alice Hana Leila Freya Ada Tilly
Poppy Grace Hazel Nina Olive Betty Amy Kate Jane Sue Eva Ana Mina Rose Bella Luna Sophie Greta Heidi Ines Wendy Fern Penny""".split()
BOYS = """Tom Ben Max Sam Jack Leo Finn Tim Oliver Noah Theo Hugo Peter Oscar Will Henry Arthur Felix Jonas Omar Ravi Kenji
Luca Milo Otto Paul Adam Dan Jim Joe Eli Toby Charlie George Emil Nils Ali Marco Simon Victor Jasper Robin Ned Hal Bobby""".split()
PETS_F = "Dot Pip Bella Coco Daisy Fern Honey Poppy Misty Willow Pearl Tansy Clover Nutmeg Luna Juniper Mimi Flora Olive Biscuit".split()
PETS_M = "Bruno Rusty Pip Barnaby Chester Hopper Milo Basil Otis Bramble Ollie Sunny Teddy Fergus Mossy Bumble Tuft Oswald Gus Patch".split()
SYLLABLES = "ba be bo da do fa fi ga gi ka ki ko la le li lo ma me mi mo na ni no pa pe po ra ri ro sa si ta ti to va ve wi za zo".split()

ANIMALS = {  # kind: (home, where it likes to be)
    "fox": ("den", "forest"), "rabbit": ("burrow", "meadow"), "bear": ("cave", "forest"), "mouse": ("nest", "meadow"),
    "hedgehog": ("nest", "forest"), "squirrel": ("tree", "forest"), "cat": ("house", "garden"), "dog": ("house", "garden"),
    "frog": ("pond", "pond"), "duck": ("nest", "pond"), "turtle": ("house", "pond"), "badger": ("burrow", "forest"),
    "otter": ("den", "river"), "beaver": ("lodge", "river"), "lamb": ("barn", "meadow"), "pony": ("barn", "meadow"),
    "owl": ("tree", "forest"), "penguin": ("nest", "beach"), "elephant": ("home", "forest"), "monkey": ("tree", "forest"),
    "kitten": ("house", "garden"), "puppy": ("house", "garden"), "deer": ("home", "forest"), "goat": ("barn", "hill"),
    "mole": ("burrow", "garden"), "pig": ("barn", "meadow"), "snail": ("home", "garden"), "panda": ("home", "forest"),
    "wolf": ("den", "forest"), "lion": ("den", "hill"), "bird": ("nest", "garden"), "hen": ("barn", "meadow"),
}
MAGIC = {"dragon": ("cave", "hill"), "robot": ("house", "garden"), "fairy": ("cottage", "forest"), "giant": ("cottage", "hill"),
         "wizard": ("tower", "hill"), "princess": ("castle", "garden"), "prince": ("castle", "garden"), "elf": ("cottage", "forest")}
PLACES = {"forest": "in the forest", "meadow": "in the meadow", "garden": "in the garden", "pond": "by the pond",
          "river": "by the river", "beach": "on the beach", "hill": "on the hill", "park": "in the park"}
WIDER = {"forest": "[deep in the green forest|at the edge of a quiet forest|in a big forest]",
         "meadow": "[in a sunny meadow|on a small farm|in a green valley]", "garden": "[in a small village|in a little town|in a house with a big garden]",
         "pond": "[by a quiet pond|near a round pond]", "river": "[beside a clear river|by a wide river]",
         "beach": "[by the blue sea|near a long beach]", "hill": "[on a green hill|at the foot of a tall hill]",
         "park": "[in a busy town|in a little town near a park]"}
THINGS = """ball kite hat scarf drum key bell book cup lantern button shell feather stone basket umbrella whistle ribbon blanket
boat box flute lamp spoon bucket balloon coin marble mitten map ring teapot toy wagon bag mirror""".split()
LOOKS = """red blue green yellow orange pink purple white brown golden silver red blue green yellow little big old tiny round
shiny pretty small""".split()
FOODS = """honey cakes|apple pie|warm soup|fresh bread|berry jam|sweet plums|hot porridge|carrot soup|nut cookies|blueberry pie
pancakes|pumpkin soup|cheese sandwiches|ripe pears""".replace("\n", "|").split("|")
ADJ = "little small young kind clever shy brave curious cheerful gentle happy quiet friendly".split()
OLDER = {"child": [("Grandma", "she"), ("Grandpa", "he"), ("Mum", "she"), ("Dad", "he"), ("Mother", "she"), ("Father", "he"), ("Aunt May", "she")],
         "animal": [("the old owl", "she"), ("the old owl", "he"), ("the wise turtle", "he"), ("Mother", "she"), ("Father", "he"),
                    ("Grandmother", "she"), ("the old badger", "he"), ("the grey goose", "she")]}
WEATHER = {
    "sun": ["The sun was [warm|bright|shining] and the sky was [blue|clear].", "The birds were singing in the trees.",
            "It was a [warm|lovely|bright|sunny] day.", "A soft wind moved the leaves.", "The air smelled of [flowers|grass|summer]."],
    "rain": ["Grey clouds filled the sky.", "The rain fell [softly|hard] on the [roof|leaves].", "It was a wet and rainy day.",
             "Drops of rain ran down the leaves."],
    "snow": ["White snow lay on the ground.", "The air was cold and the snow was soft.", "Snow was falling [softly|slowly] from the sky."],
    "wind": ["The wind was blowing [hard|all day].", "The wind made the trees dance.", "It was a windy day."],
    "night": ["The stars were bright above the trees.", "The moon was round and white.", "Everything was quiet and still."],
}
WHEN = {"sun": "One [sunny |bright |warm |fine ||||]morning|One [sunny |warm |lovely |fine |||]day|One [summer|spring|warm|quiet] afternoon|Early one morning",
        "rain": "One rainy [day|morning|afternoon]|One wet morning", "snow": "One [snowy|cold|winter] [morning|day]|One winter day",
        "wind": "One windy [day|morning|afternoon]", "night": "One [quiet|clear|starry] [night|evening]|One night"}

DEEDS = [  # openings that have nothing to do with the plot, so that any opening line can be taken up
    "[saw|met|drew|dreamed of|heard|followed|watched] a [big|tiny|strange|grey|blue|friendly|sleepy] [cat|bird|whale|snake|cow|spider|bee|horse|ship|train|cloud|ghost|king|queen|sailor|tiger]",
    "[opened|closed|washed|painted|mended|carried|hid|bought|sold|dropped] a [big|small|old|new|red|green|silver|heavy|wooden] [box|door|chair|table|window|car|bottle|cake|ladder|clock|tree|egg|letter|guitar|sword|shoe]",
    "[walked|ran|climbed|went|travelled|jumped|looked] [up the mountain|into the city|to the moon|over the bridge|across the sea|down the road|through the snow|around the house|to the shop|into the dark cave]",
    "[ate|cooked|found|wanted] a [big|small|tasty|cold|hot] [pizza|fish|cheese|banana|carrot|potato|cake|sandwich|melon|ice cream|bowl of rice]",
    "[was|felt|became] [sad|happy|angry|tired|hungry|thirsty|sleepy|bored|lonely|proud|cold|very old|sick|lost|late|afraid]",
    "[sang a song|danced in the rain|told a joke|played the piano|read a book|wrote a letter|swam in the lake|slept all day|lived alone|had a secret|had a dream|made a wish|had an idea|liked to swim|worked in the garden|could not find the way|did not know what to do]",
    "[had|got|lost|wanted|loved] a [dog|cat|horse|pet fish|sister|brother|red hat|big house|magic stone|small boat|new friend|golden ring]"]

# (weather, who, event, body, moral). The event is what the hero does in the opening sentence.
PLOTS = [
 ("sun", "any", "found {aO} {in}",
  "[It was the prettiest {o} {he} had ever seen.|{he} had never seen such a fine {o}.] [\"Who lost this {o}?\" {he} wondered.|\"Somebody must be looking for it,\" {he} thought.] {H} asked {G}, but {G} did not know. Then {H} met {aF}. {F} was [crying|very sad|sitting under a tree and crying]. [\"I have lost my {O},\" said {F}.|\"My {O} is gone,\" said {F}.] {H} held out the {o}. \"Is this yours?\" {he} asked. {F} [jumped for joy|smiled and clapped|laughed with joy]. \"Yes! Thank you, {Hn}!\" [{fhe} said|{fhe} cried]. [They played with the {o} all afternoon.|Then they played together until the sun went down.]",
  "It feels good to give back what is lost."),
 ("sun", "any", "lost {his} {O}",
  "{H} looked [under the bed|behind the door|in every corner], but the {o} was not there. {he} looked {in}, but the {o} was not there either. {H} [was very sad|began to cry|sat down with a sigh]. {aF} came by. \"[Why are you sad|What is wrong], {Hn}?\" asked {F}. \"I cannot find my {O},\" said {H}. \"[I will help you|Let us look together],\" said {F}. They looked [high and low|here and there]. At last {F} [looked under an old log|looked behind a big stone|looked up into a tree] and there it was! {H} [hugged {fhim}|thanked {fhim} with all {his} heart]. \"You are a good friend,\" {he} said.",
  "Two friends can find more than one."),
 ("wind", "any", "was playing with {aO} when a strong wind blew it away",
  "The {o} flew over the [fence|bushes|stream] and landed [high in a tree|on top of a tall tree]. {H} tried to [climb|jump], but the tree was too tall. \"Oh no, my {o}!\" {he} cried. {aF} heard {him} and came to help. \"[Let me try|I can help you],\" said {F}. {F} [shook the branch|climbed up the tree|pushed the branch with a long stick], and the {o} fell down. {H} caught it [in {his} arms|and laughed]. \"Thank you!\" said {H}. \"[Do you want to play with me|Will you play with me]?\" {F} [nodded happily|said yes at once].",
  "A friend makes a tall tree small."),
 ("rain", "any", "wanted to play outside, but it was raining",
  "{H} [looked out of the window|sat by the door] and [sighed|felt sad]. \"[There is nothing to do|I do not like the rain],\" {he} said. Then there was a knock at the door. It was {F}, [wet from nose to toes|dripping with rain]. \"Come in and get warm,\" said {H}. {H} gave {fhim} a [dry towel|warm blanket], and they ate {food} [by the fire|at the table]. They [told stories|sang songs|played games] and laughed a lot. When they looked up, the rain had stopped. A big rainbow [stood over the hill|shone in the sky]. \"[I like rainy days now|This was a good day],\" said {H}.",
  "A rainy day is short with a friend."),
 ("sun", "any", "heard a small cry {in}",
  "{H} followed the sound. [Behind a bush|Under a big leaf|Next to a stone] {he} found {aF}. \"I am lost,\" said {F}. \"I cannot find my way home.\" {H} took {fhim} by the hand. \"Do not be afraid. I will help you,\" {he} said. They asked [a bee|a snail|an old toad], but [it|he] did not know the way. They asked {G}. \"[Follow the stream|Go past the big tree|Follow the path] and you will see it,\" said {G}. So they walked and walked. At last {F} saw {fhis} home. \"There it is!\" {fhe} cried. {Fs} mother ran out and hugged {fhim}. She gave {H} {food} to say thank you.",
  "Nobody is lost for long when a friend is near."),
 ("sun", "any", "wanted to bake {food} for {F}",
  "{H} put on an apron and took out a big bowl. But there was no [flour|sugar|butter] left. So {he} went to ask {G}. \"You may have some of mine,\" said {G} with a smile. {H} ran home and mixed everything together. [Soon the kitchen smelled wonderful.|Soon the whole house smelled sweet.] When {F} came, the table was ready. \"[Is this for me|Did you make this all by yourself]?\" asked {F}. \"Yes, it is for you, because you are my friend,\" said {H}. They ate until [their tummies were full|nothing was left].",
  "Food tastes best when it is shared."),
 ("sun", "any", "planted a tiny seed {in}",
  "{he} gave it water every day. \"Grow, little seed,\" {he} said. [One day|For a week] nothing happened. {H} was [sad|worried]. \"Be patient,\" said {G}. \"Good things take time.\" So {H} waited. {he} watered the seed and sang to it. Then, one morning, {he} saw a small green leaf. The leaf grew [taller and taller|bigger every day]. In the end there was a [big yellow sunflower|tall green tree|beautiful red flower]. {H} danced around it. \"You were right,\" {he} told {G}. \"[It was worth the wait|Waiting was not so hard].\"",
  "Good things take time."),
 ("sun", "any", "wanted to learn how to swim",
  "But the water was [cold and deep|so big], and {H} was afraid. {F} could swim very well. \"I will teach you,\" said {F}. First {H} put one foot in the water. Then {he} put both feet in. {F} held {him} by the hand. \"Kick your legs,\" {fhe} said. {H} kicked and kicked. [Water splashed everywhere.|It was hard at first.] {he} tried again and again. After many tries, {he} was swimming! \"Look at me!\" {H} shouted. {F} clapped. \"I knew you could do it,\" said {F}.",
  "If you try again, you can learn almost anything."),
 ("sun", "child", "wanted to learn to ride a bicycle",
  "The bicycle was [red|blue|green] and shiny. {H} sat on it, but {he} fell down. {he} tried again and fell once more. \"I will never learn it,\" {he} said. {G} came out and [smiled|sat down beside {him}]. \"When I was small, I fell many times too,\" said {G}. \"Try one more time. I will hold you.\" {H} tried again. {G} ran beside {him} and then let go. {H} was riding all alone! \"I can do it!\" {he} shouted. [The wind was in {his} hair.|{he} rode all the way to the gate.]",
  "Never give up after the first fall."),
 ("night", "any", "could not sleep because it was dark",
  "\"[I hear strange sounds|There is a shadow by the door],\" {he} whispered. {he} called {G}. {G} came with a small [lamp|candle]. \"Let us look together,\" said {G}. They looked under the bed, and there was only a sock. They looked behind the door, and there was only a coat. \"You see, there is nothing to fear,\" said {G}. Then they opened the window and looked at the stars. \"The stars watch over you,\" said {G}. {H} [counted the stars|looked at the moon] until {his} eyes closed. Soon {he} was fast asleep.",
  "The dark is only the day with its eyes closed."),
 ("night", "any", "saw a star fall from the sky",
  "It landed {in} with a soft sound. {H} ran to look. A tiny star lay in the grass and shone like a candle. \"I fell down, and I want to go home,\" said the star. {H} wanted to help. {he} called {F}, and together they carried the star up the highest hill. \"[Now jump|We will throw you up],\" said {F}. \"One, two, three!\" The star flew up and up until it was back in the sky. It [blinked|winked] at them. {H} and {F} waved. Every night after that, one star shone a little brighter for them.",
  "Even a star needs a friend sometimes."),
 ("snow", "any", "wanted to build a snowman",
  "{H} asked {F} to help. They rolled a big ball of snow, then a smaller one, and then a very small one. {F} found [two black stones|two buttons] for the eyes. {H} found a carrot for the nose. \"He looks cold,\" said {H}. So {he} gave the snowman {his} [old|red|blue] scarf. \"Now he looks happy,\" said {F}. They danced around the snowman until [it got dark|their noses were red]. Then they went inside and had {food} by the fire. The snowman [stood outside and smiled|smiled at the moon all night].",
  "Winter is warm with a friend."),
 ("snow", "animal", "had nothing left to eat",
  "The snow was deep and {H} was hungry. {he} walked from tree to tree, but {he} found no food. Then {he} came to a small house with a light. {F} opened the door. \"You look cold and hungry,\" said {F}. \"Come in.\" {F} did not have much, only [a bowl of nuts|some bread|a few apples], but {fhe} gave half of it to {H}. {H} never forgot it. When spring came, {H} brought {F} a big basket of [berries|flowers|strawberries]. \"You helped me when I had nothing,\" {he} said. \"Now I want to help you.\"",
  "A kind deed comes back like the spring."),
 ("sun", "any", "had a big red apple",
  "It was the last apple of the tree. {H} wanted to eat it all alone. Just then {aF} came by. {F} looked at the apple, and {fhis} tummy made a sound. \"Are you hungry?\" asked {H}. \"A little,\" said {F}. {H} thought for a moment. Then {he} cut the apple into two halves. \"One half for you and one half for me,\" {he} said. {F} smiled. They sat in the grass and ate. \"This is the best apple of all,\" said {F}. The next day {F} brought {food} and gave half of it to {H}.",
  "Sharing makes a small thing big."),
 ("sun", "any", "wanted to cross the river, but the bridge was broken",
  "{H} stood on the bank and did not know what to do. {aF} was standing on the other side. \"I want to come to you!\" called {H}. \"And I want to come to you!\" called {F}. So they began to work. {H} brought [long branches|big stones] and {F} brought [strong ropes|old boards]. They worked [all morning|the whole day]. In the evening there was a new bridge. {H} and {F} met in the middle and shook hands. \"We did it together,\" said {F}. Now everyone can cross the river without getting wet.",
  "Many hands make light work."),
 ("sun", "any", "found an old map {in}",
  "There was a red cross on the map. \"A treasure!\" {he} said. {he} showed the map to {F}, and they set out at once. They walked past the [old mill|tall tree|round pond]. They climbed over the [hill|wall|big rock]. They counted ten steps and began to dig. Soon they found a small wooden box. Inside the box there was no gold, only a letter. {H} read it aloud. \"The real treasure is the friend who came with you,\" it said. {H} looked at {F}, and both of them laughed. \"It is true,\" said {H}. They [ate {food} under a tree|walked home arm in arm].",
  "A friend is better than gold."),
 ("sun", "any", "found a bird with a hurt wing {in}",
  "\"Poor little bird,\" said {H}. {he} carried it home very gently. {G} showed {him} what to do. They made a soft bed in a box and gave the bird [seeds|crumbs] and water. Every day {H} sat beside it and talked to it. After [a week|many days] the wing was well again. {H} opened the window. {he} was a little sad, but {he} let the bird fly. The bird flew around {his} head and sang. The next morning {H} heard a song at the window. The bird had come back to say thank you.",
  "If you love something, let it be free."),
 ("sun", "any", "wanted to win the big race",
  "{H} was not the fastest, but {he} practised every day. On the day of the race everyone stood in a line. \"Ready, steady, go!\" called {G}. {H} ran as fast as {he} could. Then {he} saw {F} fall down. {F} had hurt {fhis} foot. {H} stopped at once. \"Lean on me,\" said {H}. They walked to the end of the race together. They came in last, but everyone clapped for them. \"You did not win the race, but you won my heart,\" said {G}. {F} gave {H} a big hug.",
  "Helping a friend is better than winning."),
 ("sun", "any", "broke the {O} that belonged to {F}",
  "{H} did not mean to do it. It just fell and broke. {H} hid the {o} behind a bush and went away. But {he} felt bad all day. {he} could not eat and {he} could not play. At last {he} went to {F}. \"I broke your {o},\" said {H}. \"I am very sorry.\" {F} was quiet for a moment. Then {fhe} smiled. \"Thank you for telling me the truth,\" said {F}. \"[We can mend it together|Let us try to mend it].\" They worked all afternoon, and soon the {o} was [almost as good as new|whole again]. {H} felt light and happy.",
  "It is always better to tell the truth."),
 ("sun", "any", "took the {O} of {F} without asking",
  "{H} only wanted to play with it for a little while. But soon {F} came and looked for it everywhere. \"Have you seen my {o}?\" asked {F}. {H} looked at the ground. {he} wanted to say no, but it did not feel right. \"I took it,\" {he} said. \"I am sorry. I should have asked you.\" {F} thought about it. \"Next time just ask me,\" said {F}, \"and we can play with it together.\" {H} gave the {o} back. Then they [took turns|played together] until it was time to go home.",
  "Ask first, and then you can play together."),
 ("sun", "any", "had a quarrel with {F}",
  "Both of them wanted the {O}. {H} pulled on one side and {F} pulled on the other. \"It is mine!\" cried {H}. \"No, it is mine!\" cried {F}. Then {G} came. \"If you pull like that, it will break,\" said {G}. \"Why do you not take turns?\" {H} and {F} looked at each other. \"You can have the {o} first,\" said {H}. \"No, you first,\" said {F}. Then they both began to laugh. They took turns all day and forgot that they had ever been angry.",
  "Taking turns is better than tears."),
 ("sun", "any", "was all alone and had no one to play with",
  "{H} [threw stones into the water|drew pictures in the sand|sat on the steps]. \"I wish I had a friend,\" {he} said softly. Then {he} saw {aF}. {F} was alone too. {H} was shy, but {he} took a deep breath. \"Hello,\" {he} said. \"My name is {Hname}. Do you want to play with me?\" {F} smiled from ear to ear. \"I was hoping that you would ask,\" said {F}. They played [hide and seek|tag|with a ball] until the sun went down. \"Will you come back tomorrow?\" asked {F}. \"Yes, tomorrow and every day,\" said {H}.",
  "A friend begins with a hello."),
 ("sun", "any", "made a boat from [a leaf|paper|an old box]",
  "{he} put it on the water and it began to float. \"Sail, little boat!\" said {H}. The boat went faster and faster down the stream. {H} ran after it, past the [mill|trees|big stones]. At last the boat stopped. {aF} had caught it. \"Is this your boat?\" asked {F}. \"Yes, I made it myself,\" said {H}. \"It is a wonderful boat,\" said {F}. \"Can you show me how to make one?\" So {H} and {F} sat down and made a second boat. Soon two little boats sailed side by side.",
  "Two boats are more fun than one."),
 ("sun", "any", "wanted to give {F} a birthday present",
  "But {H} had no money. \"What can I give to {fhim}?\" {he} asked {G}. \"Give something that comes from your heart,\" said {G}. {H} thought for a long time. Then {he} picked [flowers in the meadow|the sweetest berries] and made [a crown|a little card]. When the party began, {F} got many big presents. {H} was shy and held out {his} small one. {F} opened it and {fhis} eyes began to shine. \"You made this yourself!\" said {F}. \"This is the best present of all.\" Then everyone ate {food} and danced.",
  "The best presents come from the heart."),
 ("sun", "any", "thought that everybody had forgotten {his} birthday",
  "{he} woke up early, but nobody said a word. {H} went to see {F}, but {F} was not at home. {he} went to see {G}, but nobody opened the door. {H} walked home slowly. A tear ran down {his} cheek. Then {he} opened {his} own door. \"Surprise!\" everyone shouted. {F} was there and {G} was there too. There were [balloons|candles|flowers] and there was a big cake. \"Did you think we had forgotten you?\" asked {F}. {H} laughed and cried at the same time. It was the best birthday ever.",
  "Good friends do not forget."),
 ("sun", "any", "went to pick berries {in}",
  "{H} had a big basket. {he} picked one berry for the basket and ate one berry. Then {he} ate two, and then three. In the evening the basket was empty, but {his} tummy was full. \"Oh no,\" said {H}. \"I wanted to bring some to {G}.\" {F} came along with a full basket. {F} looked at the empty basket and laughed. \"Your mouth is all blue,\" {fhe} said. Then {F} gave {him} half of {fhis} berries. They carried them to {G}, who made a big pie. Everyone had a piece, and {H} had only a very small one.",
  "Keep a little for the ones you love."),
 ("sun", "any", "met {aF}, who was carrying a heavy load",
  "\"May I help you?\" asked {H}. \"Oh yes, please,\" said {F}. \"I have to bring this to the other side of the hill.\" {H} took one end and {F} took the other. They sang a song as they walked, and the load did not feel so heavy any more. At the top they rested and looked at the view. \"What is inside?\" asked {H}. {F} opened it. It was full of {food}! \"It is for a feast,\" said {F}, \"and now you must come too.\" So {H} went to the feast and danced until late.",
  "A heavy load is light for two."),
 ("sun", "any", "was afraid of the big dog next door",
  "Each time the dog barked, {H} ran away. One day {his} ball rolled right up to the dog. {H} stood still and did not know what to do. The dog picked up the ball and looked at {him} with big brown eyes. Then the dog put the ball down and wagged its tail. \"Oh,\" said {H}. \"You only want to play!\" {he} threw the ball, and the dog brought it back. They played all afternoon. {G} looked out and smiled. \"I see that you made a new friend,\" said {G}.",
  "Sometimes a loud voice hides a soft heart."),
 ("sun", "any", "wanted to touch the clouds",
  "{H} climbed on a chair, but the clouds were too high. {he} climbed on a big rock, but the clouds were still too high. \"[Climb the hill|Go up to the top of the hill],\" said {G}, \"but take a friend with you.\" So {H} asked {F}. They walked up and up and up. Near the top, everything became white and soft. \"Where are we?\" asked {F}. \"I think we are inside a cloud!\" said {H}. They held hands and laughed. The cloud was cool and wet on their noses. When they came home, they told everyone about it.",
  "Big dreams begin with small steps."),
 ("rain", "any", "saw that the stream was getting higher and higher",
  "\"The water will come into the houses!\" cried {H}. {he} ran from door to door. \"Wake up! The water is coming!\" {he} called. {F} came out, and then the others came too. Together they carried stones and built a strong wall. They worked all night in the rain. In the morning the rain stopped and the wall was still standing. Every house was dry. \"You saved us, {Hn},\" said {G}. \"No,\" said {H}. \"We all did it together.\" Then they had {food} in the sun.",
  "Together we are strong."),
 ("sun", "any", "heard beautiful music {in}",
  "{H} followed the music past the trees. There sat {aF} with a small flute. \"That is the loveliest song I have ever heard,\" said {H}. \"Can you teach me?\" {F} gave {him} the flute. {H} blew into it, but it only made a funny noise. They both laughed. \"Try it again, very softly,\" said {F}. {H} tried every day for a week. Then one evening {he} played a whole song. The birds stopped to listen. {F} began to dance, and soon everyone was dancing.",
  "Practice turns noise into music."),
 ("sun", "any", "wanted to paint a picture of {F}",
  "{H} took some paper and all {his} colours. {F} sat very still on a stone. But a [bee|butterfly] sat down on {Fs} nose, and {fhe} began to laugh. Then {H} began to laugh too, and the brush slipped. Now there was a big blue spot in the middle of the picture. \"It is ruined,\" said {H}. {F} looked at it. \"No, it is not,\" said {F}. \"Now it looks like the sky.\" {H} painted a sun and some birds next to the spot. It became the nicest picture of all. They hung it on the wall.",
  "A mistake can be the start of something good."),
 ("sun", "any", "woke up and did not want to get up",
  "\"I am too tired,\" said {H}. {F} knocked on the window. \"Come out! The day is so fine,\" {fhe} called. \"No,\" said {H}, and pulled the blanket over {his} head. A little later there was a smell of {food}. {H} put out one foot. Then {he} put out the other foot. {he} went to the door and looked outside. {F} and {G} were having breakfast in the grass. \"There is a place for you,\" said {F}. {H} sat down and ate with them. \"I am glad that I got up,\" {he} said.",
  "A new day is a gift."),
 ("sun", "any", "went to the market to buy {food}",
  "{H} had three coins in {his} pocket. On the way {he} met {aF}, who looked sad. \"I dropped my money into the well,\" said {F}. {H} looked at {his} coins. {he} gave one of them to {F}. At the market {H} could only buy a small piece. But the woman at the market had seen everything. \"You have a good heart,\" she said, and she filled the whole basket. {H} ran back to find {F}. They sat by the well and shared everything.",
  "Who gives a little gets a lot."),
 ("sun", "any", "found a small door in an old tree",
  "It was just big enough. {H} knocked three times. The door opened, and there stood {aF}. \"Nobody has knocked here for a long time,\" said {F}. \"Please come in.\" Inside there was a warm room with a tiny stove and a round table. {F} made tea, and they ate {food}. {H} looked at all the books on the wall. \"Would you like to hear a story?\" asked {F}. {H} nodded. {F} read until the light outside turned gold. \"Come again soon,\" said {F}. \"I will,\" said {H}, \"and next time I will bring a book too.\"",
  "Knock on a door and you may find a friend."),
 ("sun", "any", "wanted to fly like the birds",
  "{H} made wings from [leaves|paper|feathers] and jumped from a small rock. {he} landed in a heap of leaves. {F} saw it and came running. \"Are you hurt?\" asked {fhe}. \"No,\" said {H}, \"but I still cannot fly.\" {F} thought about it. Then {fhe} tied a strong rope to a branch and made a swing. {H} sat on it and {F} pushed. Up {he} went, higher and higher, with the wind in {his} face. \"I am flying!\" cried {H}. \"I am really flying!\" Then they changed places, and {F} could fly too.",
  "There is more than one way to fly."),
 ("sun", "any", "wanted to be as big as a tree",
  "\"I am too small,\" said {H}. \"I cannot reach anything.\" {G} only smiled. Just then {F} came running. \"Help! My {O} fell into a hole, and nobody can get it out,\" said {F}. The hole was narrow and deep. Everyone was too big for it. \"Let me try,\" said {H}. {he} went into the hole, and soon {he} came back with the {o}. \"You are just the right size,\" said {F}. {H} stood very straight. {he} did not want to be as big as a tree any more.",
  "Everyone is the right size for something."),
 ("sun", "any", "boasted that {he} could do everything alone",
  "\"I do not need any help,\" {he} said. {he} carried a big log, but it was too heavy. It fell and rolled down the hill right into the pond. Splash! {H} fell in too. \"Help!\" {he} called. {F} heard {him} and held out a long branch. {H} took hold of it, and {F} pulled {him} out. {H} was wet and cold, and {his} face was red. \"Thank you,\" {he} said quietly. \"I do need help sometimes.\" {F} smiled and gave {him} a dry coat. Then they carried the log together.",
  "It is all right to ask for help."),
 ("sun", "any", "told {F} a lie",
  "\"There is a monster {in}!\" said {H}. {F} was so afraid that {fhe} ran home. {H} laughed at first. But then {he} had nobody to play with. The next day {F} did not come out. {H} felt lonely. {he} went to {Fs} home and knocked on the door. \"There is no monster,\" {he} said. \"I made it up, and I am sorry.\" {F} opened the door a little. \"Will you always tell me the truth now?\" {fhe} asked. \"I promise,\" said {H}. {F} came out, and they played together again.",
  "A friend should always be able to believe you."),
 ("sun", "any", "was cleaning the house and found {aO} under the bed",
  "It was old and covered with dust. {H} rubbed it with a cloth until it was clean. Then {he} showed it to {G}. \"My {o}!\" said {G}. \"I had that when I was as small as you.\" {G} sat down and told {him} a long story about it. {H} listened with big eyes. \"You should have it back,\" said {H}. \"No,\" said {G}. \"Now it is yours. Take good care of it.\" {H} put the {o} beside {his} bed. Every night {he} looked at it and thought about the story.",
  "Old things have good stories."),
 ("sun", "child", "went to school for the first time",
  "{H} held {G} by the hand and did not want to let go. There were so many new faces. {H} sat down in the last row. A {Fkind} sat next to {him}. \"My name is {F},\" {fhe} said. \"Is this your first day too?\" {H} nodded. \"Then we can be new together,\" said {F}. They drew a big picture of a [ship|house|horse] and sang a song. At noon they shared {food}. When {G} came back, {H} did not want to go home yet. \"School is fun,\" {he} said. \"I already have a friend.\"",
  "New things are easier with a friend."),
 ("sun", "child", "went to the beach with {G}",
  "{H} built a castle of sand with four towers. {he} put a [shell|feather|flag] on the highest tower. Then a big wave came and washed the castle away. {H} was very sad. \"The sea wanted to play too,\" said {G}. A {Fkind} with a [red|blue|yellow] bucket had seen it. \"I am {F},\" {fhe} said. \"Let us build a new castle, farther from the water.\" They dug and they built until the castle was taller than before. They made a wall around it. This time the wave only came up to the wall, and everyone cheered.",
  "What is broken can be built again."),
 ("sun", "any", "went for a long walk {in}",
  "{H} looked at the flowers and listened to the bees. {he} walked so far that {he} did not know the way back. The sun was going down. {H} sat down on a stone and felt afraid. Then {he} saw a little light. It was a firefly. \"Follow me,\" said the firefly. It flew ahead from bush to bush, and {H} followed. The light danced in the dark like a small star. At last {H} saw {his} home, and {G} was waiting at the door. \"Thank you, little firefly,\" said {H}. {G} gave {him} {food} and put {him} to bed.",
  "Even a small light can show the way."),
 ("sun", "any", "could not stop sneezing",
  "\"Achoo!\" said {H}, and a bird fell off its branch. \"Achoo!\" said {H}, and {his} hat flew away. {F} brought {him} a cup of tea, but it did not help. {F} brought {him} a warm blanket, but that did not help either. Then {G} came and looked closely. \"There is a feather on your nose!\" said {G}. {F} took the feather away. {H} waited. There was no more sneezing. Everyone laughed, and {H} laughed the loudest of all.",
  "Look closely, and the answer may be right under your nose."),
 ("night", "any", "wanted to catch the moon",
  "{H} saw the moon in the pond. It was round and yellow like a cheese. {he} put {his} hand into the water, but the moon broke into many pieces. {H} was frightened. \"I broke the moon!\" {he} cried. {F} came to look. \"Wait a little,\" said {F}. They sat very still. The water became smooth, and the moon was whole again. \"You see, it is only a picture,\" said {F}. \"The real moon is up there.\" {H} looked up and laughed. They sat by the pond and watched the moon for a long time.",
  "Some things are lovely even if you cannot hold them."),
 ("wind", "any", "went out to fly a kite with {F}",
  "The kite was [red|blue|yellow|green] and had a long tail. {H} held the string and {F} ran with the kite. Up it went, over the trees and over the roofs. Then the string broke! The kite flew away. {H} and {F} ran after it through the [field|meadow]. It came down in the yard of {G}. {G} had never had such a visitor. \"I will give you a stronger string,\" said {G}. \"But may I try it too?\" So all three of them flew the kite. {G} laughed like a child.",
  "You are never too old to play."),
 ("rain", "any", "had {aO} and did not want it to get wet",
  "{H} ran through the rain and held the {o} under {his} coat. Then {he} saw {aF} under a bush, wet and cold. {H} stopped. {he} had only one coat. {he} put the {o} down and held the coat over both of them. \"Now your {o} will get wet,\" said {F}. \"That does not matter,\" said {H}. \"It will dry, but you could get sick.\" They waited under the coat until the rain was over. Then the sun came out and dried everything, the {o} too. {F} never forgot that day.",
  "A friend is worth more than a thing."),
 ("sun", "magic", "was different from all the others",
  "{H} was big and strong, but {he} did not like to be loud. {he} liked to [read books|grow flowers|bake cakes]. The others laughed at {him}. So {H} sat alone {in}. There {he} met {aF}. \"I like that too,\" said {F}. They met every day. One day the others came by and saw what {H} and {F} had made. It was so beautiful that they forgot to laugh. \"Can you show us how to do it?\" they asked. {H} was happy and showed them everything.",
  "It is good to be yourself."),
 ("sun", "magic", "wanted to make the people of the village happy",
  "But when the people saw {him}, they were afraid and ran into their houses. Only {aF} stayed. \"I am not afraid of you,\" said {F}. \"You have kind eyes.\" {H} told {fhim} about {his} wish. \"I have an idea,\" said {F}. In the night they worked side by side. In the morning the people found {food} at every door. \"Who was so good to us?\" they asked. \"It was {H}!\" said {F}. Then the people came out and thanked {him}, and nobody was afraid any more.",
  "Kindness opens every door."),
 ("sun", "magic", "lost {his} magic",
  "\"Without my magic I am nothing,\" said {H}. {he} sat down {in} and did not speak. {aF} came by and sat next to {him}. \"What can you do without magic?\" asked {F}. \"I can sing a little,\" said {H}. {he} began to sing. The flowers opened and the birds came near to listen. {F} clapped {fhis} hands. \"That is magic too,\" said {F}. {H} felt warm inside. When {he} looked at {his} hands, small lights were dancing on them. The magic had come back.",
  "The best magic is inside you."),
 ("sun", "animal", "saw a butterfly and ran after it",
  "The butterfly was [blue|yellow|white] like a flower. {H} ran through the grass and over a log. Then {he} fell into a deep hole. \"Help!\" {he} called. The butterfly heard {him} and flew away to get help. Soon it came back with {F}. {F} let down a long branch. {H} held on to it and climbed out. \"How did you find me?\" asked {H}. \"The butterfly showed me the way,\" said {F}. {H} looked at the butterfly. \"Thank you,\" {he} said. \"I will never try to catch you again.\"",
  "Be kind to everyone, even to the smallest."),
 ("sun", "animal", "wanted to find a new home",
  "{his} old home was too small. {H} looked at a hollow log, but it was too wet. {he} looked at a cave, but it was too dark. {he} looked at a bush, but it was too windy. \"I will never find a home,\" said {H}. Then {F} had an idea. \"Come and live next to me,\" said {F}. \"We can build a home together.\" They brought [branches|stones|grass] and leaves. When the work was done, the home was dry and bright and warm. That evening they ate {food} and looked at the stars.",
  "Home is where your friends are."),
 ("sun", "animal", "had a loud voice, and the others did not like it",
  "\"You are too loud,\" they said. So {H} became very quiet. {he} did not sing and {he} did not laugh. One day {F} was lost in the fog. Nobody could see anything. \"{F}! Where are you?\" the others called, but their voices were too soft. Then {H} took a deep breath and called as loudly as {he} could. {F} heard {him} and followed the voice all the way home. \"Your loud voice saved me,\" said {F}. From then on, everyone liked to hear {H} sing.",
  "What makes you different can help others."),
]

ENDINGS_F = ["From that day on, {H} and {F} were [the best of friends|good friends|always together].", "{H} and {F} stayed friends [forever|for a long, long time].",
             "After that, {H} and {F} met every day.", "{H} went to bed that night and thought of {F}.", "And {H} and {F} lived happily ever after."]
ENDINGS = ["{H} went home with a happy heart.", "That night {H} slept very well.", "{H} was [very happy|happy and proud].", "It was a [wonderful|very good] day for {H}.",
           "{H} never forgot that day.", "And {H} smiled all the way home."]
ENDINGS_O = ["{H} [often|still] thinks of that {O}.", "And the {O}? It was never lost again."]


def expand(rng, text):
    """Resolve every [a|b] choice, innermost first."""
    while "[" in text:
        text = re.sub(r"\[([^\[\]]*)\]", lambda m: rng.choice(m.group(1).split("|")), text)
    return text


def tidy(text):
    """Capitals at sentence starts and a/an. Speech followed by its speaker goes on in lower case."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])(?!one\b|use|uni)", r"\1n ", text)
    up = lambda m: m.group(1) + m.group(2).upper()
    text = re.sub(r"(^|[.!?] |[.!?] \"|^\")([a-z])", up, text)
    return re.sub(r"([.!?]\" )(?!(?:said|asked|cried|called|whispered|shouted|everyone shouted|it said|they asked"
                  r"|(?:he|she) (?:said|asked|cried|called|whispered|told|shouted|thought|wondered))\b)([a-z])", up, text)


def new_name(rng, sex, pool):
    if rng.random() < 0.08:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()
    return rng.choice({("f", "child"): GIRLS, ("m", "child"): BOYS, ("f", "pet"): PETS_F, ("m", "pet"): PETS_M}[sex, pool])


def character(rng, who, kind=None, avoid=()):
    """A dict: name (or None), kind, adj, home, place, and pronouns."""
    sex = rng.choice("fm")
    if who == "child":
        if kind in ("girl", "boy"):
            sex = "f" if kind == "girl" else "m"
        kind, home, place = ("girl" if sex == "f" else "boy"), rng.choice(("house", "cottage", "house")), rng.choice(("garden", "park", "garden", "beach", "meadow", "river", "hill", "forest"))
    else:
        table = ANIMALS if who == "animal" else MAGIC
        kind = kind or rng.choice([k for k in table if k not in avoid])
        home, place = table[kind]
        sex = {"princess": "f", "prince": "m", "hen": "f", "fairy": "f"}.get(kind, sex)
    named = who == "child" or rng.random() < 0.7
    name = new_name(rng, sex, "child" if who == "child" or kind in ("princess", "prince") else "pet") if named else None
    adj = rng.choice([a for a in ADJ if not (kind == "giant" and a in ("little", "small"))])
    return {"who": who, "kind": kind, "name": name, "adj": adj, "home": home, "place": place, "sex": sex,
            "he": "she" if sex == "f" else "he", "him": "her" if sex == "f" else "him", "his": "her" if sex == "f" else "his"}


def called(rng, c):
    """How the character is called after the first mention."""
    return c["name"] or rng.choice((f"the {c['kind']}", f"the {c['adj']} {c['kind']}"))


def first_mention(rng, c):
    if not c["name"]:
        return f"a {c['adj']} {c['kind']}"
    return rng.choice((f"a {c['adj']} {c['kind']} named {c['name']}", f"a {c['kind']} named {c['name']}", f"a {c['adj']} {c['kind']} called {c['name']}"))


def opening(rng, plot, hero, s):
    """The first sentences, up to and including the event of the plot."""
    weather, event = plot[0], plot[2]
    when = expand(rng, "[" + WHEN[weather] + "]")
    who, H = first_mention(rng, hero), s["H"]
    where = expand(rng, WIDER[hero["place"]])
    sky = rng.choice(WEATHER[weather]) if rng.random() < 0.4 else ""
    likes = rng.choice(("{he} loved to [sing|run and jump|play outside|look at the stars|hear stories|eat {food}|collect stones].", "{he} was always [kind|cheerful|ready to help|full of ideas].",
                        "{he} lived in a [small|cosy|little] {home}[ with a round door| under a tall tree||].", "Everyone liked {H}.", "")) if rng.random() < 0.6 else ""
    day = when[0].lower() + when[1:]
    style = rng.random()
    if style < 0.09:
        deed = expand(rng, rng.choice(DEEDS))
        start = rng.choice((who, when + ", " + who, who, f"once upon a time, {who}"))
        return f"{start} {deed}. {rng.choice(('', '', sky))} {rng.choice(('The next day', 'Later that day', 'The next morning', 'Then', 'Some days later', 'After that'))}, {H} {event}."
    if style < 0.38:
        lead = rng.choice((f"Once upon a time, there was {who}", f"Once upon a time there was {who}", f"Once upon a time, there lived {who}", f"Once upon a time, {where}, there lived {who}",
                           f"Once upon a time, {who} lived {where}", f"Once there was {who}", f"There was once {who}", f"Long ago, there lived {who}",
                           f"A long time ago, {who} lived {where}", f"{where}, there lived {who}", f"{where} lived {who}", f"{where} there was {who}", f"Far away, {where}, lived {who}"))
        return f"{lead}. {likes} {when}, {H} {event}. {sky}"
    if style < 0.64:
        return f"{when}, {who} {event}. {sky}"
    if style < 0.71:
        return f"It was {re.sub('^one', 'a' if 'one ' in day else '', day) if not day.startswith('early') else 'early in the morning'}. {sky} {who} {event}."
    if not hero["name"]:
        return rng.choice((f"{who} {event}. {sky}", f"{when}, {who} {event}. {sky}", f"{who} lived {where}. {likes} {when}, {H} {event}. {sky}"))
    rest = rng.random()
    if rest < 0.5:
        return f"{H} {event}. {sky}"
    if rest < 0.65 and "known" in s and "{F}" in event + plot[3]:
        likes = likes.replace("{he}", "{H}", 1)
        return f"{H} and {s['F']} were friends. {likes} {when}, {H} {event}. {sky}"
    if rest < 0.85:
        return f"{H} was {'a ' + hero['adj'] + ' ' + hero['kind']}. {likes} {when}, {H} {event}. {sky}"
    return f"{sky or rng.choice(WEATHER[weather])} {who} {event}."


def cast(rng, plot, topic):
    who = plot[1] if plot[1] != "any" else rng.choice(("child", "child", "animal", "animal", "animal", "magic"))
    kind = None
    if topic:
        who = "child" if topic in ("girl", "boy") else "animal" if topic in ANIMALS else "magic"
        kind = topic
    hero = character(rng, who, kind)
    avoid = {hero["kind"]}
    for _ in range(50):
        friend = character(rng, rng.choice(("child", "child", "animal")) if who == "child" else "animal" if who == "animal" or rng.random() < 0.6 else "child", avoid=avoid)
        if friend["name"] and plot[3].find("{Fkind}") >= 0 and friend["who"] != "child":
            continue
        same = friend["sex"] == hero["sex"]
        if friend["name"] and friend["name"] != hero["name"] and (not same or rng.random() < 0.08):
            return hero, friend
    friend["name"] = "Sunny" if hero["name"] != "Sunny" else "Dot"
    return hero, friend


def slots(rng, plot, hero, friend):
    thing = rng.choice(THINGS)
    look = rng.choice(LOOKS)
    elder, _ = rng.choice([g for g in OLDER["child" if hero["who"] == "child" else "animal"] if not any(k in g[0] for k in (hero["kind"], friend["kind"]))])
    H = called(rng, hero)
    new = first_mention(rng, friend)
    s = {"H": H, "he": hero["he"], "him": hero["him"], "his": hero["his"], "F": friend["name"], "Fs": friend["name"] + ("'" if friend["name"].endswith("s") else "'s"),
         "fhe": friend["he"], "fhim": friend["him"], "fhis": friend["his"], "aF": new, "Fkind": friend["kind"], "G": elder,
         "aO": f"a {look} {thing}", "O": f"{look} {thing}", "o": thing, "in": PLACES[hero["place"]], "home": hero["home"], "food": rng.choice(FOODS),
         "Hn": hero["name"] or f"little {hero['kind']}", "Hname": hero["name"] or hero["kind"].capitalize()}
    if "{aF}" not in plot[2] + plot[3] and "{Fkind}" not in plot[3]:  # an old friend: introduced at the first mention
        s["known"] = rng.choice((f"{hero['his']} friend {friend['name']}", f"{hero['his']} friend {friend['name']}" + (f" the {friend['kind']}" if friend["who"] != "child" else ""), f"{hero['his']} best friend {friend['name']}"))
    return s


def story(rng, topic=None):
    fit = [p for p in PLOTS if not topic or p[1] in ("any", "child" if topic in ("girl", "boy") else "animal" if topic in ANIMALS else "magic")]
    plot = rng.choice(fit)
    hero, friend = cast(rng, plot, topic)
    s = slots(rng, plot, hero, friend)
    first = opening(rng, plot, hero, s)
    text = expand(rng, first + " " + plot[3])
    uses_f, uses_o = "{F}" in plot[3], "{O}" in plot[2] + plot[3] or "{aO}" in plot[2] + plot[3]
    if rng.random() < 0.6:
        pool = (ENDINGS_F * 2 if uses_f else []) + ENDINGS + (ENDINGS_O if uses_o and rng.random() < 0.3 else [])
        text += " " + expand(rng, rng.choice(pool))
    if rng.random() < 0.35:
        text += " " + plot[4]
    if "known" in s and s["F"] not in text.split("{")[0] and "{F}" in text:
        if f"{s['F']} were friends" not in text:
            text = text.replace("{F}", s["known"], 1)
    for _ in range(2):
        text = re.sub(r"\{(\w+)\}", lambda m: s[m.group(1)], text)
    return tidy(text)
