"""The words that questions and stories are made of."""

import random

CREATURES = """
fox bear wolf rabbit hare otter beaver badger hedgehog squirrel mouse rat mole deer horse donkey goat sheep lamb cow
pig dog cat lion tiger elephant giraffe zebra monkey camel kangaroo koala panda penguin owl eagle hawk raven crow
sparrow robin swan duck goose hen parrot pigeon stork heron turtle frog toad lizard snake dragon whale dolphin seal
shark salmon crab lobster snail spider ant bee wasp butterfly moth beetle cricket worm king queen prince princess
knight wizard farmer baker sailor pilot teacher painter doctor gardener miller shepherd giant robot
""".split()

PLACES = """
bridge forest river lake mountain valley village castle garden meadow island beach harbour market tower cave desert
farm mill school library museum station church palace temple theatre kitchen cellar attic barn stable orchard field
hill swamp waterfall lighthouse bakery workshop park street square town city coast jungle glacier canyon tunnel
airport hotel
""".split()

THINGS = """
lantern key map book bell drum flute violin hammer rope basket bucket bottle cup plate spoon knife lamp candle mirror
clock watch ring crown coin button needle thread scarf coat hat glove boot shoe blanket pillow carpet ladder wheel
cart wagon boat ship sail anchor oar kite balloon umbrella letter pencil brush picture puzzle ball doll box chest
barrel apple pear plum cherry peach lemon orange banana grape melon carrot onion potato tomato pumpkin cabbage
mushroom pie nut seed leaf flower rose tulip feather shell pearl stone diamond star cloud rocket telescope compass
magnet camera radio computer table chair bench piano guitar trumpet
""".split()

ADJECTIVES = """
small brave clever curious kind quiet happy old young patient cheerful gentle lonely proud lazy hungry careful
friendly
""".split()

COLOURS = ["red", "blue", "green", "yellow", "black", "white", "brown", "grey", "purple", "pink", "silver", "golden"]

NAMES = """
Ada Alan Anna Ben Bruno Carla Clara David Dora Edgar Ella Emil Emma Felix Flora Frank Grace Greta Hanna Henry Ida Ivan
Jack Jane John Jonas Julia Karl Kate Klara Laura Leo Lena Linus Lucy Maria Mark Martha Max Mia Milo Nina Noah Nora
Olga Oscar Otto Paul Paula Peter Rita Robert Rosa Ruth Sam Sara Simon Sofia Tom Tina Ursula Vera Victor Walter Wendy
Yara Zoe
""".split()

CITIES = """
Berlin Paris London Madrid Rome Vienna Prague Oslo Lisbon Dublin Athens Warsaw Helsinki Brussels Zurich Geneva Hamburg
Munich Milan Tokyo Kyoto Delhi Cairo Lima Boston Chicago Toronto Sydney Nairobi Lagos
""".split()

