"""The words of time phrases in German, French and Spanish, and their canonical English ones.

Apart from the grammar so that a language is a table. Keys are written without accents and
in small letters; the longest key that fits wins. An empty value drops the word.
"""

from collections.abc import Mapping, Sequence

_ENGLISH = """
each=every; daily=every day; hourly=every hour; weekly=every week; monthly=every month
nightly=every night; once a day=every day; once an hour=every hour; once a week=every week
once a month=every month; every other=every 2; everyday=every day
on weekdays=every weekday; weekdays=every weekday; workday=weekday; workdays=every weekday
tonight=today night; this morning=today morning; this afternoon=today afternoon
this evening=today evening; the day after tomorrow=overmorrow; day after tomorrow=overmorrow
half an hour=30 minute; a quarter of an hour=15 minute; an hour and a half=90 minute
one and a half hours=90 minute; in the morning=morning; in the afternoon=afternoon
in the evening=evening; at night=night; midday=noon; o'clock=; oclock=; a.m=am; p.m=pm
a=1; an=1; one=1; two=2; three=3; four=4; five=5; six=6; seven=7; eight=8; nine=9; ten=10
eleven=11; twelve=12; fifteen=15; twenty=20; thirty=30; forty=40; sixty=60; ninety=90
seconds=second; secs=second; mins=minute; hr=hour; hrs=hour; hours=hour; days=day
weeks=week; months=month
mondays=every monday; tuesdays=every tuesday; wednesdays=every wednesday
thursdays=every thursday; fridays=every friday; saturdays=every saturday
sundays=every sunday; mon=monday; tue=tuesday; tues=tuesday; wed=wednesday; thu=thursday
thur=thursday; thurs=thursday; fri=friday; sat=saturday; sun=sunday
jan=january; feb=february; mar=march; apr=april; jun=june; jul=july; aug=august
sep=september; sept=september; oct=october; nov=november; dec=december
"""

_SHARED = "s=second; sec=second; m=minute; min=minute; minutes=minute; d=day"

_GERMAN = """
jeden=every; jede=every; jedes=every; alle=every; taglich=every day; stundlich=every hour
wochentlich=every week; monatlich=every month; werktags=every weekday; werktag=weekday
jeden morgen=every morning; jeden abend=every evening; jede nacht=every night
jeden mittag=every noon; um=at; am=on; gegen=at; ab=at; uhr=h; und=and; den=; der=
heute=today; morgen=tomorrow; ubermorgen=overmorrow; morgen fruh=tomorrow morning
am morgen=morning; morgens=morning; fruh=morning; am vormittag=morning; vormittags=morning
vormittag=morning; mittags=noon; am mittag=noon; mittag=noon; nachmittags=afternoon
am nachmittag=afternoon; nachmittag=afternoon; abends=evening; am abend=evening
abend=evening; nachts=night; nacht=night; mitternacht=midnight; nachsten=next
nachster=next; nachste=next; kommenden=next; diesen=this
einer halben stunde=30 minute; einer viertelstunde=15 minute; anderthalb stunden=90 minute
halbe stunde=30 minute; viertelstunde=15 minute; zwei=2; drei=3; vier=4; funf=5; sechs=6
sieben=7; acht=8; neun=9; zehn=10; elf=11; zwolf=12; zwanzig=20; dreissig=30
ein=1; eine=1; einer=1; einem=1; sekunde=second; sekunden=second; minuten=minute
stunde=hour; stunden=hour; std=hour; tag=day; tage=day; tagen=day; woche=week; wochen=week
monat=month; monate=month; monaten=month; montag=monday; dienstag=tuesday; mittwoch=wednesday
donnerstag=thursday; freitag=friday; samstag=saturday; sonnabend=saturday; sonntag=sunday
montags=every monday; dienstags=every tuesday; mittwochs=every wednesday
donnerstags=every thursday; freitags=every friday; samstags=every saturday
sonntags=every sunday; januar=january; februar=february; marz=march; mai=may; juni=june
juli=july; oktober=october; dezember=december
"""

