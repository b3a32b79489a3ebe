"""What looks like something to remember and is not: questions, guesses, the moment, other voices.

Each expression was put here by a sentence that would have become junk; precision comes first.
"""

import re

from hermes.memory.claims_text import has_hole
from hermes.memory.subjects import stems_of

_QUESTION = re.compile(r"\?\W*$")
_ASKING = re.compile(
    r"(?i)^(?:\W|and |but |so |also )*(?:what|why|how|who|which|should|shall|could|can|would|do|does|did|is|are|was|"
    r"were|will|has|have i|am i|where|wann|warum|wie|was|wer|welche\w*|soll\w*|k[öo]nn\w*|pourquoi|comment|"
    r"quel\w*|est-ce|qu[ée]|c[óo]mo|cu[áa]l\w*|por qu[ée])\b"
)
_GUESS = re.compile(
    r"(?i)\b(?:maybe|perhaps|probably|possibly|presumably|might|not sure|unsure|i (?:think|guess|believe|"
    r"suppose|wonder|assume|hope|feel)|could be|may be|what if|supposing|suppose|hypothetical\w*|"
    r"for example|for instance|e\.g|let'?s say|imagine|considering|thinking (?:of|about)|would be|"
    r"would have|would use|could (?:also )?use|if (?:we|i|you) (?:were|had|used|ever|wanted|did)|"
    r"should (?:we|i)|whether|seems?|apparently|supposedly|i'?m told|as if|were to|in theory|"
    r"vielleicht|wahrscheinlich|vermutlich|eventuell|glaube|k[öo]nnten|w[üu]rde\w*|zum beispiel|"
    r"peut-[êe]tre|sans doute|probablement|je (?:pense|crois)|par exemple|pourrai\w+|"
    r"quiz[áa]s?|tal vez|probablemente|creo|por ejemplo|podr[íi]a\w*)\b"
)
_MOMENT = re.compile(
    r"(?i)\b(?:for now|right now|at the moment|just now|this time|(?:just )?(?:this )?once|for once|"
    r"temporarily|for the moment|in this (?:file|function|method|case|line|test|commit|branch|pr|"
    r"class|module|example|session|chat|conversation|answer|reply|message|script|snippet|one)|"
    r"(?:for|on|of) this (?:one|file|function|method|task|test|commit|branch|pr|time|line|change|"
    r"answer|reply|example|session|chat|conversation|question|request|script)|"
    r"(?:that|this) (?:line|function|method|variable|loop|file|test|one|part|section|paragraph|"
    r"sentence|word|step|change|error|bug|warning|option|approach)|"
    r"the other \w+|the \w+ ones?|the (?:second|first|last|third|previous|next|latter|former|above|following|same|new) "
    r"(?:one|line|file|function|option|approach|test|version|paragraph|item|argument|"
    r"parameter|column|row|field|word|sentence|example|variable|method|bullet|point)|"
    r"(?:line|page|step|row|item|option|chapter|section|paragraph) \d+|instead here|"
    r"vorerst|im moment|gerade|diesmal|f[üu]r diese\w* .{2,20}|pour l'instant|cette fois|"
    r"por ahora|esta vez|de momento|ayer|hier soir)\b|\b(?:here|there|hier)\W*$"
)
_OTHERS = re.compile(
    r"(?i)\b(?:according to|(?:says?|said|states?|stated|claims?|claimed|recommends?|suggests?|wrote|writes|"
    r"argues?|insists?|mentions?|mentioned|thinks|believes?|reads) (?:that|to|we|you|it|i|not|always|"
    r"never|the)|(?:he|she|they|someone|somebody|people|some|many|other (?:teams|people)|everyone|"
    r"competitors?) (?:said|says|say|told|use[sd]?|always|never|prefers?|claims?|thinks?|like)|"
    r"it says|it said|told (?:me|us)|laut|behauptet\w*|sagt\w*|selon|d'apr[èe]s|dit que|seg[úu]n|dice\w* que|"
    r"(?:saying|that says|with the (?:text|content|words|message|title)|named|titled|the text|the comment|"
    r"commit message|docstring|a line|the phrase|the sentence|the words?) )"
)
_WRITING = re.compile(
    r"(?i)\b(?:add|write|put|append|insert|print|echo|output|commit|create|make|say|type|log|return|"
    r"display|show)\b.{0,60}\b(?:comment|readme|line|file|docs?|docstring|message|test|todo|note|"
    r"section|heading|changelog|text|string|sentence|page|variable|print)\b"
)
_STATE = re.compile(
    r"(?i)\b(?:is|are|was|were|'s|'re|keeps?|looks?|seems?|got|gets?|ist|sind|est|sont|es|est[áa]n?)"
    r"(?: still| now| currently| all| just| already| really| very| too| so| completely| a bit| not)*"
    r" (?:broken|failing|down|red|green|slow|slower|fast|stuck|crash\w*|ready|done|finished|missing|"
    r"wrong|late|gone|empty|up|running|working|fine|ok(?:ay)?|good|bad|great|nice|weird|strange|odd|"
    r"confus\w+|annoying|unclear|ugly|interesting|hard|easy|difficult|perfect|correct|right|"
    r"true|false|better|worse|over|flaky|fixed|merged|deployed|full|out of|unavailable|offline|"
    r"hanging|throwing|returning|showing|getting|giving|complaining|different|the same|enough|on fire|"
    r"important|sad|funny|old|outdated|useless|awful|cool|happy|tired|busy|sick|kaputt|fertig|"
    r"langsam|cass[ée]e?|lent|roto|lento)\b(?! (?:by|with|via|through|on port|as)\b)"
    r"|\b(?:fails?|failed|crashes|crashed|breaks|broke|hangs|doesn'?t work|does not work|"
    r"didn'?t work|won'?t (?:start|work|build|compile))\b"
)
_IDIOM = re.compile(
    r"(?i)^(?:please |and |but |so |i |we |you )*(?:never ?mind|never again|never (?:heard|seen|said|had|knew|"
    r"thought|got|been|tried|used|understood|liked|worked|finished|asked|wanted|meant|could|did|"
    r"was|were|would|let me|\w+ed\b)|(?:i|we) always \w+ed\b|always (?:a pleasure|the same|happy|glad|nice|good|wanted|thought|had|was|were|"
    r"forget|wondered|loved|hated|get|getting|confus\w+|struggle|something)|(?:run|ran) (?:into|out|"
    r"away|off)|keep (?:getting|seeing|having|running|failing|forgetting|going|talking|losing)|"
    r"(?:work|working|build|building|write|writing) (?:on|it|this|that)\b|moved? on\b|"
    r"mean(?:t)?\b|host an? |support (?:you|that|this)\b|(?:love|hate|like) (?:it|this|that|how|the way|your|when)\b)"
)
_CASE = re.compile(
    r"(?i)^(?:whenever|every time|each time|when|if|before|after|once)\b[^,]{3,80},\s"
)
_POINTING = re.compile(
    r"(?i)^(?:it|this|that|these|those|he|she|they|there|them|both|neither|either|one|the (?:one|thing|"
    r"latter|former|rest|answer|result|output|idea)|es|das|dies\w*|er|sie|[çc]a|cela|ce|c'est|il|elle|eso|esto)\b"
    r"(?!'?s? not .{1,40} but )"
)
_ONE_OFF = re.compile(
    r"(?i)\b(?:today|tonight|tomorrow|yesterday|this (?:morning|afternoon|evening)|in (?:a|an|\d+|five|ten) "
    r"(?:minutes?|hours?)|later|next (?:week|month|monday|tuesday|wednesday|thursday|friday)|"
    r"heute|morgen|gestern|aujourd'hui|demain|hoy|ma[ñn]ana)\b"
)
_LEAST, _MOST = 6, 300
_LEAST_STEMS = 2


