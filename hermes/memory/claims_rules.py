"""The forms in which people say what is to last: one table per form, several languages each.

Each pattern leaves in `what` what is worth keeping. What merely looks like such a form is
refused by `claims_doubt`.
"""

import re
from typing import NamedTuple

from hermes.store.claim import MemoryType


class Rule(NamedTuple):
    """A form: its name, what kind of memory it makes, whether the person's word is enough.

    `whole`: the sentence is kept as it stands; `answers`: only where something was said before.
    """

    name: str
    memory_type: MemoryType | None
    pattern: re.Pattern[str]
    asserted: bool = True
    whole: bool = False
    answers: bool = False


def _rule(
    name: str,
    memory_type: MemoryType | None,
    *patterns: str,
    asserted: bool = True,
    whole: bool = False,
    answers: bool = False,
) -> Rule:
    pattern = re.compile("(?i)^(?:" + "|".join(patterns) + ")")
    return Rule(name, memory_type, pattern, asserted, whole, answers)


_WHAT = r"\s*[:,]?\s*(?P<what>.*)$"

REMEMBER = _rule(
    "remember", None,
    r"(?:please |pls |also |always )?(?:remember|keep in mind|bear in mind|note|make a note|"
    r"take note|don'?t forget|do not forget|never forget|note to self|for the record|fyi|"
    r"for future reference|memori[sz]e|save to memory|add to (?:your )?memory|"
    r"(?:you should|i want you to|i'?d like you to) (?:remember|know)|"
    r"merke? dir|merk dir bitte|bitte merke? dir|denke? daran|denk bitte daran|vergiss nicht|"
    r"beachte|behalte|zur info|souviens-?toi|rappelle-?toi|retiens|n'oublie pas|"
    r"garde en t[êe]te|note bien|note|pour info|recuerda|acu[ée]rdate de|no olvides|"
    r"ten en cuenta|toma nota|para que lo sepas|ricorda|ricordati|tieni presente|"
    r"lembre-se(?: de)?|lembra-te de)(?:[,:]? (?:that|this|dass|das|que|qu'|che|de que))?"
    r"(?P<join>[:,]|(?=\s|$))\s*(?P<what>.*)$",
)  # fmt: skip

FORGET = _rule(
    "forget", None,
    r"(?:please |ok(?:ay)?,? |actually,? )?(?:forget (?:about )?(?:that|this|it)"
    r"(?: again| please)?$|forget (?:about )?(?:what i (?:said|told you) (?:about|on|regarding)|"
    r"that|about) (?P<what>.+)|forget everything (?:about|on) (?P<what2>.+)|scratch that$|"
    r"(?:that(?:'s| is)|this is) no longer (?:true|the case|valid|correct|needed)$|"
    r"(?:you can )?stop remembering (?:that )?(?P<what3>.+)|"
    r"(?:don'?t|do not) remember (?:that|this|it)(?: any ?more)?$|"
    r"vergiss (?:das|es)(?: wieder| bitte)?$|das (?:gilt|stimmt) nicht mehr$|"
    r"oublie (?:[çc]a|cela)$|olv[íi]da(?:lo| eso| esto)$)",
)  # fmt: skip

_FROM_NOW = (
    r"(?:from now on|from here on(?: out)?|from today(?: on)?|in (?:the )?future|going forward|"
    r"henceforth|ab jetzt|ab sofort|von jetzt an|ab heute|k[üu]nftig|in zukunft|dor[ée]navant|"
    r"d[ée]sormais|[àa] partir de maintenant|[àa] l'avenir|a partir de ahora|de ahora en adelante|"
    r"en adelante|d'ora in poi|a partir de agora|starting (?:today|now))"
)

FROM_NOW = _rule(
    "from now on", "decision",
    _FROM_NOW + _WHAT,
    r"(?P<what2>.{4,200}?),? " + _FROM_NOW + "$",
)  # fmt: skip

DECIDED = _rule(
    "decided", "decision",
    r"(?:(?:so|ok(?:ay)?|and|also|after [^,]{3,60}|yesterday|today|last week|in the meeting),? )?"
    r"(?:we|i|the team|my team)(?:'ve| have)?(?: just| now| finally| all)? (?:decided|agreed|settled|"
    r"chose|have chosen|opted)(?: (?:to|that|on|for|against|not to))? .{3,}$",
    r"(?:wir|ich) haben? (?:uns )?(?:entschieden|beschlossen|geeinigt|vereinbart)\b.{3,}$",
    r"wir haben uns (?:f[üu]r|gegen|auf) .{3,}(?:entschieden|geeinigt)$",
    r"(?:nous avons|on a|j'ai) (?:d[ée]cid[ée]|choisi|convenu)\b.{3,}$",
    r"(?:hemos|he) (?:decidido|acordado|elegido)\b.{3,}$",
    whole=True,
)  # fmt: skip