_FRENCH = """
chaque=every; tous les=every; toutes les=every; quotidiennement=every day; a=at; vers=at
le=on; dans=in; et=and; de=; du=; aujourd'hui=today; demain=tomorrow
apres-demain=overmorrow; apres demain=overmorrow; ce soir=today evening
ce matin=today morning; cet apres-midi=today afternoon; cette nuit=today night
matin=morning; matins=morning; du matin=morning; le matin=morning; apres-midi=afternoon
de l'apres-midi=afternoon; l'apres-midi=afternoon; soir=evening; soirs=evening
du soir=evening; le soir=evening; nuit=night; nuits=night; la nuit=night; midi=noon
minuit=midnight; prochain=next; prochaine=next; une demi-heure=30 minute
un quart d'heure=15 minute; une heure et demie=90 minute; un=1; une=1; deux=2; trois=3
quatre=4; cinq=5; sept=7; huit=8; neuf=9; dix=10; onze=11; douze=12; quinze=15; vingt=20
trente=30; seconde=second; secondes=second; heure=hour; heures=hour; jour=day; jours=day
jour ouvrable=weekday; jours ouvrables=weekday; semaine=week; semaines=week; mois=month
lundi=monday; mardi=tuesday; mercredi=wednesday; jeudi=thursday; vendredi=friday
samedi=saturday; dimanche=sunday; lundis=monday; mardis=tuesday; mercredis=wednesday
jeudis=thursday; vendredis=friday; samedis=saturday; dimanches=sunday
le lundi=every monday; le mardi=every tuesday; le mercredi=every wednesday
le jeudi=every thursday; le vendredi=every friday; le samedi=every saturday
le dimanche=every sunday; janvier=january; fevrier=february; mars=march; avril=april
mai=may; juin=june; juillet=july; aout=august; septembre=september; octobre=october
novembre=november; decembre=december
"""

_SPANISH = """
cada=every; todos los=every; todas las=every; diariamente=every day; los lunes=every monday
los martes=every tuesday; los miercoles=every wednesday; los jueves=every thursday
los viernes=every friday; los sabados=every saturday; los domingos=every sunday
a las=at; a la=at; a=at; al=at; en=in; dentro de=in; el=on; y=and; de=; del=; hoy=today
manana=tomorrow; pasado manana=overmorrow; todas las mananas=every morning
cada manana=every morning; esta noche=today night; esta tarde=today afternoon
esta manana=today morning; por la manana=morning; de la manana=morning
por la tarde=afternoon; de la tarde=afternoon; tarde=afternoon; tardes=afternoon
por la noche=night; de la noche=night; noche=night; noches=night; mediodia=noon
medianoche=midnight; proximo=next; proxima=next; que viene=next; media hora=30 minute
un cuarto de hora=15 minute; una hora y media=90 minute; un=1; una=1; dos=2; tres=3
cuatro=4; cinco=5; seis=6; siete=7; ocho=8; nueve=9; diez=10; once=11; doce=12; quince=15
veinte=20; treinta=30; segundo=second; segundos=second; minuto=minute; minutos=minute
hora=hour; horas=hour; dia=day; dias=day; dia laborable=weekday; dias laborables=weekday
semana=week; semanas=week; mes=month; meses=month; lunes=monday; martes=tuesday
miercoles=wednesday; jueves=thursday; viernes=friday; sabado=saturday; domingo=sunday
enero=january; febrero=february; marzo=march; abril=april; mayo=may; junio=june; julio=july
agosto=august; septiembre=september; octubre=october; noviembre=november; diciembre=december
"""


def _table(text: str) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    pairs = (entry.split("=") for entry in text.replace("\n", ";").split(";") if entry.strip())
    return {tuple(words.split()): tuple(meaning.split()) for words, meaning in pairs}


LANGUAGES: Mapping[str, Mapping[tuple[str, ...], tuple[str, ...]]] = {
    "English": _table(_ENGLISH + _SHARED),
    "German": _table(_GERMAN + _SHARED),
    "French": _table(_FRENCH + _SHARED),
    "Spanish": _table(_SPANISH + _SHARED),
}

_LONGEST = max(len(words) for table in LANGUAGES.values() for words in table)


def canonical(words: Sequence[str], language: str) -> tuple[list[str], list[int]]:
    """Rewrite a language's words as canonical English ones, each with its origin's index.

    Unknown words stay; the list of indexes has one more, for the end.
    """
    table = LANGUAGES[language]
    found: list[str] = []
    origins: list[int] = []
    at = 0
    while at < len(words):
        lengths = range(min(_LONGEST, len(words) - at), 0, -1)
        length = next((n for n in lengths if tuple(words[at : at + n]) in table), 0)
        meaning = table[tuple(words[at : at + length])] if length else (words[at],)
        found += meaning
        origins += [at] * len(meaning)
        at += length or 1
    return found, [*origins, at]