MORE_WORDS = """
able about above across action active actor add address adult advice afternoon again age agree air alarm album all
almost alone along already also always amazing among anchor angle angry animal answer any appear area arm army around
arrive art ask aunt autumn avoid awake away baby back bad bag bake balance band bank bar base bath battle bear
beautiful because become bed before begin behind believe belong below berry best better between big bird birth bite
bitter black blade blind block blood blow blue board body bone border born borrow both bottom bowl brain branch brass
brave break breakfast breath breeze brick bridge bright bring broken brother brown build burn bus bush business busy
buy call calm candy care carry case castle catch cause centre century chain chance change chapter cheap cheek child
chin choose circle circus class clay clean clear climb close cloth clothes club cluster coal coffee cold collect
colony colour comb come common cook cool copper copy corn corner correct cost cotton count country courage cousin
cover cream cross crowd cry culture curtain curve custom cut daily damage dance danger dark daughter dawn day dead
deal dear debt decide deep defend degree depend desk detail dig dinner direct dirt dish distance divide door double
doubt down draw dream dress drink drive drop dry dust duty each early earn earth east easy eat echo edge education
effect egg eight either elbow electric eleven empty end enemy energy engine engineer enjoy enough enter equal escape
even evening event every exact example except excite exercise expect expert explain express eye face fact fail fair
fall false family famous far fast father fault fear feed feel female fence fever few fight figure fill film final find
finger finish fire first fish five flag flame flat flight float flood floor flour flow fly fold follow food foot force
foreign forget fork form forward four frame free freeze fresh friend front frost fruit full fun funny furniture future
game gate gateway gather gift girl give glad glass glue goal gold good grain grand grass great green grey ground group
grow guard guess guest guide habit hair half hall hand handle happen happy harbour hard harvest hat hate head health
heart heat heavy height hello help here hide high history hit hobby hold hole holiday home hope hospital hour house
how huge human hundred hunt hurry hurt husband ice idea ill important inch industry ink insect inside interest iron
jacket jam jar jewel job join joke journey joy judge juice jump just justice keep kettle kick kind kiss kitten knee
knock know knowledge lace lady land language large last late laugh law layer lazy lead learn leather leave left leg
lend length less lesson level lift light like limit line lion lip liquid list listen little live load loaf lock long
look loose lord lose loud love low luck lunch machine mad main make male man many marble march mark marry master match
material matter meal mean measure meat medicine meet member memory mend mercy message metal method middle midnight
mile milk mind mine minute miss mistake mix model modern moment money month moon morning mother motor mouth move much
mud muscle music nail name narrow nation nature near neat neck neighbour nephew nerve nest net network never new news
next nice niece night nine noise noon north nose note nothing notice number nurse oak ocean offer office often oil
olive once one open opera opinion order other oven over owner oxygen pack page pain paint pair pan paper parcel parent
part party pass past path pattern pause pay peace pen pepper perfect person petrol phone photo pick piece pin pink
pipe pity plan plane planet plant plastic play please pleasure plenty pocket poem poet point poison polish polite pool
poor popular port possible post pot pound pour powder power praise prayer present press pretty price pride print
prison prize problem produce promise proof proper protect public pull pump punish pupil pure purple purpose push
quality quarter question quick quiet quite race rail rain raise reach read ready real reason record red regular repair
repeat reply report rescue rest result return reward rhythm ribbon rice rich ride right ripe rise road roast rock roll
roof room root rough round route router row royal rubber rule run rush sad safe salad salt same sand sandwich save say
scale science scissors score screen screw sea search season seat second secret see seem sell send sense sentence
serious servant server seven shade shadow shake shape share sharp sheet shelf shine shirt shop short shoulder shout
show shut side sight sign signal silence silk silver simple since sing sister sit six size skill skin skirt sky sleep
slice slide slow smell smile smoke smooth snow soap society sock soft soil soldier solid some song soon sorry sound
sour south space spade speak speed spell spend spirit sport spot spread spring staff stage stairs stamp stand start
state stay steal steam steel step stick stiff still stop storm story strange straw strawberry stream strength string
strong student study stupid sudden sugar suggest suit summer sun supper sure surface surprise sweep sweet swim sword
symbol system tail take talk tall tax tea tear tell ten tent test thank thick thief thin think third thirst thread
three throat through throw thumb thunder ticket tidy tie tight time tin tired title today toe together tomorrow tongue
tooth total touch towel toy track trade train travel treasure tree triangle trick trip trouble trousers true trust try
tube tune turn twelve twenty twice two type ugly uncle under understand unit until use useful usual value van vast
vegetable very victory view visit voice vote wait wake walk wall war warm wash waste water wave way weak wealth weapon
weather wedding week weight west wet what wheat where while whisper white whole why wide wife wild win wind window
wine wing winter wire wise wish witness woman wonder wood wool word work worker world worry worth wound write wrong
yard year yellow yes yesterday young zero
""".split()

WORDS = sorted({*CREATURES, *PLACES, *THINGS, *ADJECTIVES, *COLOURS, *MORE_WORDS})

ONSETS = """
b br c ch cl cr d dr f fl fr g gl gr h j k kn l m n p ph pl pr qu r s sc sh sl sn sp st str t th tr v w wh y z
""".split()
VOWELS = "a e i o u ai ea ee ie oa oo ou y".split()
CODAS = "b ck d f ft g k l ll lk m mp n nd ng nk nt p r rd rk rm rn rt s sh sk ss st t th tch x".split()
ENDINGS = ["", "", "", "er", "ing", "ed", "le", "y", "ion", "ness", "ly", "ful", "ment", "al", "ous", "able", "ity"]


def invented_word(generator: random.Random) -> str:
    """A word that sounds like one, so that spelling is learnt as a rule and not word by word."""
    if generator.random() < 0.2:
        return "".join(generator.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(generator.randrange(2, 9)))
    if generator.random() < 0.25:
        return (generator.choice(WORDS) + generator.choice(WORDS))[:12]
    syllables = [
        generator.choice(ONSETS) + generator.choice(VOWELS) + generator.choice(["", generator.choice(CODAS)])
        for _ in range(generator.choice([1, 2, 2, 3]))
    ]
    return ("".join(syllables) + generator.choice(ENDINGS))[:12]