WE_USE = _rule(
    "we use", "decision",
    r"(?:(?:and|so|also|here|by the way|btw|fyi|in this (?:project|repo(?:sitory)?|codebase)|"
    r"at (?:work|our company)|for [^,]{3,40}|in (?:production|staging|ci|general)),? )?"
    r"(?:we|the team|this (?:project|repo(?:sitory)?|codebase|team)|our (?:team|project|company))"
    r"(?:'re| are|'ve| have)?(?: only| now| currently| all| both| mostly| generally| usually| also|"
    r" still)? (?:use|uses|using|prefer|prefers|follow|follows|deploy|deploys|run|runs|host|hosts|"
    r"keep|keeps|store|stores|write|writes|target|targets|require|requires|support|supports|build|"
    r"builds|release|releases|tag|tags|name|names|switched|moved|migrated|standardi[sz]ed|adopted|"
    r"no longer|stopped|don'?t|do not|work|ship|ships|sign|squash|rebase|lint|format)\b.{3,}$",
    r"(?:hier |im projekt |wir )(?:be)?(?:nutzen|verwenden|setzen|bevorzugen|nehmen|arbeiten)\b(?: wir)? .{3,}$",
    r"(?:nous|on) (?:utilis(?:ons|e)|employ(?:ons|e)|pr[ée]f[ée]r(?:ons|e)|d[ée]ploy(?:ons|e)) .{3,}$",
    r"(?:nosotros |aqu[íi] |en este proyecto )?(?:usamos|utilizamos|preferimos|desplegamos|trabajamos con) .{3,}$",
    whole=True,
)  # fmt: skip

ALWAYS = _rule(
    "always", "pattern",
    r"(?:please |and |also |but |so |you (?:should|must) |we (?:should )?|i )?"
    r"(?:always|never|don'?t ever|do not ever)\s.{4,}$",
    r"(?:bitte |wir |du sollst )?(?:immer|nie|niemals)\s.{4,}$",
    r"\w+ (?:bitte |wir )?(?:immer|nie|niemals)\s.{4,}$",
    r"(?:toujours|ne (?:jamais|\w+ jamais)|n'\w+ jamais|jamais)\s.{4,}$",
    r"(?:por favor,? )?(?:siempre|nunca)\s.{4,}$",
    r"(?:(?:every|each) time|whenever|before (?:each|every)|after (?:each|every)) .{3,80}?, .{4,}$",
    whole=True,
)  # fmt: skip

PREFER = _rule(
    "prefer", "decision",
    r"(?:(?:and|so|also|by the way|btw|for [^,]{3,40}),? )?(?:i|we)(?:'d| would)?"
    r"(?: really| much| generally| strongly| always)? (?:prefer|rather have|like)"
    r" (?P<pref>.{2,}?(?: over | to | instead of | rather than |, not | better| more than ).*)$",
    r"(?:i|we)(?: really| much| generally| strongly| usually)? prefer .{2,}$",
    r"my (?:preferred|favou?rite|default|usual) .{2,40} (?:is|are) .{2,}$",
    r"i(?:'d| would) like you to always .{4,}$",
    r"ich (?:bevorzuge|mag lieber|h[äa]tte lieber|m[öo]chte lieber) .{2,}$",
    r"je pr[ée]f[èe]re .{2,}$", r"prefiero .{2,}$",
    whole=True,
)  # fmt: skip

CORRECTION = _rule(
    "correction", "correction",
    r"(?:no|nope|wrong|that'?s (?:wrong|not right|incorrect|not (?:it|correct|true))|actually|"
    r"not quite|sorry,? (?:but )?no|correction|i meant|nein|falsch|das (?:ist falsch|stimmt nicht)|"
    r"doch|eigentlich|non|c'est faux|en fait|en r[ée]alit[ée]|eso (?:es incorrecto|no es correcto)|"
    r"en realidad|no,? en realidad)[,.:;!\u2014-]*\s+(?P<what>.{4,})$",
    answers=True,
)  # fmt: skip

CONTRAST = _rule(
    "contrast", "correction",
    r"(?P<what>(?:it'?s |that'?s |the .{2,40}? (?:is|are) )?not .{2,60},? but .{2,80})$",
    r"(?P<what2>(?:use|call it|name it|it'?s called|nimm|utilise|usa) .{1,60}?,? (?:not|instead of|"
    r"rather than|nicht|statt|pas|au lieu de|no|en vez de) .{2,60})$",
    answers=True,
)  # fmt: skip