def doubtful(sentence: str) -> bool:
    """Whether a sentence is a question, or says what somebody else says."""
    return bool(has_hole(sentence) or _QUESTION.search(sentence) or _OTHERS.search(sentence))


def asking(sentence: str) -> bool:
    """Whether it begins as questions do that nobody gave a question mark."""
    return _ASKING.match(sentence) is not None


def guessed(sentence: str) -> bool:
    """Whether it is a guess, an example, or words that somebody is to write somewhere."""
    return bool(_GUESS.search(sentence) or _WRITING.match(sentence))


def passing(sentence: str) -> bool:
    """Whether it is about the moment or the place at hand, or how something just is."""
    main = _CASE.sub("", sentence)
    return bool(_MOMENT.search(sentence) or _STATE.search(main) or _IDIOM.match(sentence))


def one_off(sentence: str) -> bool:
    """Whether it names a time at which it is over."""
    return _ONE_OFF.search(sentence) is not None


def pointing(content: str) -> bool:
    """Whether it only says something of what stood elsewhere."""
    return _POINTING.match(content) is not None


def hollow(content: str, least: int = _LEAST_STEMS) -> bool:
    """Whether too little is left to be of use, or too much to be one memory."""
    return not _LEAST <= len(content) <= _MOST or len(stems_of(content)) < least
