"""The plots of the demo's little stories: data only, read by demo_stories.py, which explains the slots and choices."""

from collections import namedtuple

# weather: which opening fits. who: which heroes fit. event: what the hero does in the opening sentence.
Plot = namedtuple("Plot", "weather who event body moral")

PLOTS = [
    Plot(
        "sun",
        "any",
        "found {aO} {in}",
        """
        [It was the prettiest {o} {he} had ever seen.|{he} had never seen such a fine {o}.] ["Who
        lost this {o}?" {he} wondered.|"Somebody must be looking for it," {he} thought.] {H} asked
        {G}, but {G} did not know. Then {H} met {aF}. {F} was [crying|very sad|sitting under a tree
        and crying]. ["I have lost my {O}," said {F}.|"My {O} is gone," said {F}.] {H} held out the
        {o}. "Is this yours?" {he} asked. {F} [jumped for joy|smiled and clapped|laughed with joy].
        "Yes! Thank you, {Hn}!" [{fhe} said|{fhe} cried]. [They played with the {o} all
        afternoon.|Then they played together until the sun went down.]
        """,
        "It feels good to give back what is lost.",
    ),
    Plot(
        "sun",
        "any",
        "lost {his} {O}",
        """
        {H} looked [under the bed|behind the door|in every corner], but the {o} was not there. {he}
        looked {in}, but the {o} was not there either. {H} [was very sad|began to cry|sat down with
        a sigh]. {aF} came by. "[Why are you sad|What is wrong], {Hn}?" asked {F}. "I cannot find my
        {O}," said {H}. "[I will help you|Let us look together]," said {F}. They looked [high and
        low|here and there]. At last {F} [looked under an old log|looked behind a big stone|looked
        up into a tree] and there it was! {H} [hugged {fhim}|thanked {fhim} with all {his} heart].
        "You are a good friend," {he} said.
        """,
        "Two friends can find more than one.",
    ),
    Plot(
        "wind",
        "any",
        "was playing with {aO} when a strong wind blew it away",
        """
        The {o} flew over the [fence|bushes|stream] and landed [high in a tree|on top of a tall
        tree]. {H} tried to [climb|jump], but the tree was too tall. "Oh no, my {o}!" {he} cried.
        {aF} heard {him} and came to help. "[Let me try|I can help you]," said {F}. {F} [shook the
        branch|climbed up the tree|pushed the branch with a long stick], and the {o} fell down. {H}
        caught it [in {his} arms|and laughed]. "Thank you!" said {H}. "[Do you want to play with
        me|Will you play with me]?" {F} [nodded happily|said yes at once].
        """,
        "A friend makes a tall tree small.",
    ),
    Plot(
        "rain",
        "any",
        "wanted to play outside, but it was raining",
        """
        {H} [looked out of the window|sat by the door] and [sighed|felt sad]. "[There is nothing to
        do|I do not like the rain]," {he} said. Then there was a knock at the door. It was {F}, [wet
        from nose to toes|dripping with rain]. "Come in and get warm," said {H}. {H} gave {fhim} a
        [dry towel|warm blanket], and they ate {food} [by the fire|at the table]. They [told
        stories|sang songs|played games] and laughed a lot. When they looked up, the rain had
        stopped. A big rainbow [stood over the hill|shone in the sky]. "[I like rainy days now|This
        was a good day]," said {H}.
        """,
        "A rainy day is short with a friend.",
    ),
    Plot(
        "sun",
        "any",
        "heard a small cry {in}",
        """
        {H} followed the sound. [Behind a bush|Under a big leaf|Next to a stone] {he} found {aF}. "I
        am lost," said {F}. "I cannot find my way home." {H} took {fhim} by the hand. "Do not be
        afraid. I will help you," {he} said. They asked [a bee|a snail|an old toad], but [it|he] did
        not know the way. They asked {G}. "[Follow the stream|Go past the big tree|Follow the path]
        and you will see it," said {G}. So they walked and walked. At last {F} saw {fhis} home.
        "There it is!" {fhe} cried. {Fs} mother ran out and hugged {fhim}. She gave {H} {food} to
        say thank you.
        """,
        "Nobody is lost for long when a friend is near.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to bake {food} for {F}",
        """
        {H} put on an apron and took out a big bowl. But there was no [flour|sugar|butter] left. So
        {he} went to ask {G}. "You may have some of mine," said {G} with a smile. {H} ran home and
        mixed everything together. [Soon the kitchen smelled wonderful.|Soon the whole house smelled
        sweet.] When {F} came, the table was ready. "[Is this for me|Did you make this all by
        yourself]?" asked {F}. "Yes, it is for you, because you are my friend," said {H}. They ate
        until [their tummies were full|nothing was left].
        """,
        "Food tastes best when it is shared.",
    ),
    Plot(
        "sun",
        "any",
        "planted a tiny seed {in}",
        """
        {he} gave it water every day. "Grow, little seed," {he} said. [One day|For a week] nothing
        happened. {H} was [sad|worried]. "Be patient," said {G}. "Good things take time." So {H}
        waited. {he} watered the seed and sang to it. Then, one morning, {he} saw a small green
        leaf. The leaf grew [taller and taller|bigger every day]. In the end there was a [big yellow
        sunflower|tall green tree|beautiful red flower]. {H} danced around it. "You were right,"
        {he} told {G}. "[It was worth the wait|Waiting was not so hard]."
        """,
        "Good things take time.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to learn how to swim",
        """
        But the water was [cold and deep|so big], and {H} was afraid. {F} could swim very well. "I
        will teach you," said {F}. First {H} put one foot in the water. Then {he} put both feet in.
        {F} held {him} by the hand. "Kick your legs," {fhe} said. {H} kicked and kicked. [Water
        splashed everywhere.|It was hard at first.] {he} tried again and again. After many tries,
        {he} was swimming! "Look at me!" {H} shouted. {F} clapped. "I knew you could do it," said
        {F}.
        """,
        "If you try again, you can learn almost anything.",
    ),
    Plot(
        "sun",
        "child",
        "wanted to learn to ride a bicycle",
        """
        The bicycle was [red|blue|green] and shiny. {H} sat on it, but {he} fell down. {he} tried
        again and fell once more. "I will never learn it," {he} said. {G} came out and [smiled|sat
        down beside {him}]. "When I was small, I fell many times too," said {G}. "Try one more time.
        I will hold you." {H} tried again. {G} ran beside {him} and then let go. {H} was riding all
        alone! "I can do it!" {he} shouted. [The wind was in {his} hair.|{he} rode all the way to
        the gate.]
        """,
        "Never give up after the first fall.",
    ),
    Plot(
        "night",
        "any",
        "could not sleep because it was dark",
        """
        "[I hear strange sounds|There is a shadow by the door]," {he} whispered. {he} called {G}.
        {G} came with a small [lamp|candle]. "Let us look together," said {G}. They looked under the
        bed, and there was only a sock. They looked behind the door, and there was only a coat. "You
        see, there is nothing to fear," said {G}. Then they opened the window and looked at the
        stars. "The stars watch over you," said {G}. {H} [counted the stars|looked at the moon]
        until {his} eyes closed. Soon {he} was fast asleep.
        """,
        "The dark is only the day with its eyes closed.",
    ),
    Plot(
        "night",
        "any",
        "saw a star fall from the sky",
        """
        It landed {in} with a soft sound. {H} ran to look. A tiny star lay in the grass and shone
        like a candle. "I fell down, and I want to go home," said the star. {H} wanted to help. {he}
        called {F}, and together they carried the star up the highest hill. "[Now jump|We will throw
        you up]," said {F}. "One, two, three!" The star flew up and up until it was back in the sky.
        It [blinked|winked] at them. {H} and {F} waved. Every night after that, one star shone a
        little brighter for them.
        """,
        "Even a star needs a friend sometimes.",
    ),
    Plot(
        "snow",
        "any",
        "wanted to build a snowman",
        """
        {H} asked {F} to help. They rolled a big ball of snow, then a smaller one, and then a very
        small one. {F} found [two black stones|two buttons] for the eyes. {H} found a carrot for the
        nose. "He looks cold," said {H}. So {he} gave the snowman {his} [old|red|blue] scarf. "Now
        he looks happy," said {F}. They danced around the snowman until [it got dark|their noses
        were red]. Then they went inside and had {food} by the fire. The snowman [stood outside and
        smiled|smiled at the moon all night].
        """,
        "Winter is warm with a friend.",
    ),
    Plot(
        "snow",
        "animal",
        "had nothing left to eat",
        """
        The snow was deep and {H} was hungry. {he} walked from tree to tree, but {he} found no food.
        Then {he} came to a small house with a light. {F} opened the door. "You look cold and
        hungry," said {F}. "Come in." {F} did not have much, only [a bowl of nuts|some bread|a few
        apples], but {fhe} gave half of it to {H}. {H} never forgot it. When spring came, {H}
        brought {F} a big basket of [berries|flowers|strawberries]. "You helped me when I had
        nothing," {he} said. "Now I want to help you."
        """,
        "A kind deed comes back like the spring.",
    ),
    Plot(
        "sun",
        "any",
        "had a big red apple",
        """
        It was the last apple of the tree. {H} wanted to eat it all alone. Just then {aF} came by.
        {F} looked at the apple, and {fhis} tummy made a sound. "Are you hungry?" asked {H}. "A
        little," said {F}. {H} thought for a moment. Then {he} cut the apple into two halves. "One
        half for you and one half for me," {he} said. {F} smiled. They sat in the grass and ate.
        "This is the best apple of all," said {F}. The next day {F} brought {food} and gave half of
        it to {H}.
        """,
        "Sharing makes a small thing big.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to cross the river, but the bridge was broken",
        """
        {H} stood on the bank and did not know what to do. {aF} was standing on the other side. "I
        want to come to you!" called {H}. "And I want to come to you!" called {F}. So they began to
        work. {H} brought [long branches|big stones] and {F} brought [strong ropes|old boards]. They
        worked [all morning|the whole day]. In the evening there was a new bridge. {H} and {F} met
        in the middle and shook hands. "We did it together," said {F}. Now everyone can cross the
        river without getting wet.
        """,
        "Many hands make light work.",
    ),
    Plot(
        "sun",
        "any",
        "found an old map {in}",
        """
        There was a red cross on the map. "A treasure!" {he} said. {he} showed the map to {F}, and
        they set out at once. They walked past the [old mill|tall tree|round pond]. They climbed
        over the [hill|wall|big rock]. They counted ten steps and began to dig. Soon they found a
        small wooden box. Inside the box there was no gold, only a letter. {H} read it aloud. "The
        real treasure is the friend who came with you," it said. {H} looked at {F}, and both of them
        laughed. "It is true," said {H}. They [ate {food} under a tree|walked home arm in arm].
        """,
        "A friend is better than gold.",
    ),
    Plot(
        "sun",
        "any",
        "found a bird with a hurt wing {in}",
        """
        "Poor little bird," said {H}. {he} carried it home very gently. {G} showed {him} what to do.
        They made a soft bed in a box and gave the bird [seeds|crumbs] and water. Every day {H} sat
        beside it and talked to it. After [a week|many days] the wing was well again. {H} opened the
        window. {he} was a little sad, but {he} let the bird fly. The bird flew around {his} head
        and sang. The next morning {H} heard a song at the window. The bird had come back to say
        thank you.
        """,
        "If you love something, let it be free.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to win the big race",
        """
        {H} was not the fastest, but {he} practised every day. On the day of the race everyone stood
        in a line. "Ready, steady, go!" called {G}. {H} ran as fast as {he} could. Then {he} saw {F}
        fall down. {F} had hurt {fhis} foot. {H} stopped at once. "Lean on me," said {H}. They
        walked to the end of the race together. They came in last, but everyone clapped for them.
        "You did not win the race, but you won my heart," said {G}. {F} gave {H} a big hug.
        """,
        "Helping a friend is better than winning.",
    ),
    Plot(
        "sun",
        "any",
        "broke the {O} that belonged to {F}",
        """
        {H} did not mean to do it. It just fell and broke. {H} hid the {o} behind a bush and went
        away. But {he} felt bad all day. {he} could not eat and {he} could not play. At last {he}
        went to {F}. "I broke your {o}," said {H}. "I am very sorry." {F} was quiet for a moment.
        Then {fhe} smiled. "Thank you for telling me the truth," said {F}. "[We can mend it
        together|Let us try to mend it]." They worked all afternoon, and soon the {o} was [almost as
        good as new|whole again]. {H} felt light and happy.
        """,
        "It is always better to tell the truth.",
    ),
    Plot(
        "sun",
        "any",
        "took the {O} of {F} without asking",
        """
        {H} only wanted to play with it for a little while. But soon {F} came and looked for it
        everywhere. "Have you seen my {o}?" asked {F}. {H} looked at the ground. {he} wanted to say
        no, but it did not feel right. "I took it," {he} said. "I am sorry. I should have asked
        you." {F} thought about it. "Next time just ask me," said {F}, "and we can play with it
        together." {H} gave the {o} back. Then they [took turns|played together] until it was time
        to go home.
        """,
        "Ask first, and then you can play together.",
    ),
    Plot(
        "sun",
        "any",
        "had a quarrel with {F}",
        """
        Both of them wanted the {O}. {H} pulled on one side and {F} pulled on the other. "It is
        mine!" cried {H}. "No, it is mine!" cried {F}. Then {G} came. "If you pull like that, it
        will break," said {G}. "Why do you not take turns?" {H} and {F} looked at each other. "You
        can have the {o} first," said {H}. "No, you first," said {F}. Then they both began to laugh.
        They took turns all day and forgot that they had ever been angry.
        """,
        "Taking turns is better than tears.",
    ),
    Plot(
        "sun",
        "any",
        "was all alone and had no one to play with",
        """
        {H} [threw stones into the water|drew pictures in the sand|sat on the steps]. "I wish I had
        a friend," {he} said softly. Then {he} saw {aF}. {F} was alone too. {H} was shy, but {he}
        took a deep breath. "Hello," {he} said. "My name is {Hname}. Do you want to play with me?"
        {F} smiled from ear to ear. "I was hoping that you would ask," said {F}. They played [hide
        and seek|tag|with a ball] until the sun went down. "Will you come back tomorrow?" asked {F}.
        "Yes, tomorrow and every day," said {H}.
        """,
        "A friend begins with a hello.",
    ),
    Plot(
        "sun",
        "any",
        "made a boat from [a leaf|paper|an old box]",
        """
        {he} put it on the water and it began to float. "Sail, little boat!" said {H}. The boat went
        faster and faster down the stream. {H} ran after it, past the [mill|trees|big stones]. At
        last the boat stopped. {aF} had caught it. "Is this your boat?" asked {F}. "Yes, I made it
        myself," said {H}. "It is a wonderful boat," said {F}. "Can you show me how to make one?" So
        {H} and {F} sat down and made a second boat. Soon two little boats sailed side by side.
        """,
        "Two boats are more fun than one.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to give {F} a birthday present",
        """
        But {H} had no money. "What can I give to {fhim}?" {he} asked {G}. "Give something that
        comes from your heart," said {G}. {H} thought for a long time. Then {he} picked [flowers in
        the meadow|the sweetest berries] and made [a crown|a little card]. When the party began, {F}
        got many big presents. {H} was shy and held out {his} small one. {F} opened it and {fhis}
        eyes began to shine. "You made this yourself!" said {F}. "This is the best present of all."
        Then everyone ate {food} and danced.
        """,
        "The best presents come from the heart.",
    ),
    Plot(
        "sun",
        "any",
        "thought that everybody had forgotten {his} birthday",
        """
        {he} woke up early, but nobody said a word. {H} went to see {F}, but {F} was not at home.
        {he} went to see {G}, but nobody opened the door. {H} walked home slowly. A tear ran down
        {his} cheek. Then {he} opened {his} own door. "Surprise!" everyone shouted. {F} was there
        and {G} was there too. There were [balloons|candles|flowers] and there was a big cake. "Did
        you think we had forgotten you?" asked {F}. {H} laughed and cried at the same time. It was
        the best birthday ever.
        """,
        "Good friends do not forget.",
    ),
    Plot(
        "sun",
        "any",
        "went to pick berries {in}",
        """
        {H} had a big basket. {he} picked one berry for the basket and ate one berry. Then {he} ate
        two, and then three. In the evening the basket was empty, but {his} tummy was full. "Oh no,"
        said {H}. "I wanted to bring some to {G}." {F} came along with a full basket. {F} looked at
        the empty basket and laughed. "Your mouth is all blue," {fhe} said. Then {F} gave {him} half
        of {fhis} berries. They carried them to {G}, who made a big pie. Everyone had a piece, and
        {H} had only a very small one.
        """,
        "Keep a little for the ones you love.",
    ),
    Plot(
        "sun",
        "any",
        "met {aF}, who was carrying a heavy load",
        """
        "May I help you?" asked {H}. "Oh yes, please," said {F}. "I have to bring this to the other
        side of the hill." {H} took one end and {F} took the other. They sang a song as they walked,
        and the load did not feel so heavy any more. At the top they rested and looked at the view.
        "What is inside?" asked {H}. {F} opened it. It was full of {food}! "It is for a feast," said
        {F}, "and now you must come too." So {H} went to the feast and danced until late.
        """,
        "A heavy load is light for two.",
    ),
    Plot(
        "sun",
        "any",
        "was afraid of the big dog next door",
        """
        Each time the dog barked, {H} ran away. One day {his} ball rolled right up to the dog. {H}
        stood still and did not know what to do. The dog picked up the ball and looked at {him} with
        big brown eyes. Then the dog put the ball down and wagged its tail. "Oh," said {H}. "You
        only want to play!" {he} threw the ball, and the dog brought it back. They played all
        afternoon. {G} looked out and smiled. "I see that you made a new friend," said {G}.
        """,
        "Sometimes a loud voice hides a soft heart.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to touch the clouds",
        """
        {H} climbed on a chair, but the clouds were too high. {he} climbed on a big rock, but the
        clouds were still too high. "[Climb the hill|Go up to the top of the hill]," said {G}, "but
        take a friend with you." So {H} asked {F}. They walked up and up and up. Near the top,
        everything became white and soft. "Where are we?" asked {F}. "I think we are inside a
        cloud!" said {H}. They held hands and laughed. The cloud was cool and wet on their noses.
        When they came home, they told everyone about it.
        """,
        "Big dreams begin with small steps.",
    ),
    Plot(
        "rain",
        "any",
        "saw that the stream was getting higher and higher",
        """
        "The water will come into the houses!" cried {H}. {he} ran from door to door. "Wake up! The
        water is coming!" {he} called. {F} came out, and then the others came too. Together they
        carried stones and built a strong wall. They worked all night in the rain. In the morning
        the rain stopped and the wall was still standing. Every house was dry. "You saved us, {Hn},"
        said {G}. "No," said {H}. "We all did it together." Then they had {food} in the sun.
        """,
        "Together we are strong.",
    ),
    Plot(
        "sun",
        "any",
        "heard beautiful music {in}",
        """
        {H} followed the music past the trees. There sat {aF} with a small flute. "That is the
        loveliest song I have ever heard," said {H}. "Can you teach me?" {F} gave {him} the flute.
        {H} blew into it, but it only made a funny noise. They both laughed. "Try it again, very
        softly," said {F}. {H} tried every day for a week. Then one evening {he} played a whole
        song. The birds stopped to listen. {F} began to dance, and soon everyone was dancing.
        """,
        "Practice turns noise into music.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to paint a picture of {F}",
        """
        {H} took some paper and all {his} colours. {F} sat very still on a stone. But a
        [bee|butterfly] sat down on {Fs} nose, and {fhe} began to laugh. Then {H} began to laugh
        too, and the brush slipped. Now there was a big blue spot in the middle of the picture. "It
        is ruined," said {H}. {F} looked at it. "No, it is not," said {F}. "Now it looks like the
        sky." {H} painted a sun and some birds next to the spot. It became the nicest picture of
        all. They hung it on the wall.
        """,
        "A mistake can be the start of something good.",
    ),
    Plot(
        "sun",
        "any",
        "woke up and did not want to get up",
        """
        "I am too tired," said {H}. {F} knocked on the window. "Come out! The day is so fine," {fhe}
        called. "No," said {H}, and pulled the blanket over {his} head. A little later there was a
        smell of {food}. {H} put out one foot. Then {he} put out the other foot. {he} went to the
        door and looked outside. {F} and {G} were having breakfast in the grass. "There is a place
        for you," said {F}. {H} sat down and ate with them. "I am glad that I got up," {he} said.
        """,
        "A new day is a gift.",
    ),
    Plot(
        "sun",
        "any",
        "went to the market to buy {food}",
        """
        {H} had three coins in {his} pocket. On the way {he} met {aF}, who looked sad. "I dropped my
        money into the well," said {F}. {H} looked at {his} coins. {he} gave one of them to {F}. At
        the market {H} could only buy a small piece. But the woman at the market had seen
        everything. "You have a good heart," she said, and she filled the whole basket. {H} ran back
        to find {F}. They sat by the well and shared everything.
        """,
        "Who gives a little gets a lot.",
    ),
    Plot(
        "sun",
        "any",
        "found a small door in an old tree",
        """
        It was just big enough. {H} knocked three times. The door opened, and there stood {aF}.
        "Nobody has knocked here for a long time," said {F}. "Please come in." Inside there was a
        warm room with a tiny stove and a round table. {F} made tea, and they ate {food}. {H} looked
        at all the books on the wall. "Would you like to hear a story?" asked {F}. {H} nodded. {F}
        read until the light outside turned gold. "Come again soon," said {F}. "I will," said {H},
        "and next time I will bring a book too."
        """,
        "Knock on a door and you may find a friend.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to fly like the birds",
        """
        {H} made wings from [leaves|paper|feathers] and jumped from a small rock. {he} landed in a
        heap of leaves. {F} saw it and came running. "Are you hurt?" asked {fhe}. "No," said {H},
        "but I still cannot fly." {F} thought about it. Then {fhe} tied a strong rope to a branch
        and made a swing. {H} sat on it and {F} pushed. Up {he} went, higher and higher, with the
        wind in {his} face. "I am flying!" cried {H}. "I am really flying!" Then they changed
        places, and {F} could fly too.
        """,
        "There is more than one way to fly.",
    ),
    Plot(
        "sun",
        "any",
        "wanted to be as big as a tree",
        """
        "I am too small," said {H}. "I cannot reach anything." {G} only smiled. Just then {F} came
        running. "Help! My {O} fell into a hole, and nobody can get it out," said {F}. The hole was
        narrow and deep. Everyone was too big for it. "Let me try," said {H}. {he} went into the
        hole, and soon {he} came back with the {o}. "You are just the right size," said {F}. {H}
        stood very straight. {he} did not want to be as big as a tree any more.
        """,
        "Everyone is the right size for something.",
    ),
    Plot(
        "sun",
        "any",
        "boasted that {he} could do everything alone",
        """
        "I do not need any help," {he} said. {he} carried a big log, but it was too heavy. It fell
        and rolled down the hill right into the pond. Splash! {H} fell in too. "Help!" {he} called.
        {F} heard {him} and held out a long branch. {H} took hold of it, and {F} pulled {him} out.
        {H} was wet and cold, and {his} face was red. "Thank you," {he} said quietly. "I do need
        help sometimes." {F} smiled and gave {him} a dry coat. Then they carried the log together.
        """,
        "It is all right to ask for help.",
    ),
    Plot(
        "sun",
        "any",
        "told {F} a lie",
        """
        "There is a monster {in}!" said {H}. {F} was so afraid that {fhe} ran home. {H} laughed at
        first. But then {he} had nobody to play with. The next day {F} did not come out. {H} felt
        lonely. {he} went to {Fs} home and knocked on the door. "There is no monster," {he} said. "I
        made it up, and I am sorry." {F} opened the door a little. "Will you always tell me the
        truth now?" {fhe} asked. "I promise," said {H}. {F} came out, and they played together
        again.
        """,
        "A friend should always be able to believe you.",
    ),
    Plot(
        "sun",
        "any",
        "was cleaning the house and found {aO} under the bed",
        """
        It was old and covered with dust. {H} rubbed it with a cloth until it was clean. Then {he}
        showed it to {G}. "My {o}!" said {G}. "I had that when I was as small as you." {G} sat down
        and told {him} a long story about it. {H} listened with big eyes. "You should have it back,"
        said {H}. "No," said {G}. "Now it is yours. Take good care of it." {H} put the {o} beside
        {his} bed. Every night {he} looked at it and thought about the story.
        """,
        "Old things have good stories.",
    ),
    Plot(
        "sun",
        "child",
        "went to school for the first time",
        """
        {H} held {G} by the hand and did not want to let go. There were so many new faces. {H} sat
        down in the last row. A {Fkind} sat next to {him}. "My name is {F}," {fhe} said. "Is this
        your first day too?" {H} nodded. "Then we can be new together," said {F}. They drew a big
        picture of a [ship|house|horse] and sang a song. At noon they shared {food}. When {G} came
        back, {H} did not want to go home yet. "School is fun," {he} said. "I already have a
        friend."
        """,
        "New things are easier with a friend.",
    ),
    Plot(
        "sun",
        "child",
        "went to the beach with {G}",
        """
        {H} built a castle of sand with four towers. {he} put a [shell|feather|flag] on the highest
        tower. Then a big wave came and washed the castle away. {H} was very sad. "The sea wanted to
        play too," said {G}. A {Fkind} with a [red|blue|yellow] bucket had seen it. "I am {F},"
        {fhe} said. "Let us build a new castle, farther from the water." They dug and they built
        until the castle was taller than before. They made a wall around it. This time the wave only
        came up to the wall, and everyone cheered.
        """,
        "What is broken can be built again.",
    ),
    Plot(
        "sun",
        "any",
        "went for a long walk {in}",
        """
        {H} looked at the flowers and listened to the bees. {he} walked so far that {he} did not
        know the way back. The sun was going down. {H} sat down on a stone and felt afraid. Then
        {he} saw a little light. It was a firefly. "Follow me," said the firefly. It flew ahead from
        bush to bush, and {H} followed. The light danced in the dark like a small star. At last {H}
        saw {his} home, and {G} was waiting at the door. "Thank you, little firefly," said {H}. {G}
        gave {him} {food} and put {him} to bed.
        """,
        "Even a small light can show the way.",
    ),
    Plot(
        "sun",
        "any",
        "could not stop sneezing",
        """
        "Achoo!" said {H}, and a bird fell off its branch. "Achoo!" said {H}, and {his} hat flew
        away. {F} brought {him} a cup of tea, but it did not help. {F} brought {him} a warm blanket,
        but that did not help either. Then {G} came and looked closely. "There is a feather on your
        nose!" said {G}. {F} took the feather away. {H} waited. There was no more sneezing. Everyone
        laughed, and {H} laughed the loudest of all.
        """,
        "Look closely, and the answer may be right under your nose.",
    ),
    Plot(
        "night",
        "any",
        "wanted to catch the moon",
        """
        {H} saw the moon in the pond. It was round and yellow like a cheese. {he} put {his} hand
        into the water, but the moon broke into many pieces. {H} was frightened. "I broke the moon!"
        {he} cried. {F} came to look. "Wait a little," said {F}. They sat very still. The water
        became smooth, and the moon was whole again. "You see, it is only a picture," said {F}. "The
        real moon is up there." {H} looked up and laughed. They sat by the pond and watched the moon
        for a long time.
        """,
        "Some things are lovely even if you cannot hold them.",
    ),
    Plot(
        "wind",
        "any",
        "went out to fly a kite with {F}",
        """
        The kite was [red|blue|yellow|green] and had a long tail. {H} held the string and {F} ran
        with the kite. Up it went, over the trees and over the roofs. Then the string broke! The
        kite flew away. {H} and {F} ran after it through the [field|meadow]. It came down in the
        yard of {G}. {G} had never had such a visitor. "I will give you a stronger string," said
        {G}. "But may I try it too?" So all three of them flew the kite. {G} laughed like a child.
        """,
        "You are never too old to play.",
    ),
    Plot(
        "rain",
        "any",
        "had {aO} and did not want it to get wet",
        """
        {H} ran through the rain and held the {o} under {his} coat. Then {he} saw {aF} under a bush,
        wet and cold. {H} stopped. {he} had only one coat. {he} put the {o} down and held the coat
        over both of them. "Now your {o} will get wet," said {F}. "That does not matter," said {H}.
        "It will dry, but you could get sick." They waited under the coat until the rain was over.
        Then the sun came out and dried everything, the {o} too. {F} never forgot that day.
        """,
        "A friend is worth more than a thing.",
    ),
    Plot(
        "sun",
        "magic",
        "was different from all the others",
        """
        {H} was big and strong, but {he} did not like to be loud. {he} liked to [read books|grow
        flowers|bake cakes]. The others laughed at {him}. So {H} sat alone {in}. There {he} met
        {aF}. "I like that too," said {F}. They met every day. One day the others came by and saw
        what {H} and {F} had made. It was so beautiful that they forgot to laugh. "Can you show us
        how to do it?" they asked. {H} was happy and showed them everything.
        """,
        "It is good to be yourself.",
    ),
    Plot(
        "sun",
        "magic",
        "wanted to make the people of the village happy",
        """
        But when the people saw {him}, they were afraid and ran into their houses. Only {aF} stayed.
        "I am not afraid of you," said {F}. "You have kind eyes." {H} told {fhim} about {his} wish.
        "I have an idea," said {F}. In the night they worked side by side. In the morning the people
        found {food} at every door. "Who was so good to us?" they asked. "It was {H}!" said {F}.
        Then the people came out and thanked {him}, and nobody was afraid any more.
        """,
        "Kindness opens every door.",
    ),
    Plot(
        "sun",
        "magic",
        "lost {his} magic",
        """
        "Without my magic I am nothing," said {H}. {he} sat down {in} and did not speak. {aF} came
        by and sat next to {him}. "What can you do without magic?" asked {F}. "I can sing a little,"
        said {H}. {he} began to sing. The flowers opened and the birds came near to listen. {F}
        clapped {fhis} hands. "That is magic too," said {F}. {H} felt warm inside. When {he} looked
        at {his} hands, small lights were dancing on them. The magic had come back.
        """,
        "The best magic is inside you.",
    ),
    Plot(
        "sun",
        "animal",
        "saw a butterfly and ran after it",
        """
        The butterfly was [blue|yellow|white] like a flower. {H} ran through the grass and over a
        log. Then {he} fell into a deep hole. "Help!" {he} called. The butterfly heard {him} and
        flew away to get help. Soon it came back with {F}. {F} let down a long branch. {H} held on
        to it and climbed out. "How did you find me?" asked {H}. "The butterfly showed me the way,"
        said {F}. {H} looked at the butterfly. "Thank you," {he} said. "I will never try to catch
        you again."
        """,
        "Be kind to everyone, even to the smallest.",
    ),
    Plot(
        "sun",
        "animal",
        "wanted to find a new home",
        """
        {his} old home was too small. {H} looked at a hollow log, but it was too wet. {he} looked at
        a cave, but it was too dark. {he} looked at a bush, but it was too windy. "I will never find
        a home," said {H}. Then {F} had an idea. "Come and live next to me," said {F}. "We can build
        a home together." They brought [branches|stones|grass] and leaves. When the work was done,
        the home was dry and bright and warm. That evening they ate {food} and looked at the stars.
        """,
        "Home is where your friends are.",
    ),
    Plot(
        "sun",
        "animal",
        "had a loud voice, and the others did not like it",
        """
        "You are too loud," they said. So {H} became very quiet. {he} did not sing and {he} did not
        laugh. One day {F} was lost in the fog. Nobody could see anything. "{F}! Where are you?" the
        others called, but their voices were too soft. Then {H} took a deep breath and called as
        loudly as {he} could. {F} heard {him} and followed the voice all the way home. "Your loud
        voice saved me," said {F}. From then on, everyone liked to hear {H} sing.
        """,
        "What makes you different can help others.",
    ),
]