FACT = _rule(
    "fact", "fact",
    r"(?:and |also |by the way,? |btw,? |fyi,? )?my (?!(?:question|problem|issue|point|guess|idea|"
    r"bad|mistake|concern|goal|plan|next|last|first|apologies|code|test|tests|build|function|"
    r"understanding|theory|hope|fault)\b)[\w -]{2,40}?(?:'s name)? (?:is|are|lives?|works?|"
    r"was born|prefers?|hates?|loves?|speaks?|has|have|starts?|goes|moved) .{2,}$",
    r"(?:you can )?call me [\w -]{2,30}$",
    r"i (?:live|work(?: at| as| for| in)|moved to|speak|was born|grew up|study|studied|have (?:a|an|two|"
    r"three|four|\d+) (?:\w+ )?(?:dog|cat|son|daughter|child|children|kid|kids|sister|brother|wife|"
    r"husband|partner|allergy|pet)\w*|own an?|drive an?|play the|don'?t (?:eat|drink)|"
    r"do not (?:eat|drink)|hate|love)\b.{2,}$",
    r"i(?:'m| am) (?:allergic|vegetarian|vegan|married|retired|based in|living in|"
    r"working (?:at|as|for)|an? (?:[\w-]+ )?(?:engineer|developer|teacher|student|nurse|doctor|"
    r"designer|scientist|lawyer|writer|manager))\b.*$",
    r"ich (?:wohne|lebe|arbeite|hei[sß]{1,2}e|bin allergisch|bin vegetarier)\b.{2,}$",
    r"mein[e]? [\w -]{2,30} (?:ist|hei[sß]{1,2}t|wohnt|lebt) .{2,}$",
    r"(?:j'habite|je travaille|je m'appelle|je suis (?:allergique|v[ée]g[ée]tarien\w*)) .{1,}$",
    r"(?:vivo en|trabajo en|trabajo como|me llamo|soy al[ée]rgic[oa]) .{2,}$",
    whole=True,
)  # fmt: skip

STRUCTURE = _rule(
    "structure", "architecture",
    r"(?:and |also |by the way,? |btw,? |fyi,? |in (?:production|staging|ci),? )?(?:the|our|this|all|"
    r"every|each)\s[\w/.`\" '-]{2,60}?\s(?:lives?|live|is|are|sits?|resides?) (?:in|under|on|at|"
    r"stored|kept|hosted|deployed|written|built|generated|called|named|served|managed|"
    r"located|defined|behind|licensed|versioned|owned by|maintained by)\b.{2,}$",
    r"(?:and |also |by the way,? |btw,? |fyi,? )?(?:the|our|all|every|each)\s[\w/.`\" '-]{2,60}?\s"
    r"(?:runs? (?:on|in|at|every)|listens? (?:on|at)|depends? on|talks? to|connects? to|goes? (?:to|"
    r"in|into|through|under)|belongs? (?:in|to|under)|uses?|requires?|must|has to|have to|needs? to be|"
    r"expires?|should (?:always|never))\b.{2,}$",
    r"our (?!(?:problem|issue|build|tests?|next|last|question|goal|plan)\b)[\w /'-]{2,40}? (?:is|are) .{2,}$",
    r"(?:unser\w* |die |der |das )[\w /.-]{2,40}? (?:liegt|liegen|l[äa]uft|hei[sß]{1,2}t|lauscht) .{2,}$",
    r"(?:notre |nos |la |le |les )[\w /.-]{2,40}? (?:se trouve(?:nt)?|tourne|[ée]coute|s'appelle) .{2,}$",
    r"(?:nuestr[oa]s? |el |la |los |las )[\w /.-]{2,40}? (?:est[áa]n? en|vive en|corre en|escucha en|se llama) .{2,}$",
    whole=True,
)  # fmt: skip

LETS = _rule(
    "let's", "decision",
    r"(?:ok(?:ay)?,? |so,? |then |alright,? |yes,? )*(?:let'?s|we should|we'll|we will|i'll|lass uns|"
    r"on va|vamos a) (?:always )?(?:use|go with|stick (?:with|to)|standardi[sz]e on|switch to|keep to|"
    r"adopt|follow|verwenden|nehmen|utiliser|usar)\b.{2,}$",
    r"(?:please )?(?:use|stick to|stick with|prefer|avoid|nimm|verwende|benutze|utilise|usa) .{3,}$",
    asserted=False, whole=True,
)  # fmt: skip

RULES = (FROM_NOW, DECIDED, WE_USE, PREFER, ALWAYS, CONTRAST, CORRECTION, FACT, STRUCTURE, LETS)
"""In the order in which they are tried; `REMEMBER` and `FORGET` come before them."""
